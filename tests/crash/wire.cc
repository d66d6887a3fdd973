#include "tests/crash/wire.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "service/base/check.h"

namespace muster::crash {
namespace {

constexpr int64_t kRetentionSeconds = 24 * 3600;  // nothing expires during a run
constexpr char kLabel[] = "crash";

std::string Deterministic(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // metadata is a map
  MUSTER_CHECK(message.SerializeToCodedStream(&coded)) << "a message that cannot be serialized";
  coded.Trim();
  return bytes;
}

std::string PayloadText(const pb::Payload& payload) {
  pb::Payload rest = payload;
  if (payload.body_case() != pb::Payload::kText) return "bytes:" + Deterministic(payload);
  rest.clear_text();
  const std::string others = Deterministic(rest);
  return "text:" + payload.text() + (others.empty() ? "" : " and " + others);
}

std::string ErrorText(const pb::Error& error) {
  const std::string kind = pb::ErrorKind_Name(error.kind()).substr(std::string_view("ERROR_KIND_").size());
  std::string text = fmt::format("{} {} \"{}\"", kind, error.type(), error.message());
  if (error.has_details()) text += " details " + PayloadText(error.details());
  if (error.has_cause()) text += " because " + ErrorText(error.cause());
  return text;
}

std::string NameAndLabel(const pb::Future& future) {
  const auto label = future.labels().find(kLabel);
  if (label != future.labels().end() && NameOf(label->second) == future.name()) return future.name();
  return fmt::format("{}, label {}", future.name(), label == future.labels().end() ? "none" : label->second);
}

}  // namespace

pb::FutureOptions OptionsOf(const std::string& key, const Spec& spec) {
  pb::FutureOptions options;
  options.set_name(NameOf(key));
  (*options.mutable_labels())[kLabel] = key;
  options.set_request_id(key);
  // Nobody repeats the submit of what was deleted; so the memory of its request id may go quickly.
  options.mutable_request_id_ttl()->set_seconds(1);
  options.mutable_retention()->set_seconds(kRetentionSeconds);
  if (spec.delay_ms != 0) {
    options.mutable_delay()->set_seconds(spec.delay_ms / 1000);
    options.mutable_delay()->set_nanos(static_cast<int32_t>(spec.delay_ms % 1000) * 1'000'000);
  }
  if (spec.at_most_once) options.set_execution(pb::EXECUTION_AT_MOST_ONCE);
  return options;
}

pb::FutureSpec MessageOf(const std::string& key, const Spec& spec, const std::vector<std::string>& member_ids) {
  pb::FutureSpec message;
  *message.mutable_options() = OptionsOf(key, spec);
  pb::FunctionCall& call = *message.mutable_call();
  switch (spec.body) {
    case Spec::Body::kEcho:
      call.set_function("echo");
      call.mutable_input()->set_text(spec.value);
      break;
    case Spec::Body::kSleep:
      call.set_function("sleep");
      call.mutable_input()->set_text(spec.value);
      break;
    case Spec::Body::kFail: {
      call.set_function("fail");
      auto& fields = *call.mutable_input()->mutable_json()->mutable_struct_value()->mutable_fields();
      fields["type"].set_string_value("Planned");
      fields["message"].set_string_value(spec.value);
      break;
    }
    case Spec::Body::kFile: {
      call.set_function("file.write");
      auto& fields = *call.mutable_input()->mutable_json()->mutable_struct_value()->mutable_fields();
      fields["path"].set_string_value(key);
      fields["data"].set_string_value(spec.value);
      break;
    }
    case Spec::Body::kChecksum: {
      call.set_function("checksum");
      auto& fields = *call.mutable_input()->mutable_json()->mutable_struct_value()->mutable_fields();
      fields["data"].set_string_value(std::string(std::stoul(spec.value) << 10, 'x'));
      break;
    }
    case Spec::Body::kGather:
      message.mutable_gather()->set_return_exceptions(spec.return_exceptions);
      for (const std::string& id : member_ids) message.mutable_gather()->add_ids(id);
      break;
    case Spec::Body::kPromise:
      MUSTER_CHECK(false) << "a promise is made by CreatePromise";
  }
  return message;
}

std::string OutcomeText(const pb::Outcome& outcome) {
  switch (outcome.kind_case()) {
    case pb::Outcome::kValue:
      return "value " + PayloadText(outcome.value());
    case pb::Outcome::kError:
      return "error " + ErrorText(outcome.error());
    case pb::Outcome::kCancelled:
      return "cancelled " + outcome.cancelled().message();
    case pb::Outcome::kGathered: {
      std::string text = "gathered";
      for (const pb::Outcome& member : outcome.gathered().outcomes()) text += " [" + OutcomeText(member) + "]";
      return text;
    }
    case pb::Outcome::KIND_NOT_SET:
      break;
  }
  return "nothing";
}

Record SeenIn(const pb::Future& future) {
  Record record{.kind = Record::Kind::kSeen, .a = NameAndLabel(future)};
  record.state = static_cast<State>(future.state());
  record.attempt = future.attempt();
  if (future.has_outcome()) record.b = OutcomeText(future.outcome());
  return record;
}

Record SeenIn(const pb::Completion& completion) {
  Record record{.kind = Record::Kind::kSeen};
  record.state = static_cast<State>(completion.state());
  record.attempt = completion.attempt();
  if (completion.has_outcome()) record.b = OutcomeText(completion.outcome());
  return record;
}

std::string ReasonOf(const grpc::Status& status) {
  pb::RpcStatus details;
  if (!details.ParseFromString(status.error_details())) return "";
  for (const auto& detail : details.details()) {
    pb::ErrorInfo info;
    if (detail.type_url() == "type.googleapis.com/google.rpc.ErrorInfo" && info.ParseFromString(detail.value())) {
      return info.reason();
    }
  }
  return "";
}

std::string StatusText(const grpc::Status& status) {
  return fmt::format("code {} {}: {}", static_cast<int>(status.error_code()), ReasonOf(status), status.error_message());
}

bool IsLost(const grpc::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == "DRAINING" || reason == "RECOVERING") return true;  // on its way down, or up
  if (!reason.empty()) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNKNOWN:   // a stream that was cut
    case grpc::StatusCode::INTERNAL:  // the transport's; the server's own has a reason
      return true;
    default:
      return false;
  }
}

}  // namespace muster::crash
