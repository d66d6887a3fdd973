#include <exception>
#include <utility>

#include "service/jobs/error.h"
#include "service/runtime/blocking_waiter.h"
#include "service/runtime/job_run.h"

namespace muster::runtime {

BlockingRun::BlockingRun(ShardHost& runner, const jobs::Function& function, core::StartJob&& start)
    : runner_(runner),
      function_(function),
      start_(std::move(start)),
      name_space_(runner.namespaces().Name(start_.ns)) {}

const jobs::Metadata& BlockingRun::metadata() const {
  static const jobs::Metadata kNone;
  return start_.options ? start_.options->metadata : kNone;
}

void BlockingRun::Enqueue() {
  auto self = shared_from_this();
  absl::StatusOr<executor::BlockingPool::ItemPtr> item = runner_.pool().Submit([self] { self->RunBody(); });
  if (item.ok()) {
    item_ = *std::move(item);
    return;
  }
  // Admission keeps the queue from filling up, so this is the pool of a service that is going away.
  runner_.loop().Post([self, status = item.status()] {
    self->End(jobs::ToOutcome(jobs::Failure("Unavailable", std::string(status.message()))));
  });
}

bool BlockingRun::Withdraw() {
  if (item_ == nullptr || !runner_.pool().Withdraw(item_)) return false;
  runner_.dispatcher().Forget(*this);
  return true;
}

void BlockingRun::DeliverCancel(bool abandoned) {
  cancelled_.store(true, std::memory_order_release);
  if (!abandoned || abandoned_) return;
  abandoned_ = true;
  runner_.pool().Abandon(item_);
  runner_.CountAbandoned(1);
}

void BlockingRun::RunBody() {
  auto self = shared_from_this();
  if (start_.at_most_once && runner_.journaled()) {
    if (!WaitUntilRecordedBlocking()) {
      runner_.loop().Post([self] { self->End(jobs::ToOutcome(absl::CancelledError("its start was not recorded"))); });
      return;
    }
  } else {
    runner_.loop().Post([self] { self->SayStarted(); });
  }
  values::OutcomeRef outcome;
  try {
    outcome = jobs::ToOutcome(function_.blocking(*this, std::move(start_.input)));
  } catch (const std::exception& e) {  // a function is somebody else's code, and may throw
    outcome = jobs::ToOutcome(jobs::Failure("Exception", e.what()));
  } catch (...) {
    outcome = jobs::ToOutcome(jobs::Failure("Exception", "the function threw something that is no std::exception"));
  }
  runner_.loop().Post([self, outcome = std::move(outcome)]() mutable { self->End(std::move(outcome)); });
}

void BlockingRun::SayStarted() {
  core::JobStarted started;
  started.id = start_.id;
  started.attempt = start_.attempt;
  runner_.Apply(started.id.shard, std::move(started));
}

// Holds the thread until it is recorded that the body runs: whatever happens then, it is not run again.
bool BlockingRun::WaitUntilRecordedBlocking() {
  BlockingWaiter waiter;
  runner_.loop().Post([this, &waiter] {
    SayStarted();
    runner_.WhenDurable(waiter);
  });
  return waiter.WaitBlocking();
}

void BlockingRun::ReportProgress(double fraction, std::string message) {
  base::MutexLock lock(mutex_);
  progress_fraction_ = fraction;
  progress_message_ = std::move(message);
  if (progress_posted_) return;
  progress_posted_ = true;
  runner_.loop().Post([self = shared_from_this()] { self->PostProgress(); });
}

void BlockingRun::PostProgress() {
  core::JobProgress progress;
  progress.id = start_.id;
  progress.attempt = start_.attempt;
  {
    base::MutexLock lock(mutex_);
    progress_posted_ = false;
    progress.fraction = progress_fraction_;
    progress.message = progress_message_;
  }
  runner_.Apply(progress.id.shard, std::move(progress));
}

void BlockingRun::End(values::OutcomeRef outcome) {
  if (abandoned_) runner_.CountAbandoned(-1);
  core::JobEnded ended;
  ended.id = start_.id;
  ended.attempt = start_.attempt;
  ended.outcome = std::move(outcome);
  runner_.dispatcher().Forget(*this);
  runner_.ReadTime();
  runner_.Apply(ended.id.shard, std::move(ended));
}

}  // namespace muster::runtime
