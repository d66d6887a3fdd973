// Future: a handle to a remote future, and FutureSet: which futures a call is about.
//
// A handle is an id with the server and namespace it lives in. It owns nothing: copies are equal, dropping it changes
// nothing on the server, and Client::Handle(id) makes it anew, in another process too. A call whose set mixes handles
// of two servers or namespaces is refused here, before anything is sent (semantics 52).
//
// Threading: values. Lifetime: a handle keeps its connection open.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/options.h"
#include "muster/values.h"

namespace muster::client {

namespace detail {
struct Core;
}

class Future {
 public:
  Future() = default;
  Future(std::shared_ptr<detail::Core> core, std::string id) : core_(std::move(core)), id_(std::move(id)) {}

  const std::string& id() const { return id_; }
  const std::string& server() const;
  const std::string& name_space() const;

  // Blocks until it is done and brings its outcome, however large. DeadlineExceeded when `timeout` runs out: that ends
  // the wait and nothing else (semantics 27, 92, 98).
  absl::StatusOr<Outcome> Await(std::optional<Duration> timeout = {}) const;
  // Await and ValueOf in one: the job's error becomes a status, from which ErrorOf gets it back.
  absl::StatusOr<Payload> Result(std::optional<Duration> timeout = {}) const;
  // As it stands.
  absl::StatusOr<FutureInfo> Get(v1::OutcomeView view = v1::OUTCOME_VIEW_FULL) const;
  absl::StatusOr<v1::CancelEffect> Cancel(const std::string& message = {}) const;

  bool operator==(const Future& other) const;

 private:
  friend class FutureSet;
  std::shared_ptr<detail::Core> core_;  // null only for Future()
  std::string id_;
};

// Ids or handles, duplicates allowed, or all futures of a group.
class FutureSet {
 public:
  FutureSet(std::vector<std::string> ids) : ids_(std::move(ids)) {}            // NOLINT: meant to convert
  FutureSet(const std::vector<Future>& futures);                               // NOLINT: meant to convert
  FutureSet(const Future& future) : FutureSet(std::vector<Future>{future}) {}  // NOLINT: meant to convert
  static FutureSet Group(std::string group);

  // As a message, if every handle is of `core`'s server and namespace.
  absl::StatusOr<v1::FutureSet> Resolve(const detail::Core& core) const;

 private:
  std::vector<std::string> ids_;
  std::vector<Future> futures_;
  std::string group_;
};

// What a submit gave.
struct Submitted {
  Future future;
  v1::FutureState state = v1::FUTURE_STATE_UNSPECIFIED;  // where it stood; it may be done already (semantics 21)
  bool deduplicated = false;                             // an earlier submit with this request id made it
};

struct WaitResult {
  bool timed_out = false;  // else satisfied
  std::vector<Completion> done;
  std::vector<std::string> pending_ids;
  std::size_t pending_count = 0;
};

// Either `outcomes`, in input order, or `error`.
struct GatherResult {
  std::vector<Outcome> outcomes;
  std::optional<Error> error;
  std::size_t error_index = 0;  // of the member that failed, when error->origin_id() is a member
};

struct ListFilter {
  std::vector<v1::FutureState> states;
  std::string function;
  std::string group;
  std::map<std::string, std::string> labels;
  std::uint32_t page_size = 0;  // the server's default
};

struct ListPage {
  std::vector<FutureInfo> futures;
  std::string next_page_token;  // empty at the end
};

}  // namespace muster::client
