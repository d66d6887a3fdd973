#include "service/api/rpc.h"

#include "fmt/format.h"

#include "service/base/reason.h"

namespace muster::api {

absl::StatusOr<runtime::Namespace> Rpc::OpenNamespace(const std::string& name) {
  name_space = name.empty() ? "default" : name;
  return service.OpenNamespace(name_space);
}

absl::Status StreamPlace::status() const {
  if (taken_) return absl::OkStatus();
  return base::Refuse(base::Reason::kTooManyStreams,
                      fmt::format("{} streams are open already, which is the limit; close some and try again", max_));
}

}  // namespace muster::api
