#include "service/core/kinds/job.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/completion.h"
#include "service/core/interest/awaits.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/propagate.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

void EmitStart(Turn& turn, Future& job) {
  StartJob& start = turn.Emit<StartJob>();
  start.id = turn.futures.IdOf(job);
  start.ns = job.ns;
  start.function = job.function;
  start.kind = job.function_kind;
  start.attempt = job.attempt;
  start.input = job.input;
  if (const Options* options = job.options.get()) {
    start.options = job.options;
    if (options->run_timeout) start.run_deadline = base::Later(turn.now, *options->run_timeout);
    start.at_most_once = options->execution == Execution::kAtMostOnce;
  }
}

// The queue timeout counts from here, whatever the delay was.
void Start(Turn& turn, Future& job) {
  job.attempt = 1;
  const Options* options = job.options.get();
  if (options != nullptr && options->queue_timeout) Arm(turn, job, base::Later(turn.now, *options->queue_timeout));
  EmitStart(turn, job);
}

// As the end of asyncio.timeout(): the timeout takes its own cancel back, and is what the cancellation becomes if no
// other cancel is left (semantics 57-59, 63). A value or an error that the body ended with instead stands.
void EndJob(Turn& turn, Future& job, OutcomeRef outcome) {
  if (job.run_timed_out) {
    if (job.cancelling > 0) --job.cancelling;
    if (outcome->kind == Outcome::Kind::kCancelled && job.cancelling == 0) {
      const std::string message =
          fmt::format("the job ran longer than its run timeout of {}", InSeconds(*job.options->run_timeout));
      return Complete(turn, job, State::kFailed, TimedOut(ErrorKind::kTimedOut, message, outcome->error));
    }
  }
  const State state = StateFor(*outcome);
  Complete(turn, job, state, std::move(outcome));
}

// Nobody is to run it any more.
void Withdraw(Turn& turn, Future& job) {
  if (job.unresumed) return;  // after a restart: nobody has been told to run it yet
  WithdrawJob withdraw;
  withdraw.id = turn.futures.IdOf(job);
  withdraw.attempt = job.attempt;
  turn.Emit(std::move(withdraw));
}

void RunTimedOut(Turn& turn, Future& job) {
  if (job.function_kind != FunctionKind::kBlocking) {
    job.run_timed_out = true;
    job.cancel_time = std::min(job.cancel_time, turn.now);
    turn.changes.Mark(job);
    CancelFuture(turn, job, "");
    return;
  }
  // semantics 93: a thread cannot be stopped; it goes on, and what it returns is discarded.
  CancelJob cancel;
  cancel.id = turn.futures.IdOf(job);
  cancel.attempt = job.attempt;
  cancel.abandoned = true;
  turn.Emit(std::move(cancel));
  const std::string message =
      fmt::format("the job ran longer than its run timeout of {}", InSeconds(*job.options->run_timeout));
  Complete(turn, job, State::kFailed, TimedOut(ErrorKind::kTimedOut, message, nullptr));
}

void OnTimerOf(Turn& turn, Future& job) {
  switch (job.state) {
    case State::kDelayed:
      Move(turn, job, State::kQueued);
      return Start(turn, job);
    case State::kQueued:
      return QueueTimedOut(turn, job);
    case State::kRunning:
      return RunTimedOut(turn, job);
    default:
      MUSTER_CHECK(false) << "a job has a timer in a state that it is never in";
  }
}

void CancelStep(Turn& turn, CancelWalk& walk, Future& job, uint32_t times) {
  job.cancelling = AddTimes(job.cancelling, times);
  if (job.state != State::kRunning || job.unresumed) {
    // semantics 7: the body never runs (or, after a restart, never again).
    if (job.state == State::kQueued) Withdraw(turn, job);
    return Complete(turn, job, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  if (job.function_kind == FunctionKind::kBlocking) {
    CancelBody(turn, job, walk.message, true, times);  // semantics 93
    return Complete(turn, job, State::kCancelled, Outcome::Cancelled(walk.message));
  }
  AwaitLink* await = job.open_await();
  if (await == nullptr) return CancelBody(turn, job, walk.message, false, times);
  // semantics 12: nothing but the target is cancelled, and the body sees what comes of it; its token only counts.
  CountCancel(turn, job, walk.message, times);
  if (await->member == nullptr) {
    if (walk.TooFar()) return EndAwaitCancelled(turn, *await, walk.message);
    await->cancel_message = walk.message;
    SendCancel(turn, walk, job, await->count, await->target, await->remote, times);
  } else if (PassCancel(walk, *await->member, times)) {
    await->cancels_passed = AddTimes(await->cancels_passed, times);
    await->cancel_message = walk.message;
    walk.awaiting.push_back(&job);
  } else {
    await->must_cancel = true;
    await->cancel_message = walk.message;
  }
}

// The state is kDelayed, kQueued or kRunning until it is done; a timeout that it has run into is one that it has.
const char* Damage(const FutureRecord& record) {
  if (IsDone(record.state)) return nullptr;
  if (record.state == State::kPending) return "its state does not fit its kind";
  const Options* options = record.options.get();
  const bool queueing = record.state == State::kQueued && record.due != base::kNever;
  if (queueing && (options == nullptr || !options->queue_timeout)) return "it has no timeout, and ran into one";
  if (record.run_timed_out && (options == nullptr || !options->run_timeout)) {
    return "it has no timeout, and ran into one";
  }
  return nullptr;
}

void Check(const Future& job) {
  if (const AwaitLink* await = job.open_await()) {
    MUSTER_CHECK(job.state == State::kRunning) << "only a running body awaits";
    MUSTER_CHECK((await->member != nullptr) != await->remote.in_use);
  }
}

CancelJob ForBody(Turn& turn, const Future& job, const std::string& message, uint32_t times) {
  CancelJob cancel;
  cancel.id = turn.futures.IdOf(job);
  cancel.attempt = job.attempt;
  cancel.message = message;
  cancel.times = times;
  return cancel;
}

}  // namespace

const Kind kJobKind = {
    .name = "job",
    .submit = SubmitJob,
    .timer = OnTimerOf,
    .cancel = CancelStep,
    .counts_cancels = true,
    .let_go = CloseAwait,
    .damage = Damage,
    .check = Check,
};

void SubmitJob(Turn& turn, Submit& command) {
  JobSpec& spec = std::get<JobSpec>(command.spec);
  const bool delayed = command.options && command.options->delay > base::Duration::zero();
  const bool attach = command.attach;
  Future& job = NewFuture(turn, command, FutureKind::kJob);
  job.function = spec.function;
  job.function_kind = spec.kind;
  job.input = std::move(spec.input);
  job.state = delayed ? State::kDelayed : State::kQueued;
  Announce(turn, job);
  AnswerSubmit(turn, job, command.token, attach, false);
  if (delayed) {
    Arm(turn, job, base::Later(turn.now, job.options->delay));
  } else {
    Start(turn, job);
  }
}

Future* FindJob(Turn& turn, const FutureId& id, uint32_t attempt) {
  Future* job = turn.futures.FindExact(id);
  const bool live = job != nullptr && job->kind == FutureKind::kJob && job->attempt == attempt &&
                    (job->state == State::kQueued || job->state == State::kRunning);
  return live ? job : nullptr;
}

void Apply(Turn& turn, const core::JobStarted& command) {
  Future* job = FindJob(turn, command.id, command.attempt);
  if (job == nullptr || job->state != State::kQueued) return;
  RunJob(turn, *job);
}

void RunJob(Turn& turn, Future& job) {
  job.start_time = turn.now;
  turn.timers.Remove(job);
  Move(turn, job, State::kRunning);
  const Options* options = job.options.get();
  if (options != nullptr && options->run_timeout) Arm(turn, job, base::Later(turn.now, *options->run_timeout));
}

void Apply(Turn& turn, core::JobEnded& command) {
  Future* job = FindJob(turn, command.id, command.attempt);
  if (job == nullptr) return;  // the first terminal state has won
  MUSTER_CHECK(command.outcome != nullptr) << "a job ends with an outcome";
  if (job->state == State::kQueued) job->start_time = command.started == base::Instant{} ? turn.now : command.started;
  EndJob(turn, *job, std::move(command.outcome));
}

void Apply(Turn& turn, core::JobProgress& command) {
  Future* job = FindJob(turn, command.id, command.attempt);
  if (job == nullptr) return;
  Cold& cold = ColdOf(*job);
  if (!cold.progress) cold.progress = std::make_unique<Progress>();
  cold.progress->fraction = command.fraction;
  cold.progress->message = std::move(command.message);
  cold.progress->time = turn.now;
}

// semantics 104
void Apply(Turn& turn, const core::JobLost& command) {
  Future* job = FindJob(turn, command.id, command.attempt);
  if (job == nullptr) return;
  if (job->state == State::kQueued)
    return EmitStart(turn, *job);  // it never started: it may still, as the same attempt
  CloseAwait(turn, *job);
  if (job->cancelling > 0 || (job->options != nullptr && job->options->execution == Execution::kAtMostOnce)) {
    return EndWhatCannotRunAgain(turn, *job, "whoever ran the job was lost");
  }
  turn.timers.Remove(*job);
  StartAgain(turn, *job);
}

void Apply(Turn& turn, const core::Uncancel& command) {
  Future* job = FindJob(turn, command.id, command.attempt);
  if (job == nullptr || job->cancelling == 0) return;  // semantics 9: never below 0
  --job->cancelling;
  turn.changes.Mark(*job);
}

void StartAgain(Turn& turn, Future& job) {
  if (job.state == State::kRunning) {
    const State from = job.state;
    ++job.attempt;
    job.start_time = base::kNever;
    job.run_timed_out = false;
    job.state = State::kQueued;
    EmitChanged(turn, job, from, false, 0);
  }
  EmitStart(turn, job);
}

void QueueTimedOut(Turn& turn, Future& job) {
  Withdraw(turn, job);
  const std::string message =
      fmt::format("the job queued longer than its queue timeout of {}", InSeconds(*job.options->queue_timeout));
  Complete(turn, job, State::kFailed, TimedOut(ErrorKind::kQueueTimedOut, message, nullptr));
}

void EndWhatCannotRunAgain(Turn& turn, Future& job, std::string_view because) {
  if (job.cancelling > 0)
    return EndJob(turn, job, Outcome::Cancelled(job.cold ? std::string(job.cold->cancel_message) : ""));
  Error error;
  error.kind = ErrorKind::kInterrupted;
  error.type = "Interrupted";
  error.message = fmt::format("{}, and it may run once only; whether its work was done is not known", because);
  Complete(turn, job, State::kFailed, Outcome::Failed(std::move(error)));
}

void CountCancel(Turn& turn, Future& job, const std::string& message, uint32_t times) {
  ColdOf(job).cancel_message = message;
  CancelJob counted = ForBody(turn, job, message, times);
  counted.counted_only = true;
  turn.Emit(std::move(counted));
}

void CancelBody(Turn& turn, Future& job, const std::string& message, bool abandoned, uint32_t times) {
  if (!abandoned) ColdOf(job).cancel_message = message;
  CancelJob cancel = ForBody(turn, job, message, times);
  cancel.abandoned = abandoned;
  turn.Emit(std::move(cancel));
}

}  // namespace muster::core
