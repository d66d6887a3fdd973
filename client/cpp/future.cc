#include "muster/future.h"

#include <fmt/format.h>

#include "client/cpp/detail/blocking.h"
#include "client/cpp/detail/connection.h"
#include "client/cpp/detail/core.h"
#include "muster/async_client.h"
#include "service/base/status.h"

namespace muster::client {

const std::string& Future::server() const { return core_->connection->address(); }
const std::string& Future::name_space() const { return core_->name_space; }

bool Future::operator==(const Future& other) const {
  if (core_ == nullptr || other.core_ == nullptr) return core_ == other.core_ && id_ == other.id_;
  return id_ == other.id_ && server() == other.server() && name_space() == other.name_space();
}

absl::StatusOr<Outcome> Future::Await(std::optional<Duration> timeout) const {
  const AsyncClient client(core_);
  return detail::Block(*core_, [&](coro::CancelToken& token) { return client.Await(id_, timeout, token); });
}

absl::StatusOr<Payload> Future::Result(std::optional<Duration> timeout) const {
  MUSTER_ASSIGN_OR_RETURN(Outcome outcome, Await(timeout));
  return ValueOf(outcome);
}

absl::StatusOr<FutureInfo> Future::Get(v1::OutcomeView view) const {
  const AsyncClient client(core_);
  return detail::Block(*core_, [&](coro::CancelToken& token) { return client.Get(id_, view, token); });
}

absl::StatusOr<v1::CancelEffect> Future::Cancel(const std::string& message) const {
  const AsyncClient client(core_);
  MUSTER_ASSIGN_OR_RETURN(const v1::CancelResponse response, detail::Block(*core_, [&](coro::CancelToken& token) {
                            return client.Cancel(FutureSet(*this), message, token);
                          }));
  if (response.items_size() != 1) return absl::InternalError("the server's answer to Cancel names no future");
  return response.items(0).effect();
}

FutureSet::FutureSet(const std::vector<Future>& futures) : futures_(futures) {}

FutureSet FutureSet::Group(std::string group) {
  FutureSet set{std::vector<std::string>()};
  set.group_ = std::move(group);
  return set;
}

absl::StatusOr<v1::FutureSet> FutureSet::Resolve(const detail::Core& core) const {
  v1::FutureSet set;
  set.set_group(group_);
  for (const std::string& id : ids_) set.add_ids(id);
  for (const Future& future : futures_) {
    if (future.core_ == nullptr) return absl::InvalidArgumentError("a handle that is no future's is in the set");
    if (future.server() != core.connection->address() || future.name_space() != core.name_space) {
      return absl::InvalidArgumentError(
          fmt::format("future {} lives in namespace '{}' of {}, the call is for namespace '{}' of {}: one call takes "
                      "futures of one server and namespace",
                      future.id(), future.name_space(), future.server(), core.name_space, core.connection->address()));
    }
    set.add_ids(future.id());
  }
  return set;
}

}  // namespace muster::client
