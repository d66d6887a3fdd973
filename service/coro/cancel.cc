#include "service/coro/cancel.h"

#include <utility>

#include "service/base/check.h"

namespace muster::coro {

CancelToken::~CancelToken() { MUSTER_CHECK(suspended_ == nullptr) << "a token died under an operation that uses it"; }

CancelToken::Rare& CancelToken::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
  return *rare_;
}

const std::string& CancelToken::message() const {
  static const std::string none;
  return rare_ != nullptr ? rare_->message : none;
}

void CancelToken::CountCancel(std::string message) {
  ++cancelling_;
  requested_.store(true, std::memory_order_release);
  rare().message = std::move(message);
}

void CancelToken::Cancel(std::string message) {
  CountCancel(std::move(message));
  // As in asyncio.Task.cancel: whoever is suspended takes the cancel; one that was woken and has not run yet cannot, so
  // the cancel waits and replaces its result in Suspension::Resume.
  if (suspended_ == nullptr || !suspended_->suspended()) {
    must_cancel_ = true;
  } else if (suspended_->OnCancel() == Suspension::CancelReply::kWake) {
    rare_->delivered_message = rare_->message;
    operation_ = Operation::kCancelled;
    suspended_->executor_->Schedule(suspended_->waiter_.runnable());
  }
  for (CancelObserver* observer = rare_->observers.Front(); observer != nullptr;) {
    CancelObserver* next = rare_->observers.Next(*observer);
    observer->OnCancel(*this);
    observer = next;
  }
}

int CancelToken::Uncancel() {
  if (cancelling_ > 0 && --cancelling_ == 0) {
    must_cancel_ = false;
    requested_.store(false, std::memory_order_release);
  }
  return cancelling_;
}

absl::Status CancelToken::TakePending() {
  if (!std::exchange(must_cancel_, false)) return absl::OkStatus();
  return absl::CancelledError(message());
}

Suspension::~Suspension() {
  MUSTER_CHECK(!waiter_) << "a suspended operation was dropped: cancel it and wait for it instead";
}

bool Suspension::Suspend(Continuation waiter) {
  MUSTER_CHECK(token_.suspended_ == nullptr) << "two operations on one CancelToken: each child needs its own";
  executor_ = Executor::Current();
  MUSTER_CHECK(executor_ != nullptr) << "a coroutine suspended on a thread that runs no executor";
  waiter_ = waiter;
  token_.suspended_ = this;
  token_.operation_ = CancelToken::Operation::kSuspended;
  if (!token_.must_cancel_) return true;
  token_.must_cancel_ = false;
  if (OnCancel() == CancelReply::kForwarded) return true;
  token_.rare_->delivered_message = token_.rare_->message;
  token_.operation_ = CancelToken::Operation::kCancelled;
  return false;
}

void Suspension::Wake() {
  MUSTER_CHECK(suspended()) << "an operation was woken that is not suspended";
  token_.operation_ = CancelToken::Operation::kWoken;
  executor_->Schedule(waiter_.runnable());
}

void Suspension::WakeNextTurn() {
  MUSTER_CHECK(suspended()) << "an operation was woken that is not suspended";
  token_.operation_ = CancelToken::Operation::kWoken;
  executor_->ScheduleNextTurn(waiter_.runnable());
}

absl::Status Suspension::Resume() {
  if (!std::exchange(waiter_, {})) return absl::OkStatus();  // it never suspended
  token_.suspended_ = nullptr;
  const bool cancelled_since = std::exchange(token_.must_cancel_, false);
  if (token_.operation_ == CancelToken::Operation::kCancelled) {
    return absl::CancelledError(token_.rare_->delivered_message);
  }
  if (!cancelled_since) return absl::OkStatus();
  OnLostWakeUp();
  return absl::CancelledError(token_.message());
}

}  // namespace muster::coro
