// From the wire: what is submitted.
#include <cstring>
#include <memory>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

#include "service/base/status.h"
#include "service/values/options.h"
#include "service/wire/convert.h"
#include "service/wire/plain.h"

namespace muster::wire {
namespace {

using base::Duration;
using base::Reason;

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

// --- Options: what is done for each of their table ------------------------------------------------------------------

// Whether an option of a kind was given. An empty text or map is as good as none.
#define MUSTER_GIVEN_Text(name) !given.name().empty()
#define MUSTER_GIVEN_Words(name) !given.name().empty()
#define MUSTER_GIVEN_Span(name) given.has_##name()
#define MUSTER_GIVEN_MaybeSpan(name) given.has_##name()
#define MUSTER_GIVEN_Execution(name) given.name() != pb::EXECUTION_UNSPECIFIED
#define MUSTER_GIVEN_Durability(name) given.name() != pb::DURABILITY_UNSPECIFIED
#define MUSTER_GIVEN_Flag(name) given.name()

// What is submitted, as far as options ask.
struct Applies {
  bool job = false;
  bool attached = false;  // somebody stays to hear the end
};

absl::Status CheckApplies(values::OptionFor whom, Applies applies, const Path& field) {
  if (whom == values::OptionFor::kAttached && !applies.attached) {
    return RefuseField(Reason::kInvalidField, field, "is for Call and Run; other callers do not stay to be lost");
  }
  if (whom == values::OptionFor::kJobs && !applies.job) {
    return RefuseField(Reason::kInvalidField, field, "is for jobs, and this is none; leave it out");
  }
  return absl::OkStatus();
}

absl::Status CheckApplies(const pb::FutureOptions& given, Applies applies, const Path& field) {
#define MUSTER_CHECK_KEPT(name, kind, whom, ...)                                                \
  if (MUSTER_GIVEN_##kind(name)) {                                                              \
    MUSTER_RETURN_IF_ERROR(CheckApplies(values::OptionFor::whom, applies, Path(field, #name))); \
  }
#define MUSTER_CHECK_SAID(name, kind, whom, ...) MUSTER_CHECK_KEPT(name, kind, whom)
  MUSTER_JOB_OPTIONS(MUSTER_CHECK_KEPT, MUSTER_CHECK_SAID)
#undef MUSTER_CHECK_SAID
#undef MUSTER_CHECK_KEPT
  return absl::OkStatus();
}

// Whether nothing is said that is kept with the future.
bool AllDefault(const pb::FutureOptions& given) {
#define MUSTER_IS_GIVEN(name, kind, ...) || MUSTER_GIVEN_##kind(name)
  return !(false MUSTER_JOB_OPTIONS(MUSTER_IS_GIVEN, MUSTER_NO_OPTION));
#undef MUSTER_IS_GIVEN
}

// An option of each kind that was given, in the form of values, which are checked once all are there.
absl::Status Take(const std::string& given, const Path&, values::Text& option) {
  option = given;
  return absl::OkStatus();
}
absl::Status Take(const google::protobuf::Map<std::string, std::string>& given, const Path&, values::Words& option) {
  option = values::Words(given.begin(), given.end());
  return absl::OkStatus();
}
template <typename Span>
absl::Status Take(const google::protobuf::Duration& given, const Path& field, Span& option) {
  MUSTER_ASSIGN_OR_RETURN(option, ToDuration(given, Duration::min(), Duration::max(), field));
  return absl::OkStatus();
}
absl::Status Take(pb::Execution given, const Path& field, values::Execution& option) {
  if (given < pb::EXECUTION_UNSPECIFIED || given > pb::EXECUTION_AT_MOST_ONCE) {
    return RefuseField(Reason::kInvalidField, field, fmt::format("{} is not known", static_cast<int>(given)));
  }
  option = given == pb::EXECUTION_AT_MOST_ONCE ? values::Execution::kAtMostOnce : values::Execution::kAtLeastOnce;
  return absl::OkStatus();
}

absl::Status TakeKept(const pb::FutureOptions& given, const Path& field, values::Options& options) {
#define MUSTER_TAKE_OPTION(name, kind, ...)                                       \
  if (MUSTER_GIVEN_##kind(name)) {                                                \
    MUSTER_RETURN_IF_ERROR(Take(given.name(), Path(field, #name), options.name)); \
  }
  MUSTER_JOB_OPTIONS(MUSTER_TAKE_OPTION, MUSTER_NO_OPTION)
#undef MUSTER_TAKE_OPTION
  return absl::OkStatus();
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
  if (!context.request_id.empty() && !given.request_id().empty()) {
    return RefuseField(Reason::kInvalidField, Path(field, "request_id"),
                       "in a session the request id is made of session and tag; leave it out");
  }
  if (AllDefault(given) && context.request_id.empty()) return absl::OkStatus();
  auto options = values::MakeOptions();
  MUSTER_RETURN_IF_ERROR(TakeKept(given, field, *options));
  if (!context.request_id.empty()) options->request_id = context.request_id;
  MUSTER_RETURN_IF_ERROR(values::CheckOptions(*options, context.limits, field));
  command.options = std::move(options);
  return absl::OkStatus();
}

// --- Specs ----------------------------------------------------------------------------------------------------------

absl::StatusOr<values::FutureSpec> ToCall(const SubmitContext& context, pb::FunctionCall& given, const Path& field) {
  const dispatch::Function* function = context.functions.Find(given.function());
  if (function == nullptr) {
    const Path name_field(field, "function");
    if (given.function().empty()) {
      return RefuseField(Reason::kInvalidField, name_field, "is empty; ListFunctions tells what can be called");
    }
    MUSTER_RETURN_IF_ERROR(CheckText(given.function(), values::kFunctionNameMax, name_field));
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
                            ToDuration(given.grace(), Duration::zero(), values::kGraceMax, Path(field, "grace")));
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
  applies.job = given.has_call();
  applies.attached = context.attached;
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
  command.options = values::MakeOptions();
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
