#include "muster/options.h"

#include <array>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "client/cpp/detail/durations.h"

namespace muster::client {
namespace {

using detail::SetDuration;

FutureSpec WithOptions(const JobOptions& options) {
  FutureSpec spec;
  v1::FutureOptions message = ToMessage(options);
  // Absent rather than empty, so that the defaults of a batch or a stream apply.
  if (message.ByteSizeLong() > 0) *spec.mutable_options() = std::move(message);
  return spec;
}

}  // namespace

v1::FutureOptions ToMessage(const JobOptions& options) {
  v1::FutureOptions message;
#define MUSTER_SET_Text(name) message.set_##name(options.name);
#define MUSTER_SET_Words(name) message.mutable_##name()->insert(options.name.begin(), options.name.end());
#define MUSTER_SET_Span(name) \
  if (options.name) SetDuration(*options.name, *message.mutable_##name());
#define MUSTER_SET_MaybeSpan(name) MUSTER_SET_Span(name)
#define MUSTER_SET_Execution(name) message.set_##name(options.name);
#define MUSTER_SET_Durability(name) message.set_##name(options.name);
#define MUSTER_SET_Flag(name) message.set_##name(options.name);
#define MUSTER_SET_OPTION(name, kind, ...) MUSTER_SET_##kind(name)
  MUSTER_JOB_OPTIONS(MUSTER_SET_OPTION, MUSTER_SET_OPTION)
#undef MUSTER_SET_OPTION
#undef MUSTER_SET_Text
#undef MUSTER_SET_Words
#undef MUSTER_SET_Span
#undef MUSTER_SET_MaybeSpan
#undef MUSTER_SET_Execution
#undef MUSTER_SET_Durability
#undef MUSTER_SET_Flag
  return message;
}

std::string NewRequestId() {
  std::random_device random;
  std::array<std::uint32_t, 4> bits{};
  for (auto& word : bits) word = random();
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", bits[0], bits[1], bits[2], bits[3]);
}

FutureSpec CallOf(std::string function, Payload input, const JobOptions& options) {
  FutureSpec spec = WithOptions(options);
  spec.mutable_call()->set_function(std::move(function));
  *spec.mutable_call()->mutable_input() = std::move(input);
  return spec;
}

FutureSpec GatherOf(std::vector<std::string> ids, bool return_exceptions, const JobOptions& options) {
  FutureSpec spec = WithOptions(options);
  auto* gather = spec.mutable_gather();
  for (std::string& id : ids) gather->add_ids(std::move(id));
  gather->set_return_exceptions(return_exceptions);
  return spec;
}

FutureSpec ShieldOf(std::string id, const JobOptions& options) {
  FutureSpec spec = WithOptions(options);
  spec.mutable_shield()->set_id(std::move(id));
  return spec;
}

FutureSpec WaitForOf(std::string id, std::optional<Duration> timeout, std::optional<Duration> grace,
                     const JobOptions& options) {
  FutureSpec spec = WithOptions(options);
  auto* wait_for = spec.mutable_wait_for();
  wait_for->set_id(std::move(id));
  if (timeout) SetDuration(*timeout, *wait_for->mutable_timeout());
  if (grace) SetDuration(*grace, *wait_for->mutable_grace());
  return spec;
}

}  // namespace muster::client
