// From the wire: what is submitted.
#include <cstring>
#include <memory>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

#include "service/base/status.h"
#include "service/wire/convert.h"
#include "service/wire/plain.h"

namespace muster::wire {
namespace {

using base::Duration;
using base::Reason;

constexpr size_t kNameMax = 255;
constexpr size_t kGroupMax = 255;
constexpr size_t kRequestIdMax = 128;
constexpr int kLabelsMax = 32;
constexpr size_t kLabelKeyMax = 63;
constexpr size_t kLabelValueMax = 255;
constexpr size_t kMetadataBytesMax = 8192;
constexpr Duration kGraceMax = std::chrono::hours(1);
constexpr Duration kAnyPast = Duration::min();

// Stable over processes and versions, since it is compared with what an earlier one has stored: eight bytes a step.
uint64_t HashBytes(const std::string& bytes) {
  uint64_t hash = 0x9E3779B97F4A7C15ull ^ bytes.size();
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * 0xC2B2AE3D27D4EB4Full;
    hash ^= hash >> 29;
  };
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    for (int byte = 7; byte >= 0; --byte) word = word << 8 | static_cast<unsigned char>(bytes[at + byte]);
    mix(word);
  }
  uint64_t rest = 0;
  for (; at < bytes.size(); ++at) rest = rest << 8 | static_cast<unsigned char>(bytes[at]);
  mix(rest);
  return hash;
}

// Maps in an order of their own would give equal specs two hashes.
std::string Deterministic(const google::protobuf::Message& message) {
  std::string bytes;
  bytes.reserve(message.ByteSizeLong());
  google::protobuf::io::StringOutputStream stream(&bytes);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

// Of all that a submit with the same request id must repeat. `given` is left with the options that hold for it, less
// the request id: a copy of it would cost more than all else here.
uint64_t HashOf(pb::FutureSpec& given, const pb::FutureOptions& options) {
  if (&options != &given.options()) *given.mutable_options() = options;
  given.mutable_options()->clear_request_id();
  return HashBytes(Deterministic(given));
}

absl::Status CheckLabels(const pb::FutureOptions& given, const Path& field) {
  if (given.labels_size() > kLabelsMax) {
    return RefuseField(Reason::kInvalidField, field,
                       fmt::format("{} labels; at most {} are allowed", given.labels_size(), kLabelsMax));
  }
  for (const auto& [key, value] : given.labels()) {
    if (key.empty()) return RefuseField(Reason::kInvalidField, field, "a label's key is empty");
    MUSTER_RETURN_IF_ERROR(CheckText(key, kLabelKeyMax, field));
    MUSTER_RETURN_IF_ERROR(CheckText(value, kLabelValueMax, field));
  }
  return absl::OkStatus();
}

absl::Status CheckMetadata(const pb::FutureOptions& given, const Path& field) {
  size_t bytes = 0;
  for (const auto& [key, value] : given.metadata()) bytes += key.size() + value.size();
  if (bytes <= kMetadataBytesMax) return absl::OkStatus();
  return RefuseField(Reason::kInvalidField, field,
                     fmt::format("{} bytes of keys and values; at most {} are allowed", bytes, kMetadataBytesMax));
}

absl::Status CheckDurability(const SubmitContext& context, int given, const Path& field) {
  if (given < pb::DURABILITY_UNSPECIFIED || given > pb::DURABILITY_SYNC) {
    return RefuseField(Reason::kInvalidField, field, fmt::format("{} is not known", given));
  }
  const pb::Durability offered = FromDurability(context.durability);
  if (given <= offered) return absl::OkStatus();
  return RefuseField(
      Reason::kDurabilityUnavailable, field,
      fmt::format("{} is asked for and this server offers {}; ask for less, or start it with a store",
                  pb::Durability_Name(static_cast<pb::Durability>(given)), pb::Durability_Name(offered)));
}

// Which of the options mean something for what is submitted.
struct Applies {
  bool run = false;         // delay, queue_timeout, run_timeout, execution, metadata: jobs only
  bool disconnect = false;  // cancel_on_disconnect
};

absl::Status CheckApplies(const pb::FutureOptions& given, Applies applies, const Path& field) {
  const auto refuse = [&field](const char* name, const char* why) {
    return RefuseField(Reason::kInvalidField, Path(field, name), why);
  };
  if (given.cancel_on_disconnect() && !applies.disconnect) {
    return refuse("cancel_on_disconnect", "is for Call and Run; other callers do not stay to be lost");
  }
  if (applies.run) return absl::OkStatus();
  constexpr char kJobsOnly[] = "is for jobs, and this is none; leave it out";
  if (given.has_delay()) return refuse("delay", kJobsOnly);
  if (given.has_queue_timeout()) return refuse("queue_timeout", kJobsOnly);
  if (given.has_run_timeout()) return refuse("run_timeout", kJobsOnly);
  if (given.execution() != pb::EXECUTION_UNSPECIFIED) return refuse("execution", kJobsOnly);
  return absl::OkStatus();
}

absl::Status ToTimes(const SubmitContext& context, const pb::FutureOptions& given, const Path& field,
                     values::Options& options) {
  const Duration zero = Duration::zero();
  const Duration longest = context.limits.delay_max;
  if (given.has_request_id_ttl()) {
    MUSTER_ASSIGN_OR_RETURN(
        options.request_id_ttl,
        ToDuration(given.request_id_ttl(), zero, context.limits.request_id_ttl_max, Path(field, "request_id_ttl")));
  }
  if (given.has_delay()) {
    MUSTER_ASSIGN_OR_RETURN(options.delay, ToDuration(given.delay(), zero, longest, Path(field, "delay")));
  }
  if (given.has_queue_timeout()) {
    MUSTER_ASSIGN_OR_RETURN(options.queue_timeout,
                            ToDuration(given.queue_timeout(), zero, longest, Path(field, "queue_timeout")));
  }
  if (given.has_run_timeout()) {
    MUSTER_ASSIGN_OR_RETURN(options.run_timeout,
                            ToDuration(given.run_timeout(), zero, longest, Path(field, "run_timeout")));
  }
  return absl::OkStatus();
}

bool AllDefault(const pb::FutureOptions& given) {
  return given.name().empty() && given.labels().empty() && given.group().empty() && given.request_id().empty() &&
         !given.has_request_id_ttl() && !given.has_delay() && !given.has_queue_timeout() && !given.has_run_timeout() &&
         given.execution() == pb::EXECUTION_UNSPECIFIED && given.metadata().empty();
}

// Everything of the options. `given` is left as it is: it may be the defaults of many.
absl::Status ToOptions(const SubmitContext& context, const pb::FutureOptions& given, Applies applies, const Path& field,
                       core::Submit& command) {
  MUSTER_RETURN_IF_ERROR(CheckApplies(given, applies, field));
  command.retention = context.default_retention;
  if (given.has_retention()) {
    MUSTER_ASSIGN_OR_RETURN(command.retention, ToDuration(given.retention(), Duration::zero(),
                                                          context.limits.retention_max, Path(field, "retention")));
  }
  MUSTER_RETURN_IF_ERROR(CheckDurability(context, given.min_durability(), Path(field, "min_durability")));
  if (given.execution() < pb::EXECUTION_UNSPECIFIED || given.execution() > pb::EXECUTION_AT_MOST_ONCE) {
    return RefuseField(Reason::kInvalidField, Path(field, "execution"),
                       fmt::format("{} is not known", static_cast<int>(given.execution())));
  }
  if (!context.request_id.empty() && !given.request_id().empty()) {
    return RefuseField(Reason::kInvalidField, Path(field, "request_id"),
                       "in a session the request id is made of session and tag; leave it out");
  }
  if (AllDefault(given) && context.request_id.empty()) return absl::OkStatus();
  auto options = std::make_unique<values::Options>();
  MUSTER_RETURN_IF_ERROR(CheckText(given.name(), kNameMax, Path(field, "name")));
  MUSTER_RETURN_IF_ERROR(CheckText(given.group(), kGroupMax, Path(field, "group")));
  MUSTER_RETURN_IF_ERROR(CheckText(given.request_id(), kRequestIdMax, Path(field, "request_id")));
  MUSTER_RETURN_IF_ERROR(CheckLabels(given, Path(field, "labels")));
  MUSTER_RETURN_IF_ERROR(CheckMetadata(given, Path(field, "metadata")));
  MUSTER_RETURN_IF_ERROR(ToTimes(context, given, field, *options));
  options->name = given.name();
  options->group = given.group();
  options->request_id = context.request_id.empty() ? given.request_id() : context.request_id;
  options->labels.insert(given.labels().begin(), given.labels().end());
  options->metadata.insert(given.metadata().begin(), given.metadata().end());
  options->at_most_once = given.execution() == pb::EXECUTION_AT_MOST_ONCE;
  command.options = std::move(options);
  return absl::OkStatus();
}

absl::StatusOr<values::FutureSpec> ToCall(const SubmitContext& context, pb::FunctionCall& given, const Path& field) {
  const dispatch::Function* function = context.functions.Find(given.function());
  if (function == nullptr) {
    const Path name_field(field, "function");
    if (given.function().empty()) {
      return RefuseField(Reason::kInvalidField, name_field, "is empty; ListFunctions tells what can be called");
    }
    MUSTER_RETURN_IF_ERROR(CheckText(given.function(), 128, name_field));
    const auto resembling = context.functions.Resembling(given.function());
    return RefuseField(
        Reason::kUnknownFunction, name_field,
        fmt::format("no function is called \"{}\"; {}", given.function(),
                    resembling.empty() ? "ListFunctions tells which there are"
                                       : fmt::format("did you mean {}?", fmt::join(resembling, " or "))));
  }
  values::JobSpec job;
  job.function = function->id;
  job.kind = function->kind;
  if (given.has_input()) {
    MUSTER_ASSIGN_OR_RETURN(job.input, ToPayload(*given.mutable_input(), context.limits, Path(field, "input")));
  }
  return job;
}

absl::StatusOr<values::FutureSpec> ToGather(const SubmitContext& context, const pb::GatherSpec& given,
                                            const Path& field) {
  if (given.ids_size() > static_cast<int64_t>(context.limits.set_max)) {
    return RefuseField(Reason::kSetTooLarge, Path(field, "ids"),
                       fmt::format("{} ids; at most {} go into one gather, so gather gathers", given.ids_size(),
                                   context.limits.set_max));
  }
  values::GatherSpec gather;
  gather.return_exceptions = given.return_exceptions();
  gather.members.reserve(static_cast<size_t>(given.ids_size()));
  for (int index = 0; index < given.ids_size(); ++index) {
    MUSTER_ASSIGN_OR_RETURN(const values::FutureId id, ToId(given.ids(index), Path(field, "ids", index)));
    gather.members.push_back(id);
  }
  return gather;
}

absl::StatusOr<values::FutureSpec> ToWaitFor(const SubmitContext& context, const pb::WaitForSpec& given,
                                             const Path& field) {
  values::WaitForSpec wait_for;
  MUSTER_ASSIGN_OR_RETURN(wait_for.inner, ToId(given.id(), Path(field, "id")));
  if (given.has_timeout()) {
    MUSTER_ASSIGN_OR_RETURN(wait_for.timeout,
                            ToDuration(given.timeout(), kAnyPast, context.limits.delay_max, Path(field, "timeout")));
  }
  if (given.has_grace()) {
    MUSTER_ASSIGN_OR_RETURN(wait_for.grace,
                            ToDuration(given.grace(), Duration::zero(), kGraceMax, Path(field, "grace")));
  }
  return wait_for;
}

absl::StatusOr<values::FutureSpec> ToSpec(const SubmitContext& context, pb::FutureSpec& given, const Path& field) {
  switch (given.kind_case()) {
    case pb::FutureSpec::kCall:
      return ToCall(context, *given.mutable_call(), Path(field, "call"));
    case pb::FutureSpec::kGather:
      return ToGather(context, given.gather(), Path(field, "gather"));
    case pb::FutureSpec::kShield: {
      const Path shield_field(field, "shield");
      values::ShieldSpec shield;
      MUSTER_ASSIGN_OR_RETURN(shield.inner, ToId(given.shield().id(), Path(shield_field, "id")));
      return shield;
    }
    case pb::FutureSpec::kWaitFor:
      return ToWaitFor(context, given.wait_for(), Path(field, "wait_for"));
    case pb::FutureSpec::KIND_NOT_SET:
      break;
  }
  return RefuseField(Reason::kInvalidField, field,
                     "says nothing to submit; set one of call, gather, shield and wait_for");
}

}  // namespace

absl::StatusOr<Submission> ToSubmit(const SubmitContext& context, pb::FutureSpec& given,
                                    const pb::FutureOptions* defaults, const Path& field) {
  const pb::FutureOptions& options = given.has_options() || defaults == nullptr ? given.options() : *defaults;
  Submission submission;
  core::Submit& command = submission.command;
  command.ns = context.ns.id;
  command.ns_tag = context.ns.tag;
  Applies applies;
  applies.run = given.has_call();
  applies.disconnect = context.attached;
  MUSTER_RETURN_IF_ERROR(ToOptions(context, options, applies, Path(field, "options"), command));
  submission.cancel_on_disconnect = options.cancel_on_disconnect();
  const bool repeatable = command.options != nullptr && !command.options->request_id.empty();
  if (repeatable) command.spec_hash = HashOf(given, options);
  // What is no job may have an outcome that only Gather can bring: it stays for its retention.
  command.drop_when_delivered = context.attached && !repeatable && given.has_call();
  MUSTER_ASSIGN_OR_RETURN(command.spec, ToSpec(context, given, field));
  return submission;
}

bool AddNothing(const pb::FutureOptions& defaults, const std::string& session) {
  // In a session what was asked for is hashed, and everything in the defaults is a part of it.
  return AllDefault(defaults) && !defaults.has_retention() && defaults.min_durability() == pb::DURABILITY_UNSPECIFIED &&
         (session.empty() || !defaults.cancel_on_disconnect());
}

core::Submit PlainCall(const SubmitContext& context, const dispatch::Function& function, values::Payload input) {
  core::Submit command;
  command.ns = context.ns.id;
  command.ns_tag = context.ns.tag;
  command.retention = context.default_retention;
  command.drop_when_delivered = context.attached;
  values::JobSpec& job = command.spec.emplace<values::JobSpec>();
  job.function = function.id;
  job.kind = function.kind;
  job.input = std::move(input);
  if (context.request_id.empty()) return command;
  command.options = std::make_unique<values::Options>();
  command.options->request_id = context.request_id;
  command.spec_hash = HashBytes(PlainSpecBytes(function.name, job.input));  // as HashOf has it
  command.drop_when_delivered = false;
  return command;
}

absl::StatusOr<core::Submit> ToPromise(const SubmitContext& context, pb::FutureOptions& given, const Path& field) {
  core::Submit command;
  command.ns = context.ns.id;
  command.ns_tag = context.ns.tag;
  command.spec = values::PromiseSpec();
  MUSTER_RETURN_IF_ERROR(ToOptions(context, given, Applies(), field, command));
  if (command.options != nullptr && !command.options->request_id.empty()) {
    pb::FutureSpec promise;
    command.spec_hash = HashOf(promise, given);
  }
  return command;
}

}  // namespace muster::wire
