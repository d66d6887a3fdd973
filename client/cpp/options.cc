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
  message.set_name(options.name);
  message.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  message.set_group(options.group);
  message.set_request_id(options.request_id);
  if (options.request_id_ttl) SetDuration(*options.request_id_ttl, *message.mutable_request_id_ttl());
  if (options.delay) SetDuration(*options.delay, *message.mutable_delay());
  if (options.queue_timeout) SetDuration(*options.queue_timeout, *message.mutable_queue_timeout());
  if (options.run_timeout) SetDuration(*options.run_timeout, *message.mutable_run_timeout());
  if (options.retention) SetDuration(*options.retention, *message.mutable_retention());
  message.set_min_durability(options.min_durability);
  message.set_execution(options.execution);
  message.mutable_metadata()->insert(options.metadata.begin(), options.metadata.end());
  message.set_cancel_on_disconnect(options.cancel_on_disconnect);
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
