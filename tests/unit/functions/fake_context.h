// Contexts for calling a function's body without a service.
//
// FakeJobContext plays the service for one job: futures are entries of a map that a test settles, Await forwards a
// cancel to what it awaits as the core does (semantics 12). FakeBlockingContext is what a blocking body sees.
//
// Threading: FakeBlockingContext::Cancel from any thread; the rest on one. Lifetime: outlives the body.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/coro/event.h"
#include "service/coro/sleep.h"
#include "service/jobs/context.h"
#include "service/jobs/error.h"
#include "service/jobs/registry.h"

namespace muster::functions {

class FakeBlockingContext : public jobs::BlockingContext {
 public:
  std::string id() const override { return "job"; }
  std::string_view name_space() const override { return "default"; }
  uint32_t attempt() const override { return 1; }
  uint32_t epoch() const override { return 1; }
  const jobs::Metadata& metadata() const override { return metadata_; }
  base::Instant deadline() const override { return base::kNever; }
  const base::Clock& clock() const override { return clock_; }
  bool cancelled() const override {
    const int looks = ++looks_;
    return cancelled_ || (cancel_at_look_ != 0 && looks >= cancel_at_look_);
  }
  void ReportProgress(double fraction, std::string message) override {
    progress.emplace_back(fraction, std::move(message));
  }

  void Cancel() { cancelled_ = true; }
  // The body's nth question whether it is cancelled gets the first yes.
  void CancelAtLook(int n) { cancel_at_look_ = n; }
  int looks() const { return looks_; }

  std::vector<std::pair<double, std::string>> progress;

 private:
  jobs::Metadata metadata_;
  base::ManualClock clock_;
  std::atomic<bool> cancelled_{false};
  int cancel_at_look_ = 0;
  mutable std::atomic<int> looks_{0};
};

class FakeJobContext final : public jobs::JobContext {
 public:
  std::string id() const override { return SelfId().ToText(); }
  std::string_view name_space() const override { return "default"; }
  uint32_t attempt() const override { return 1; }
  uint32_t epoch() const override { return 1; }
  const jobs::Metadata& metadata() const override { return metadata_; }
  base::Instant deadline() const override { return base::kNever; }
  const base::Clock& clock() const override { return clock_; }
  bool cancelled() const override { return token_.cancel_requested(); }
  void ReportProgress(double fraction, std::string message) override {
    progress.emplace_back(fraction, std::move(message));
  }
  coro::CancelToken& token() override { return token_; }
  coro::Task<absl::Status> Sleep(base::Duration delay) override { co_return co_await coro::Sleep(token_, delay); }

  coro::Task<absl::StatusOr<values::FutureId>> Submit(jobs::ChildCall call) override {
    submitted.push_back(std::move(call));
    co_return Add();
  }
  coro::Task<absl::StatusOr<values::FutureId>> Combine(values::FutureSpec spec) override {
    combined.push_back(std::move(spec));
    co_return Add();
  }
  coro::Task<absl::StatusOr<values::OutcomeRef>> Await(values::FutureId target) override {
    if (target == SelfId()) co_return absl::InvalidArgumentError("a job cannot await itself");
    Entry* entry = Find(target);
    if (entry == nullptr) co_return absl::NotFoundError("no such future");
    const absl::Status waited = co_await entry->done.Wait(token_);
    if (!waited.ok()) Settle(target, values::Outcome::Cancelled(std::string(waited.message()), target));
    co_return entry->outcome;
  }
  coro::Task<absl::StatusOr<core::CancelEffect>> Cancel(values::FutureId target, std::string message) override {
    if (target == SelfId()) {
      token_.Cancel(std::move(message));
      co_return core::CancelEffect::kRequested;
    }
    Entry* entry = Find(target);
    if (entry == nullptr) co_return core::CancelEffect::kNotFound;
    if (entry->outcome != nullptr) co_return core::CancelEffect::kAlreadyDone;
    Settle(target, values::Outcome::Cancelled(std::move(message), target));
    co_return core::CancelEffect::kCancelled;
  }
  int Uncancel() override { return token_.Uncancel(); }

  // A future that is there already.
  values::FutureId Add() {
    values::FutureId id = SelfId();
    id.sequence += entries_.size() + 1;
    entries_.emplace(id, std::make_unique<Entry>());
    return id;
  }
  // The first outcome wins.
  void Settle(values::FutureId id, values::OutcomeRef outcome) {
    Entry* entry = Find(id);
    if (entry == nullptr || entry->outcome != nullptr) return;
    entry->outcome = std::move(outcome);
    entry->done.Set();
  }
  values::OutcomeRef OutcomeOf(values::FutureId id) { return Find(id)->outcome; }
  static values::FutureId SelfId() {
    values::FutureId id;
    id.sequence = 1000;
    id.incarnation = 1;
    return id;
  }

  std::vector<std::pair<double, std::string>> progress;
  std::vector<jobs::ChildCall> submitted;
  std::vector<values::FutureSpec> combined;

 private:
  struct Entry {
    coro::Event done;
    values::OutcomeRef outcome;
  };
  Entry* Find(values::FutureId id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.get();
  }

  coro::CancelToken token_;
  jobs::Metadata metadata_;
  base::ManualClock clock_;
  std::map<values::FutureId, std::unique_ptr<Entry>> entries_;
};

}  // namespace muster::functions
