#include "service/coro/scope.h"

#include "service/base/check.h"

namespace muster::coro {

Scope::~Scope() { MUSTER_CHECK_EQ(live_, 0u) << "children outlive their scope: Join before it ends"; }

Executor& Scope::CurrentExecutor() {
  Executor* executor = Executor::Current();
  MUSTER_CHECK(executor != nullptr) << "a task was spawned on a thread that runs no executor";
  return *executor;
}

void Scope::Cancel(const std::string& message) {
  // Cancel runs none of their code, so the list does not change under the walk.
  for (Child& child : children_) child.token.Cancel(message);
}

void Scope::ChildDone(absl::Status status) {
  MUSTER_CHECK_GT(live_, 0u);
  --live_;
  if (!status.ok() && !absl::IsCancelled(status) && first_error_.ok()) {
    first_error_ = std::move(status);
    if (on_error_ == OnError::kCancelSiblings) Cancel("a sibling failed");
  }
  if (live_ == 0 && joiner_ != nullptr) std::exchange(joiner_, nullptr)->Wake();
}

Suspension::CancelReply Scope::Joiner::OnCancel() {
  cancelled_ = true;
  cancel_message_ = token().message();
  scope_.Cancel(cancel_message_);
  return CancelReply::kForwarded;
}

absl::Status Scope::Joiner::await_resume() {
  absl::Status resumed = Resume();
  if (absl::Status error = std::exchange(scope_.first_error_, absl::OkStatus()); !error.ok()) return error;
  if (cancelled_) return absl::CancelledError(cancel_message_);
  return resumed;
}

}  // namespace muster::coro
