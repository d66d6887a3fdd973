#include "tests/linearizability/model.h"

namespace muster::linearizability {
namespace {

using Phase = State::Phase;

State Made(const Step& step) {
  State made;
  made.phase = Phase::kPending;
  made.job = step.job;
  made.spec = step.argument;
  return made;
}

State Ended(State state, Word outcome, Word settled_by = 0) {
  state.phase = Phase::kDone;
  state.outcome = outcome;
  state.settled_by = settled_by;
  return state;
}

void Submit(const State& state, const Step& step, std::vector<State>& next) {
  const bool absent = state.phase == Phase::kAbsent;
  const bool same = !absent && state.spec == step.argument && state.job == step.job;
  State made = absent ? Made(step) : state;
  switch (step.reply) {
    case Reply::kLost:
      next.push_back(state);
      if (absent) next.push_back(made);
      return;
    case Reply::kCreated:
    case Reply::kRepeated:
      if (absent != (step.reply == Reply::kCreated) || (!absent && !same)) return;
      if (made.id != 0 && made.id != step.result) return;
      made.id = step.result;
      next.push_back(made);
      return;
    case Reply::kReused:
      if (!absent && !same) next.push_back(state);
      return;
    default:
      return;
  }
}

void Settle(const State& state, const Step& step, std::vector<State>& next) {
  const bool pending = state.phase == Phase::kPending;
  const bool repeated = state.phase == Phase::kDone && step.request_id != 0 && state.settled_by == step.request_id;
  switch (step.reply) {
    case Reply::kLost:
      next.push_back(state);
      if (pending) next.push_back(Ended(state, step.argument, step.request_id));
      return;
    case Reply::kSettled:
      if (pending) next.push_back(Ended(state, step.argument, step.request_id));
      if (repeated) next.push_back(state);
      return;
    case Reply::kAlreadyDone:
      if (state.phase == Phase::kDone && !repeated) next.push_back(state);
      return;
    case Reply::kMissing:
      if (state.phase == Phase::kAbsent) next.push_back(state);
      return;
    default:
      return;
  }
}

void Cancel(const State& state, const Step& step, std::vector<State>& next) {
  const bool pending = state.phase == Phase::kPending;
  switch (step.reply) {
    case Reply::kLost:
      next.push_back(state);
      if (pending) next.push_back(Ended(state, step.argument));
      return;
    case Reply::kCancelled:
      if (pending) next.push_back(Ended(state, step.argument));
      return;
    case Reply::kRequested:
      if (pending && state.job) next.push_back(state);
      return;
    case Reply::kAlreadyDone:
      if (state.phase == Phase::kDone) next.push_back(state);
      if (pending && state.job) next.push_back(Ended(state, 0));  // by itself, a moment ago
      return;
    case Reply::kMissing:
      if (state.phase == Phase::kAbsent) next.push_back(state);
      return;
    default:
      return;
  }
}

void Read(const State& state, const Step& step, std::vector<State>& next) {
  switch (step.reply) {
    case Reply::kLost:
      next.push_back(state);
      return;
    case Reply::kPending:
      if (state.phase == Phase::kPending) next.push_back(state);
      return;
    case Reply::kDone:
      if (state.phase == Phase::kDone && state.outcome == step.result) next.push_back(state);
      if (state.phase == Phase::kDone && state.outcome == 0)
        next.push_back(Ended(state, step.result, state.settled_by));
      if (state.phase == Phase::kPending && state.job) next.push_back(Ended(state, step.result));
      return;
    case Reply::kMissing:
      if (state.phase == Phase::kAbsent) next.push_back(state);
      return;
    default:
      return;
  }
}

}  // namespace

void Apply(const State& state, const Step& step, std::vector<State>& next) {
  next.clear();
  switch (step.call) {
    case Call::kSubmit:
      return Submit(state, step, next);
    case Call::kSettle:
      return Settle(state, step, next);
    case Call::kCancel:
      return Cancel(state, step, next);
    case Call::kRead:
      return Read(state, step, next);
  }
}

}  // namespace muster::linearizability
