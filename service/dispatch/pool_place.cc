#include "service/dispatch/pool_place.h"

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "service/base/mutex.h"
#include "service/jobs/context.h"
#include "service/jobs/error.h"
#include "service/jobs/utf8.h"

namespace muster::dispatch {

// A body on the pool. Shared by the loop and the thread that runs it.
class PoolPlace::Body final : public Run, public jobs::BlockingContext, public std::enable_shared_from_this<Body> {
 public:
  Body(PoolPlace& pool_place, const jobs::Function& function, core::StartJob&& s)
      : Run(std::move(s), &pool_place), place_(pool_place), host_(pool_place.host_), function_(function) {}

  // Loop's thread.
  void Enqueue(base::Instant ready_since);
  // True when it will not run.
  bool Withdraw() { return item_ != nullptr && place_.room_.pool().Withdraw(item_); }
  // The body is told to stop; `abandoned` counts its thread until it does.
  void DeliverCancel(bool abandoned);

  // jobs::BlockingContext, pool's thread.
  std::string id() const override { return start.id.ToText(); }
  std::string_view name_space() const override { return host_.NamespaceName(start.ns); }
  uint32_t attempt() const override { return start.attempt; }
  uint32_t epoch() const override { return host_.epoch(); }
  const jobs::Metadata& metadata() const override;
  base::Instant deadline() const override { return start.run_deadline; }
  const base::Clock& clock() const override { return host_.loop().clock(); }
  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }
  void ReportProgress(double fraction, std::string message) override MUSTER_EXCLUDES(mutex_);

  base::ListHook hook;         // in Bodies
  std::shared_ptr<Body> kept;  // itself, until it is forgotten

 private:
  void RunBody();                               // pool's thread
  bool WaitUntilRecordedBlocking();             // pool's thread
  void SayStarted();                            // loop's thread
  void PostProgress() MUSTER_EXCLUDES(mutex_);  // loop's thread
  void End(values::OutcomeRef outcome);         // loop's thread
  void Leave(Report&& last);

  PoolPlace& place_;
  Host& host_;
  const jobs::Function& function_;
  executor::BlockingPool::ItemPtr item_;
  std::atomic<bool> cancelled_{false};  // release by the loop, acquire by the body
  bool abandoned_ = false;              // loop's thread
  base::Mutex mutex_;
  bool progress_posted_ MUSTER_GUARDED_BY(mutex_) = false;
  double progress_fraction_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::string progress_message_ MUSTER_GUARDED_BY(mutex_);
};

// Those that were left when the loop had stopped end with the place.
struct PoolPlace::Bodies {
  ~Bodies() {
    while (Body* body = all.PopFront()) std::exchange(body->kept, nullptr).reset();
  }
  base::IntrusiveList<Body, &Body::hook> all;
};

PoolPlace::PoolPlace(Host& host, Runs& runs, PoolRoom& room, base::UniqueFunction<void()> on_room)
    : host_(host), runs_(runs), room_(room), on_room_(std::move(on_room)), bodies_(std::make_unique<Bodies>()) {}

PoolPlace::~PoolPlace() { GiveRoomBack(); }

size_t PoolPlace::Room() {
  if (!reserved_) {
    reserved_ = room_.Take(*this);
    in_line_ = !reserved_;
  }
  return reserved_ ? 1 : 0;
}

void PoolPlace::GiveRoomBack() {
  if (std::exchange(reserved_, false)) room_.Give();
  if (std::exchange(in_line_, false)) room_.Leave(*this);
}

void PoolPlace::OnRoom() {
  host_.loop().Post([this] { on_room_(); });
}

void PoolPlace::Start(const jobs::Function& function, core::StartJob&& start, const Waited& waited) {
  MUSTER_CHECK(std::exchange(reserved_, false)) << "a job was given to a pool that has no room";
  auto body = std::make_shared<Body>(*this, function, std::move(start));
  runs_.Add(*body);
  bodies_->all.PushBack(*body);
  body->kept = body;
  if (waited.cancel != nullptr) body->DeliverCancel(waited.cancel->abandoned);
  body->Enqueue(waited.since);
}

void PoolPlace::Withdraw(Run& run) {
  auto& body = static_cast<Body&>(run);
  if (!body.Withdraw()) return body.DeliverCancel(/*abandoned=*/true);  // a thread had just taken it
  Forget(body);
  room_.Give();
  on_room_();
}

void PoolPlace::Cancel(Run& run, const core::CancelJob& cancel) {
  static_cast<Body&>(run).DeliverCancel(cancel.abandoned);
}

void PoolPlace::Forget(Body& body) {
  runs_.Remove(body);
  body.hook.Unlink();
  std::exchange(body.kept, nullptr).reset();
}

const jobs::Metadata& PoolPlace::Body::metadata() const {
  static const jobs::Metadata kNone;
  return start.options ? start.options->metadata : kNone;
}

void PoolPlace::Body::Enqueue(base::Instant ready_since) {
  auto self = shared_from_this();
  absl::StatusOr<executor::BlockingPool::ItemPtr> item =
      place_.room_.pool().Submit([self] { self->RunBody(); }, ready_since);
  if (item.ok()) {
    item_ = *std::move(item);
    return;
  }
  // There was room, so this is the pool of a service that is going away.
  host_.loop().Post([self, why = std::string(item.status().message())] {
    self->End(jobs::ToOutcome(jobs::Failure("Unavailable", why)));
  });
}

void PoolPlace::Body::DeliverCancel(bool abandoned) {
  cancelled_.store(true, std::memory_order_release);
  if (!abandoned || abandoned_) return;
  abandoned_ = true;
  if (item_ != nullptr) place_.room_.pool().Abandon(item_);
  place_.CountAbandoned(1);
}

void PoolPlace::Body::RunBody() {
  auto self = shared_from_this();
  if (start.at_most_once && host_.journaled()) {
    if (!WaitUntilRecordedBlocking()) {
      host_.loop().Post([self] { self->End(jobs::ToOutcome(absl::CancelledError("its start was not recorded"))); });
      return;
    }
  } else {
    host_.loop().Post([self] { self->SayStarted(); });
  }
  values::OutcomeRef outcome;
  try {
    outcome = jobs::ToOutcome(function_.blocking(*this, std::move(start.input)));
  } catch (const std::exception& e) {  // a function is somebody else's code, and may throw
    outcome = jobs::ToOutcome(jobs::Failure("Exception", e.what()));
  } catch (...) {
    outcome = jobs::ToOutcome(jobs::Failure("Exception", "the function threw something that is no std::exception"));
  }
  host_.loop().Post([self, outcome = std::move(outcome)]() mutable { self->End(std::move(outcome)); });
}

void PoolPlace::Body::SayStarted() {
  Started started;
  started.id = start.id;
  started.attempt = start.attempt;
  host_.OnReport(std::move(started));
}

// Holds the thread until it is recorded that the body runs: whatever happens then, it is not run again.
bool PoolPlace::Body::WaitUntilRecordedBlocking() {
  BlockingWaiter waiter;
  host_.loop().Post([this, &waiter] {
    SayStarted();
    host_.WhenDurable(waiter);
  });
  return waiter.WaitBlocking();
}

void PoolPlace::Body::ReportProgress(double fraction, std::string message) {
  std::string mended = jobs::MendUtf8(std::move(message));
  base::MutexLock lock(mutex_);
  progress_fraction_ = fraction;
  progress_message_ = std::move(mended);
  if (progress_posted_) return;
  progress_posted_ = true;
  host_.loop().Post([self = shared_from_this()] { self->PostProgress(); });
}

void PoolPlace::Body::PostProgress() {
  Progressed progress;
  progress.id = start.id;
  progress.attempt = start.attempt;
  {
    base::MutexLock lock(mutex_);
    progress_posted_ = false;
    progress.fraction = progress_fraction_;
    progress.message = progress_message_;
  }
  host_.OnReport(std::move(progress));
}

void PoolPlace::Body::End(values::OutcomeRef outcome) {
  Ended ended;
  ended.id = start.id;
  ended.attempt = start.attempt;
  ended.outcome = std::move(outcome);
  Leave(std::move(ended));
}

// Whoever calls holds a reference to it.
void PoolPlace::Body::Leave(Report&& last) {
  if (abandoned_) place_.CountAbandoned(-1);
  place_.Forget(*this);
  host_.ReadTime();
  host_.OnReport(std::move(last));
  place_.room_.Give();
  place_.on_room_();
}

}  // namespace muster::dispatch
