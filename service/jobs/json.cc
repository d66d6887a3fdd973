#include "service/jobs/json.h"

#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "google/protobuf/struct.pb.h"
#include "service/jobs/error.h"

namespace muster::jobs {
namespace {

constexpr int kDepthMax = 64;

absl::StatusOr<nlohmann::json> FromValue(const google::protobuf::Value& value, int depth) {
  if (depth > kDepthMax) return InvalidInput(fmt::format("JSON nests deeper than {} levels", kDepthMax));
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue: {
      const double number = value.number_value();
      // Whole numbers come out as integers, so that a body can read 3 where the wire says 3.0.
      if (std::floor(number) == number && std::abs(number) <= 9007199254740992.0) {
        return nlohmann::json(static_cast<int64_t>(number));
      }
      return nlohmann::json(number);
    }
    case google::protobuf::Value::kStringValue:
      return nlohmann::json(value.string_value());
    case google::protobuf::Value::kBoolValue:
      return nlohmann::json(value.bool_value());
    case google::protobuf::Value::kStructValue: {
      nlohmann::json object = nlohmann::json::object();
      for (const auto& [key, member] : value.struct_value().fields()) {
        absl::StatusOr<nlohmann::json> parsed = FromValue(member, depth + 1);
        if (!parsed.ok()) return parsed.status();
        object[key] = *std::move(parsed);
      }
      return object;
    }
    case google::protobuf::Value::kListValue: {
      nlohmann::json array = nlohmann::json::array();
      for (const auto& member : value.list_value().values()) {
        absl::StatusOr<nlohmann::json> parsed = FromValue(member, depth + 1);
        if (!parsed.ok()) return parsed.status();
        array.push_back(*std::move(parsed));
      }
      return array;
    }
    default:
      return nlohmann::json(nullptr);
  }
}

void ToValue(const nlohmann::json& json, google::protobuf::Value& value) {
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      value.set_bool_value(json.get<bool>());
      break;
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
    case nlohmann::json::value_t::number_float:
      value.set_number_value(json.get<double>());
      break;
    case nlohmann::json::value_t::string:
      value.set_string_value(json.get_ref<const std::string&>());
      break;
    case nlohmann::json::value_t::array:
      value.mutable_list_value();
      for (const nlohmann::json& member : json) ToValue(member, *value.mutable_list_value()->add_values());
      break;
    case nlohmann::json::value_t::object:
      value.mutable_struct_value();
      for (const auto& [key, member] : json.items()) ToValue(member, (*value.mutable_struct_value()->mutable_fields())[key]);
      break;
    default:
      value.set_null_value(google::protobuf::NULL_VALUE);
  }
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJson(const core::Payload& payload) {
  switch (payload.encoding()) {
    case core::Encoding::kNone:
      return nlohmann::json(nullptr);
    case core::Encoding::kJson: {
      google::protobuf::Value value;
      if (!value.ParseFromString(payload.body())) return InvalidInput("the JSON payload cannot be read");
      return FromValue(value, 0);
    }
    case core::Encoding::kText:
    case core::Encoding::kBytes:
      break;
  }
  if (payload.content_type() != "application/json") {
    return InvalidInput(fmt::format("expected a JSON payload, got {} of content type \"{}\"",
                                    payload.encoding() == core::Encoding::kText ? "text" : "bytes",
                                    payload.content_type()));
  }
  int depth_seen = 0;
  const auto bounded = [&depth_seen](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    depth_seen = std::max(depth_seen, depth);
    return depth <= kDepthMax;
  };
  nlohmann::json parsed = nlohmann::json::parse(payload.body(), bounded, /*allow_exceptions=*/false);
  if (depth_seen > kDepthMax) return InvalidInput(fmt::format("JSON nests deeper than {} levels", kDepthMax));
  if (parsed.is_discarded()) return InvalidInput("the payload says application/json but is not JSON");
  return parsed;
}

core::Payload JsonPayload(const nlohmann::json& json) {
  google::protobuf::Value value;
  ToValue(json, value);
  core::Payload::Content content;
  content.encoding = core::Encoding::kJson;
  value.SerializeToString(&content.body);
  return core::Payload(std::move(content));
}

absl::StatusOr<std::string> ParseBytes(const core::Payload& payload) {
  if (payload.encoding() == core::Encoding::kJson) return InvalidInput("expected bytes or text, got a JSON payload");
  return payload.body();
}

}  // namespace muster::jobs
