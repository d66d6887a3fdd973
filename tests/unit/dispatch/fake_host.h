// A loop's dispatcher with nobody's shards behind it: what the places report is noted, in order.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "service/base/mutex.h"
#include "service/dispatch/dispatcher.h"
#include "service/dispatch/host.h"
#include "tests/support/gate.h"

namespace muster::dispatch {

class FakeHost final : public Host {
 public:
  FakeHost(executor::Loop& loop, Directory& directory, PoolRoom& room)
      : Host(loop, 7), dispatcher_(std::make_unique<Dispatcher>(*this, directory, room, 1)) {}

  // From the test's thread; what `function` does there is done when it returns.
  template <typename F>
  void On(F function) {
    test::Gate done;
    loop_.Post([&] {
      function(*dispatcher_);
      done.Open();
    });
    done.Wait();
  }
  void Start(core::StartJob start) {
    On([&](Dispatcher& dispatcher) { dispatcher.Start(std::move(start)); });
  }
  const Dispatcher& dispatcher() const { return *dispatcher_; }

  // "started 1", "ended 1 its value", "lost 1".
  std::vector<std::string> reports() {
    base::MutexLock lock(mutex_);
    return reports_;
  }
  std::vector<std::string> asked() {
    base::MutexLock lock(mutex_);
    return asked_;
  }
  // With `hold`, what must be durable waits for SayDurable.
  void Journal(bool hold) { journaled_ = hold; }
  void SayDurable(bool durable) {
    On([&](Dispatcher&) {
      for (DurableWaiter* waiter : std::exchange(waiters_, {})) {
        waiter->durable = durable;
        loop_.Schedule(*waiter);
      }
    });
  }

 private:
  void OnReport(Report&& report) override {
    base::MutexLock lock(mutex_);
    reports_.push_back(std::visit([](const auto& each) { return TextOf(each); }, report));
  }
  static std::string TextOf(const Started& started) { return fmt::format("started {}", started.id.sequence); }
  static std::string TextOf(const Progressed& p) { return fmt::format("progressed {} {}", p.id.sequence, p.fraction); }
  static std::string TextOf(const Ended& ended) {
    const values::Outcome& outcome = *ended.outcome;
    return fmt::format("ended {} {}", ended.id.sequence,
                       outcome.kind == values::Outcome::Kind::kValue   ? outcome.value.body()
                       : outcome.kind == values::Outcome::Kind::kError ? outcome.error->type
                                                                       : "cancelled");
  }
  static std::string TextOf(const Lost& lost) { return fmt::format("lost {}", lost.id.sequence); }

  bool journaled() const override { return journaled_; }
  void WhenDurable(DurableWaiter& waiter) override { waiters_.push_back(&waiter); }
  const std::string& NamespaceName(values::NamespaceId) const override { return name_space_; }

  void Ask(std::string what) {
    base::MutexLock lock(mutex_);
    asked_.push_back(std::move(what));
  }
  coro::Task<absl::StatusOr<values::FutureId>> Submit(core::Submit command) override {
    Ask(fmt::format("submit {}", std::get<values::JobSpec>(command.spec).function));
    co_return values::FutureId{};
  }
  coro::Task<absl::StatusOr<values::OutcomeRef>> Await(Awaiting awaiting, values::FutureId target) override {
    Ask(fmt::format("{} awaits {}", awaiting.job.sequence, target.sequence));
    co_return values::Outcome::Value(values::Payload::Text("awaited"));
  }
  coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::NamespaceId, values::FutureId target,
                                                        std::string message) override {
    Ask(fmt::format("cancel {} {}", target.sequence, message));
    co_return core::CancelEffect::kRequested;
  }
  void Uncancel(core::Uncancel&& command) override { Ask(fmt::format("uncancel {}", command.id.sequence)); }

  const std::string name_space_ = "default";
  std::atomic<bool> journaled_{false};
  base::Mutex mutex_;
  std::vector<std::string> reports_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::string> asked_ MUSTER_GUARDED_BY(mutex_);
  std::vector<DurableWaiter*> waiters_;  // loop's thread
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace muster::dispatch
