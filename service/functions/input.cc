#include "service/functions/input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::functions {

std::string Shown(const nlohmann::json& value) {
  constexpr size_t kShownMax = 100;
  if (value.is_structured() && value.size() > 20) return value.is_array() ? "a long array" : "a large object";
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kShownMax) return text;
  text.resize(kShownMax);
  return jobs::MakeUtf8(text) + "...";
}

Input Input::Object(const jobs::Payload& payload, std::initializer_list<std::string_view> keys,
                    std::string_view text_key) {
  const bool is_plain_text =
      payload.encoding() == values::Encoding::kText && payload.content_type() != "application/json";
  if (is_plain_text && !text_key.empty()) return FromJson(payload.body(), keys, text_key);
  absl::StatusOr<nlohmann::json> parsed = jobs::ParseJson(payload);
  if (parsed.ok()) return FromJson(*std::move(parsed), keys, text_key);
  Input input;
  input.status_ = parsed.status();
  return input;
}

Input Input::FromJson(nlohmann::json document, std::initializer_list<std::string_view> keys,
                      std::string_view text_key) {
  Input input;
  if (document.is_string() && !text_key.empty()) {
    input.object_[std::string(text_key)] = std::move(document);
    return input;
  }
  if (document.is_null()) return input;
  if (!document.is_object()) {
    input.Fail(fmt::format("the input must be a JSON object, is {}", Shown(document)));
    return input;
  }
  for (const auto& [key, value] : document.items()) {
    const std::string& name = key;  // a structured binding cannot be captured
    const bool known = std::any_of(keys.begin(), keys.end(), [&](std::string_view k) { return k == name; });
    if (!known) {
      input.Fail(fmt::format("unknown key {}; known are {}", Shown(name), fmt::join(keys, ", ")));
      return input;
    }
  }
  input.object_ = std::move(document);
  return input;
}

const nlohmann::json* Input::Find(std::string_view key) const {
  const auto found = object_.find(std::string(key));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void Input::Fail(std::string_view message) {
  if (status_.ok()) status_ = jobs::InvalidInput(message);
}

void Input::FailKind(std::string_view key, const nlohmann::json& value, std::string_view expected) {
  Fail(fmt::format("{}: {}, must be {}", key, Shown(value), expected));
}

std::string Input::Text(std::string_view key, size_t bytes_max) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    FailKind(key, *value, "a string");
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > bytes_max) {
    Fail(fmt::format("{}: {} bytes, must be at most {}", key, text.size(), bytes_max));
    return {};
  }
  if (!jobs::IsUtf8(text)) {
    Fail(fmt::format("{}: not valid UTF-8", key));
    return {};
  }
  return text;
}

std::string Input::RequiredText(std::string_view key, size_t bytes_max) {
  if (!Has(key)) {
    Fail(fmt::format("{}: missing, must be a string", key));
    return {};
  }
  return Text(key, bytes_max);
}

std::string Input::Base64(std::string_view key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return {};
  std::string bytes;
  if (!value->is_string() || !absl::Base64Unescape(value->get_ref<const std::string&>(), &bytes)) {
    FailKind(key, *value, "base64");
    return {};
  }
  return bytes;
}

bool Input::Bool(std::string_view key, bool otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) {
    FailKind(key, *value, "true or false");
    return otherwise;
  }
  return value->get<bool>();
}

int64_t Input::Integer(std::string_view key, int64_t otherwise, int64_t min, int64_t max) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  // The largest numbers that a parser keeps apart from doubles do not fit into an int64_t.
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  if (!fits || value->get<int64_t>() < min || value->get<int64_t>() > max) {
    FailKind(key, *value, fmt::format("a whole number from {} to {}", min, max));
    return otherwise;
  }
  return value->get<int64_t>();
}

double Input::Number(std::string_view key, double otherwise, double min, double max) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() <= max)) {
    FailKind(key, *value, fmt::format("a number from {} to {}", min, max));
    return otherwise;
  }
  return value->get<double>();
}

}  // namespace muster::functions
