// The life of a job: delayed, queued, running, done; and its two timeouts (semantics 99).
#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
void Shard::Impl::SubmitJob(core::Submit& command) {
  JobSpec& spec = std::get<JobSpec>(command.spec);
  const bool delayed = command.options && command.options->delay > base::Duration::zero();
  const bool attach = command.attach;
  Future& job = NewFuture(command, FutureKind::kJob);
  job.function = spec.function;
  job.function_kind = spec.kind;
  job.input = std::move(spec.input);
  job.state = delayed ? State::kDelayed : State::kQueued;
  Announce(job);
  AnswerSubmit(job, command.token, attach, false);
  if (delayed) {
    Arm(job, base::Later(now_, job.options()->delay));
  } else {
    Start(job);
  }
}

// The queue timeout counts from here, whatever the delay was.
void Shard::Impl::Start(Future& job) {
  job.attempt = 1;
  const Options* options = job.options();
  if (options != nullptr && options->queue_timeout) Arm(job, base::Later(now_, *options->queue_timeout));
  EmitStart(job);
}

// After a restart of the server. What was left of its queue timeout goes on; one that had started has none any more.
void Shard::Impl::StartAgain(Future& job) {
  if (job.state == State::kRunning) {
    const State from = job.state;
    ++job.attempt;
    job.start_time = base::kNever;
    job.run_timed_out = false;
    job.state = State::kQueued;
    EmitChanged(job, from, false, 0);
  }
  EmitStart(job);
}

void Shard::Impl::EmitStart(Future& job) {
  StartJob& start = Emit<StartJob>();
  start.id = IdOf(job);
  start.ns = job.ns;
  start.function = job.function;
  start.kind = job.function_kind;
  start.attempt = job.attempt;
  start.input = job.input;
  if (const Options* options = job.options()) {
    start.options = job.cold->options;
    if (options->run_timeout) start.run_deadline = base::Later(now_, *options->run_timeout);
    start.at_most_once = options->execution == Execution::kAtMostOnce;
  }
}

Future* Shard::Impl::FindJob(const FutureId& id, uint32_t attempt) {
  Future* job = FindExact(id);
  const bool live = job != nullptr && job->kind == FutureKind::kJob && job->attempt == attempt &&
                    (job->state == State::kQueued || job->state == State::kRunning);
  return live ? job : nullptr;
}

void Shard::Impl::JobStarted(const core::JobStarted& command) {
  Future* job = FindJob(command.id, command.attempt);
  if (job == nullptr || job->state != State::kQueued) return;
  Run(*job);
}

void Shard::Impl::Run(Future& job) {
  job.start_time = now_;
  Disarm(job.timer);
  Move(job, State::kRunning);
  const Options* options = job.options();
  if (options != nullptr && options->run_timeout) Arm(job, base::Later(now_, *options->run_timeout));
}

void Shard::Impl::JobEnded(core::JobEnded& command) {
  Future* job = FindJob(command.id, command.attempt);
  if (job == nullptr) return;  // the first terminal state has won
  MUSTER_CHECK(command.outcome != nullptr) << "a job ends with an outcome";
  if (job->state == State::kQueued) job->start_time = command.started == base::Instant{} ? now_ : command.started;
  EndJob(*job, std::move(command.outcome));
}

// As the end of asyncio.timeout(): the timeout takes its own cancel back, and is what the cancellation becomes if no
// other cancel is left (semantics 57-59, 63). A value or an error that the body ended with instead stands.
void Shard::Impl::EndJob(Future& job, OutcomeRef outcome) {
  if (job.run_timed_out) {
    if (job.cancelling > 0) --job.cancelling;
    if (outcome->kind == Outcome::Kind::kCancelled && job.cancelling == 0) {
      const std::string message =
          fmt::format("the job ran longer than its run timeout of {}", InSeconds(*job.options()->run_timeout));
      return Complete(job, State::kFailed, TimedOut(ErrorKind::kTimedOut, message, outcome->error));
    }
  }
  const State state = StateFor(*outcome);
  Complete(job, state, std::move(outcome));
}

void Shard::Impl::Withdraw(Future& job) {
  if (job.unresumed) return;  // after a restart: nobody has been told to run it yet
  WithdrawJob withdraw;
  withdraw.id = IdOf(job);
  withdraw.attempt = job.attempt;
  Emit(std::move(withdraw));
}

void Shard::Impl::QueueTimedOut(Future& job) {
  Withdraw(job);
  const std::string message =
      fmt::format("the job queued longer than its queue timeout of {}", InSeconds(*job.options()->queue_timeout));
  Complete(job, State::kFailed, TimedOut(ErrorKind::kQueueTimedOut, message, nullptr));
}

void Shard::Impl::RunTimedOut(Future& job) {
  if (job.function_kind != FunctionKind::kBlocking) {
    job.run_timed_out = true;
    job.cancel_time = std::min(job.cancel_time, now_);
    MarkChanged(job);
    CancelFuture(job, "");
    return;
  }
  // semantics 93: a thread cannot be stopped; it goes on, and what it returns is discarded.
  CancelJob cancel;
  cancel.id = IdOf(job);
  cancel.attempt = job.attempt;
  cancel.abandoned = true;
  Emit(std::move(cancel));
  const std::string message =
      fmt::format("the job ran longer than its run timeout of {}", InSeconds(*job.options()->run_timeout));
  Complete(job, State::kFailed, TimedOut(ErrorKind::kTimedOut, message, nullptr));
}

void Shard::Impl::JobProgress(core::JobProgress& command) {
  Future* job = FindJob(command.id, command.attempt);
  if (job == nullptr) return;
  Cold& cold = ColdOf(*job);
  cold.progress_fraction = command.fraction;
  cold.progress_message = std::move(command.message);
  cold.progress_time = now_;
}

void Shard::Impl::Uncancel(const core::Uncancel& command) {
  Future* job = FindJob(command.id, command.attempt);
  if (job == nullptr || job->cancelling == 0) return;  // semantics 9: never below 0
  --job->cancelling;
  MarkChanged(*job);
}

}  // namespace muster::core
