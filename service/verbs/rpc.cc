#include "service/verbs/rpc.h"

#include "fmt/format.h"

#include "service/base/reason.h"

namespace muster::verbs {

absl::StatusOr<values::Namespace> Rpc::OpenNamespace(const std::string& name) {
  name_space = name.empty() ? "default" : name;
  if (name_space == loop.known_name) return loop.known_namespace;
  absl::StatusOr<values::Namespace> opened = service.OpenNamespace(name_space);
  if (opened.ok()) {
    loop.known_name = name_space;
    loop.known_namespace = *opened;
  }
  return opened;
}

StreamPlace::StreamPlace(Rpc& rpc)
    : rpc_(rpc), taken_(rpc.shared.streams.fetch_add(1, std::memory_order_relaxed) < rpc.limits().streams_max) {}

StreamPlace::~StreamPlace() { rpc_.shared.streams.fetch_sub(1, std::memory_order_relaxed); }

absl::Status StreamPlace::status() const {
  if (taken_) return absl::OkStatus();
  if (rpc_.shared.metrics != nullptr) rpc_.shared.metrics->LimitHit(base::Reason::kTooManyStreams);
  return base::Refuse(base::Reason::kTooManyStreams,
                      fmt::format("{} streams are open already, which is the limit; close some and try again",
                                  rpc_.limits().streams_max));
}

}  // namespace muster::verbs
