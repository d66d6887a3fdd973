// Awaiting an answer of a shard, and calling something on another runner's loop.
//
// Both end soon by their nature (an answer that is always given, a post there and back), so neither can be cancelled:
// that keeps their frames alive for whoever answers.
#pragma once

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "service/coro/runnable.h"
#include "service/coro/task.h"
#include "service/runtime/requests.h"
#include "service/runtime/shard_runner.h"

namespace muster::runtime {

// The one effect of type T that answers a command sent with `request()`. Belongs to a coroutine on the runner's loop:
//
//   Answer<core::CancelAnswered> answer(runner);
//   command.token = answer.request();
//   runner.Send(shard, std::move(command));
//   co_await answer;
//   use(answer.effect());
template <typename T>
class Answer final : private coro::Runnable, private Receiver {
 public:
  explicit Answer(ShardRunner& runner) : Runnable(&Resume), runner_(runner), token_(runner.requests().Add(this)) {}
  ~Answer() override { runner_.requests().Remove(token_); }

  core::Token request() const { return token_; }
  T& effect() { return *effect_; }

  bool await_ready() const { return effect_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  void await_resume() const {}

 private:
  static void Resume(coro::Runnable& self) { static_cast<Answer&>(self).waiter_.resume(); }
  void OnEffect(core::Effect&& effect) override {
    if (effect_.has_value()) return;  // it came after all, when the asker had been told that it would not
    effect_ = std::get<T>(std::move(effect));
    if (waiter_) runner_.loop().Schedule(*this);
  }
  // A submit may depend on what other shards say, and they say nothing any more once they are frozen.
  void OnDrain(const absl::Status& refusal, bool last_step) override {
    if (!last_step || effect_.has_value()) return;
    T refused;
    refused.token = token_;
    refused.refusal = refusal;
    OnEffect(std::move(refused));
  }

  ShardRunner& runner_;
  const core::Token token_;
  std::optional<T> effect_;
  std::coroutine_handle<> waiter_;
};

// Calls `function(target)` on the target's loop and resumes on the home runner's with what it returned, once all that
// it may have seen there is durable. Should that never be, it is called again: the shards are frozen then, and show
// only what is.
template <typename Function>
class [[nodiscard]] CallOn final : private coro::Runnable {
 public:
  using Result = std::invoke_result_t<Function, ShardRunner&>;

  CallOn(ShardRunner& home, ShardRunner& target, Function function)
      : Runnable(&There), home_(home), target_(target), function_(std::move(function)) {}

  bool await_ready() {
    if (&home_ != &target_) return false;
    result_.emplace(function_(target_));
    return !target_.Undurable();
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    if (&home_ == &target_) return target_.WhenDurable(seen_);
    target_.loop().Post(static_cast<coro::Runnable&>(*this));  // may run at once: nothing of the frame after this
  }
  Result await_resume() { return *std::move(result_); }

 private:
  struct Back final : coro::Runnable {
    explicit Back(CallOn& o) : Runnable(&Run), owner(o) {}
    static void Run(coro::Runnable& self) { static_cast<Back&>(self).owner.waiter_.resume(); }
    CallOn& owner;
  };

  static void There(coro::Runnable& runnable) {
    auto& self = static_cast<CallOn&>(runnable);
    self.result_.emplace(self.function_(self.target_));
    if (self.target_.Undurable()) return self.target_.WhenDurable(self.seen_);
    self.home_.loop().Post(static_cast<coro::Runnable&>(self.back_));
  }
  void OnSeen() {
    if (!seen_.durable) result_.emplace(function_(target_));
    if (&home_ == &target_) return waiter_.resume();
    home_.loop().Post(static_cast<coro::Runnable&>(back_));
  }

  struct Seen final : DurableWaiter {
    explicit Seen(CallOn& o)
        : DurableWaiter([](coro::Runnable& self) { static_cast<Seen&>(self).owner.OnSeen(); }), owner(o) {}
    CallOn& owner;
  };

  ShardRunner& home_;
  ShardRunner& target_;
  Function function_;
  Back back_{*this};
  Seen seen_{*this};
  std::coroutine_handle<> waiter_;
  std::optional<Result> result_;
};

}  // namespace muster::runtime
