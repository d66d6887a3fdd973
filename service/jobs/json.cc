#include "service/jobs/json.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/struct.pb.h"

#include "service/jobs/error.h"
#include "service/jobs/utf8.h"

namespace muster::jobs {
namespace {

constexpr int kDepthMax = 64;
// An object in an object is three messages deeper. Protobuf's own limit of 100 would end at 33 objects.
constexpr int kMessageDepthMax = 3 * kDepthMax + 8;

absl::Status TooDeep() { return InvalidInput(fmt::format("JSON nests deeper than {} levels", kDepthMax)); }

absl::StatusOr<nlohmann::json> FromValue(const google::protobuf::Value& value, int depth) {
  if (depth > kDepthMax) return TooDeep();
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
      // JSON has no infinity and no NaN; a Value that held one could not be printed by its receiver.
      if (const double number = json.get<double>(); std::isfinite(number)) {
        value.set_number_value(number);
      } else {
        value.set_null_value(google::protobuf::NULL_VALUE);
      }
      break;
    case nlohmann::json::value_t::string:
      value.set_string_value(MakeUtf8(json.get_ref<const std::string&>()));
      break;
    case nlohmann::json::value_t::array:
      value.mutable_list_value();
      for (const nlohmann::json& member : json) ToValue(member, *value.mutable_list_value()->add_values());
      break;
    case nlohmann::json::value_t::object:
      value.mutable_struct_value();
      for (const auto& [key, member] : json.items()) {
        ToValue(member, (*value.mutable_struct_value()->mutable_fields())[MakeUtf8(key)]);
      }
      break;
    default:
      value.set_null_value(google::protobuf::NULL_VALUE);
  }
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJson(const values::Payload& payload) {
  switch (payload.encoding()) {
    case values::Encoding::kNone:
      return nlohmann::json(nullptr);
    case values::Encoding::kJson: {
      google::protobuf::Value value;
      google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(payload.body().data()),
                                                    static_cast<int>(payload.body().size()));
      stream.SetRecursionLimit(kMessageDepthMax);
      if (!value.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
        return InvalidInput(fmt::format("the JSON payload cannot be read, or nests deeper than {} levels", kDepthMax));
      }
      return FromValue(value, 0);
    }
    case values::Encoding::kText:
    case values::Encoding::kBytes:
      break;
  }
  if (payload.content_type() != "application/json") {
    return InvalidInput(fmt::format("expected a JSON payload, got {} of content type \"{}\"",
                                    payload.encoding() == values::Encoding::kText ? "text" : "bytes",
                                    payload.content_type()));
  }
  int depth_seen = 0;
  const auto bounded = [&depth_seen](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    depth_seen = std::max(depth_seen, depth);
    return depth <= kDepthMax;
  };
  nlohmann::json parsed = nlohmann::json::parse(payload.body(), bounded, /*allow_exceptions=*/false);
  if (depth_seen > kDepthMax) return TooDeep();
  if (parsed.is_discarded()) return InvalidInput("the payload says application/json but is not JSON");
  return parsed;
}

values::Payload JsonPayload(const nlohmann::json& json) {
  google::protobuf::Value value;
  ToValue(json, value);
  values::Payload::Content content;
  content.encoding = values::Encoding::kJson;
  value.SerializeToString(&content.body);
  return values::Payload(std::move(content));
}

absl::StatusOr<std::string> ParseBytes(const values::Payload& payload) {
  if (payload.encoding() == values::Encoding::kJson) return InvalidInput("expected bytes or text, got a JSON payload");
  return payload.body();
}

}  // namespace muster::jobs
