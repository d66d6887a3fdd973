// JSON of everything that is shown. docs/reference/cli.md documents these shapes: fields may be added, none renamed.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"

#include "client/cli/render.h"
#include "service/values/limits.h"

namespace muster::cli {
namespace {

using google::protobuf::Value;

// FUTURE_STATE_SUCCEEDED without FUTURE_STATE_, in lower case.
std::string Lower(const std::string& name, std::string_view prefix) {
  std::string lower = name.substr(name.rfind(prefix, 0) == 0 ? prefix.size() : 0);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

Json NumberJson(double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53: up to here a double holds every integer
  if (std::trunc(number) == number && std::abs(number) < kExact) return static_cast<std::int64_t>(number);
  return number;
}

Json ValueJson(const Value& value) {
  switch (value.kind_case()) {
    case Value::kBoolValue:
      return value.bool_value();
    case Value::kNumberValue:
      return NumberJson(value.number_value());
    case Value::kStringValue:
      return value.string_value();
    case Value::kListValue: {
      Json list = Json::array();
      for (const Value& one : value.list_value().values()) list.push_back(ValueJson(one));
      return list;
    }
    case Value::kStructValue: {
      // A protobuf map has no order: by name, so that output is stable.
      std::vector<std::string> names;
      for (const auto& [name, one] : value.struct_value().fields()) names.push_back(name);
      std::sort(names.begin(), names.end());
      Json object = Json::object();
      for (const std::string& name : names) object[name] = ValueJson(value.struct_value().fields().at(name));
      return object;
    }
    default:
      return nullptr;
  }
}

void FillValue(const Json& json, Value& value) {
  switch (json.type()) {
    case Json::value_t::boolean:
      value.set_bool_value(json.get<bool>());
      break;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      value.set_number_value(json.get<double>());
      break;
    case Json::value_t::string:
      value.set_string_value(json.get<std::string>());
      break;
    case Json::value_t::array:
      value.mutable_list_value();
      for (const Json& one : json) FillValue(one, *value.mutable_list_value()->add_values());
      break;
    case Json::value_t::object:
      value.mutable_struct_value();
      for (const auto& [name, one] : json.items())
        FillValue(one, (*value.mutable_struct_value()->mutable_fields())[name]);
      break;
    default:
      value.set_null_value(google::protobuf::NULL_VALUE);
  }
}

template <typename Map>
Json MapJson(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  std::sort(names.begin(), names.end());
  Json object = Json::object();
  for (const std::string& name : names) object[name] = map.at(name);
  return object;
}

std::string TimeJson(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::ToString(time);
}

void AddText(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

// The pairs beside the body, where there are any.
void AddPayload(Json& json, const char* name, const client::Payload& payload) {
  json[name] = ToJson(payload);
  if (payload.body_case() != client::Payload::kData) AddText(json, "content_type", payload.content_type());
  if (payload.metadata_size() > 0) json["metadata"] = MapJson(payload.metadata());
}

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

}  // namespace

std::string NameOf(v1::FutureState state) { return Lower(v1::FutureState_Name(state), "FUTURE_STATE_"); }
std::string NameOf(v1::ErrorKind kind) { return Lower(v1::ErrorKind_Name(kind), "ERROR_KIND_"); }
std::string NameOf(v1::CancelEffect effect) { return Lower(v1::CancelEffect_Name(effect), "CANCEL_EFFECT_"); }
std::string NameOf(v1::Durability durability) { return Lower(v1::Durability_Name(durability), "DURABILITY_"); }
std::string NameOf(v1::FunctionKind kind) { return Lower(v1::FunctionKind_Name(kind), "FUNCTION_KIND_"); }

absl::StatusOr<Json> ParseJson(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ..." without its catalogue number.
    std::string_view what = error.what();
    const std::size_t end = what.find("] ");
    if (end != std::string_view::npos) what.remove_prefix(end + 2);
    return absl::InvalidArgumentError(std::string(what));
  }
}

client::Payload ToPayload(const Json& json) {
  client::Payload payload;
  FillValue(json, *payload.mutable_json());
  return payload;
}

Json ToJson(const client::Payload& payload) {
  switch (payload.body_case()) {
    case client::Payload::kJson:
      return ValueJson(payload.json());
    case client::Payload::kText:
      return payload.text();
    case client::Payload::kData: {
      Json json;
      json["base64"] = absl::Base64Escape(payload.data());
      json["content_type"] = payload.content_type();
      return json;
    }
    default:
      return nullptr;
  }
}

Json ToJson(const client::Error& error) {
  Json json;
  json["kind"] = NameOf(error.kind());
  AddText(json, "type", error.type());
  json["message"] = error.message();
  if (error.has_details()) json["details"] = ToJson(error.details());
  AddText(json, "origin_id", error.origin_id());
  if (error.has_cause()) json["cause"] = ToJson(error.cause());
  return json;
}

Json ToJson(const client::Outcome& outcome) {
  Json json = Json::object();
  switch (outcome.kind_case()) {
    case client::Outcome::kValue:
      AddPayload(json, "value", outcome.value());
      break;
    case client::Outcome::kError:
      json["error"] = ToJson(outcome.error());
      break;
    case client::Outcome::kCancelled:
      json["cancelled"] = Json{{"message", outcome.cancelled().message()}};
      break;
    case client::Outcome::kGathered:
      json["results"] = Json::array();
      for (const auto& one : outcome.gathered().outcomes()) json["results"].push_back(ToJson(one));
      break;
    default:
      break;
  }
  return json;
}

Json ToJson(const client::Completion& completion) {
  Json json;
  json["id"] = completion.id();
  json["state"] = NameOf(completion.state());
  json["attempt"] = completion.attempt();
  if (completion.has_outcome()) json["outcome"] = ToJson(completion.outcome());
  if (completion.outcome_omitted()) json["outcome_omitted"] = true;
  return json;
}

Json ToJson(const client::FutureInfo& future) {
  Json json;
  json["id"] = future.id();
  json["namespace"] = future.namespace_();
  json["state"] = NameOf(future.state());
  AddText(json, "function", future.function());
  json["name"] = future.name();
  AddText(json, "group", future.group());
  if (future.labels_size() > 0) json["labels"] = MapJson(future.labels());
  if (future.cancelling() > 0) json["cancelling"] = future.cancelling();
  json["attempt"] = future.attempt();
  json["durability"] = NameOf(future.durability());
  if (future.has_create_time()) json["create_time"] = TimeJson(future.create_time());
  if (future.has_start_time()) json["start_time"] = TimeJson(future.start_time());
  if (future.has_end_time()) json["end_time"] = TimeJson(future.end_time());
  if (future.has_expire_time()) json["expire_time"] = TimeJson(future.expire_time());
  if (future.has_progress()) {
    json["progress"] = Json{{"fraction", future.progress().fraction()}, {"message", future.progress().message()}};
  }
  if (future.member_ids_size() > 0) {
    json["member_ids"] = std::vector<std::string>(future.member_ids().begin(), future.member_ids().end());
  }
  if (future.has_outcome()) json["outcome"] = ToJson(future.outcome());
  if (future.outcome_omitted()) json["outcome_omitted"] = true;
  return json;
}

Json ToJson(const client::GatherResult& result) {
  Json json;
  if (result.error) {
    json["error"] = ToJson(*result.error);
    json["error_index"] = result.error_index;
    return json;
  }
  json["results"] = Json::array();
  for (const client::Outcome& outcome : result.outcomes) json["results"].push_back(ToJson(outcome));
  return json;
}

Json ToJson(const client::WaitResult& result) {
  Json json;
  json["end"] = result.timed_out ? "timed_out" : "satisfied";
  json["done"] = Json::array();
  for (const auto& completion : result.done) json["done"].push_back(ToJson(completion));
  json["pending"] = result.pending_ids;
  json["pending_count"] = result.pending_count;
  return json;
}

Json ToJson(const v1::Function& function) {
  Json json;
  json["name"] = function.name();
  json["kind"] = NameOf(function.kind());
  json["description"] = function.description();
  if (function.has_input_example()) json["input_example"] = ToJson(function.input_example());
  return json;
}

namespace {

void AddLimit(const std::string& name, std::uint64_t limit, Json& shown) { shown[name] = limit; }
void AddLimit(const std::string& name, const google::protobuf::Duration& limit, Json& shown) {
  shown[name + "_seconds"] = Seconds(limit);
}

}  // namespace

Json ToJson(const v1::GetServerInfoResponse& info) {
  Json json;
  json["version"] = info.version();
  json["instance_id"] = info.instance_id();
  json["durability"] = NameOf(info.durability());
  json["features"] = std::vector<std::string>(info.features().begin(), info.features().end());
  json["time"] = TimeJson(info.time());
  json["manual_clock"] = info.manual_clock();
  const v1::Limits& limits = info.limits();
  Json& shown = json["limits"] = Json::object();
#define MUSTER_SHOW_LIMIT(name, ...) AddLimit(#name, limits.name(), shown);
  MUSTER_LIMITS(MUSTER_SHOW_LIMIT)
#undef MUSTER_SHOW_LIMIT
  return json;
}

Json ToJson(const absl::Status& status) {
  Json json;
  json["code"] = absl::StatusCodeToString(status.code());
  AddText(json, "reason", client::ReasonName(status));
  json["message"] = std::string(status.message());
  return json;
}

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string DumpPretty(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

}  // namespace muster::cli
