#include "service/coro/cancel.h"

#include <utility>

#include "service/base/check.h"

namespace muster::coro {

CancelToken::~CancelToken() { MUSTER_CHECK(suspended_ == nullptr) << "a token died under an operation that uses it"; }

void CancelToken::Cancel(std::string message) {
  ++cancelling_;
  requested_.store(true, std::memory_order_release);
  message_ = std::move(message);
  // As in asyncio.Task.cancel: whoever is suspended takes the cancel; one that was woken and has not run yet cannot, so
  // the cancel waits and replaces its result in Suspension::Resume.
  if (suspended_ == nullptr || !suspended_->suspended()) {
    must_cancel_ = true;
  } else if (suspended_->OnCancel() == Suspension::CancelReply::kWake) {
    delivered_message_ = message_;
    suspended_->state_ = Suspension::State::kCancelled;
    suspended_->executor_->Schedule(*suspended_);
  }
  for (CancelObserver* observer = observers_.Front(); observer != nullptr;) {
    CancelObserver* next = observers_.Next(*observer);
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
  return absl::CancelledError(message_);
}

Suspension::~Suspension() {
  MUSTER_CHECK(state_ == State::kIdle) << "a suspended operation was dropped: cancel it and wait for it instead";
}

void Suspension::ResumeWaiter(Runnable& self) { static_cast<Suspension&>(self).waiter_.resume(); }

bool Suspension::Suspend(std::coroutine_handle<> waiter) {
  MUSTER_CHECK(token_.suspended_ == nullptr) << "two operations on one CancelToken: each child needs its own";
  executor_ = Executor::Current();
  MUSTER_CHECK(executor_ != nullptr) << "a coroutine suspended on a thread that runs no executor";
  waiter_ = waiter;
  state_ = State::kSuspended;
  token_.suspended_ = this;
  if (!token_.must_cancel_) return true;
  token_.must_cancel_ = false;
  if (OnCancel() == CancelReply::kForwarded) return true;
  token_.delivered_message_ = token_.message_;
  state_ = State::kCancelled;
  return false;
}

void Suspension::Wake() {
  MUSTER_CHECK(state_ == State::kSuspended) << "an operation was woken that is not suspended";
  state_ = State::kWoken;
  executor_->Schedule(*this);
}

void Suspension::WakeNextTurn() {
  MUSTER_CHECK(state_ == State::kSuspended) << "an operation was woken that is not suspended";
  state_ = State::kWoken;
  executor_->ScheduleNextTurn(*this);
}

absl::Status Suspension::Resume() {
  const State state = std::exchange(state_, State::kIdle);
  if (state == State::kIdle) return absl::OkStatus();  // it never suspended
  token_.suspended_ = nullptr;
  const bool cancelled_since = std::exchange(token_.must_cancel_, false);
  if (state == State::kCancelled) return absl::CancelledError(token_.delivered_message_);
  if (!cancelled_since) return absl::OkStatus();
  OnLostWakeUp();
  return absl::CancelledError(token_.message_);
}

}  // namespace muster::coro
