#include "tests/simulation/model.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace muster::simulation {

using values::FutureKind;
using values::IsDone;
using values::State;

void Fail(const std::string& what) {
  fprintf(stderr, "simulation: %s\n", what.c_str());
  abort();
}

namespace {

bool Same(const values::Outcome& a, const values::Outcome& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || a.value.body() != b.value.body() || a.gathered.size() != b.gathered.size()) return false;
  if ((a.error == nullptr) != (b.error == nullptr)) return false;
  if (a.error != nullptr && (a.error->kind != b.error->kind || a.error->type != b.error->type ||
                             a.error->message != b.error->message || a.error->origin != b.error->origin)) {
    return false;
  }
  for (size_t at = 0; at < a.gathered.size(); ++at) {
    if (!Same(*a.gathered[at], *b.gathered[at])) return false;
  }
  return true;
}

}  // namespace

void Model::OnCrash() {
  waits_.clear();
  streams_.clear();
  for (auto& [id, future] : futures_) future.may_run_again = future.state == State::kRunning;
}

void Model::CheckBytes(size_t shard, int64_t bytes) const {
  SIM_EXPECT(bytes_[shard] == bytes, fmt::format("{} bytes came back, and {} were held", bytes, bytes_[shard]));
}

KnownFuture* Model::Find(const values::FutureId& id) {
  const auto found = futures_.find(id);
  return found == futures_.end() ? nullptr : &found->second;
}

void Model::OnChanged(size_t shard, const core::Changed& changed) {
  if (changed.created) {
    SIM_EXPECT(futures_.count(changed.id) == 0, "an id was used twice: " + changed.id.ToText());
    SIM_EXPECT(!IsDone(changed.to), "made, and done already");
  }
  KnownFuture& future = futures_[changed.id];
  if (changed.created) {
    future.id = changed.id;
    future.ns = changed.ns;
    future.kind = changed.kind;
  } else {
    SIM_EXPECT(future.id == changed.id, "a change of what was never made");
    SIM_EXPECT(future.state == changed.from, "a change from another state than the last");
    SIM_EXPECT(!IsDone(changed.from), "a second end: " + changed.id.ToText());
    const bool again = future.may_run_again && changed.from == State::kRunning && changed.to == State::kQueued;
    SIM_EXPECT(changed.to > changed.from || again, "a future went backwards");
    future.may_run_again = false;
  }
  future.state = changed.to;
  if (IsDone(changed.to)) future.order = ++last_order_[shard];
  bytes_[shard] += changed.bytes_held;
  SIM_EXPECT(bytes_[shard] >= 0, "the bytes held fell below zero");
}

void Model::OnDropped(size_t shard, const core::Dropped& dropped, base::Instant now) {
  KnownFuture* future = Find(dropped.id);
  SIM_EXPECT(future != nullptr && !future->dropped, "dropped twice, or never made");
  SIM_EXPECT(IsDone(future->state) && dropped.state == future->state, "dropped before its end");
  future->dropped = true;
  OnOutcome(dropped.id, dropped.state, dropped.outcome);
  bytes_[shard] += dropped.bytes_held;
  for (const auto& [token, wait] : waits_) {
    for (const values::FutureId& id : wait.members) SIM_EXPECT(id != dropped.id, "dropped in spite of an open wait");
  }
  for (const auto& [token, stream] : streams_) {
    const bool wanted = stream.members.count(dropped.id) > 0 && stream.delivered.count(dropped.id) == 0;
    SIM_EXPECT(!wanted || stream.deadline <= now,
               fmt::format("{} was dropped in spite of stream {}", dropped.id.sequence, token));
  }
}

void Model::OnOutcome(const values::FutureId& id, State state, const values::OutcomeRef& outcome) {
  KnownFuture* future = Find(id);
  SIM_EXPECT(future != nullptr && outcome != nullptr, "an outcome of nothing");
  SIM_EXPECT(future->state == state, "an outcome with another state than the last change");
  if (future->outcome == nullptr) {
    future->outcome = outcome;
    CheckCombinator(*future);
  }
  SIM_EXPECT(Same(*future->outcome, *outcome), "a second outcome");
}

bool Model::Satisfied(const OpenWait& wait) const {
  size_t done = 0;
  bool failed = false;
  for (const values::FutureId& id : wait.members) {
    const KnownFuture* member = Find(id);
    done += IsDone(member->state);
    failed = failed || member->state == State::kFailed;
  }
  return done == wait.members.size() || (wait.return_when == values::ReturnWhen::kFirstCompleted && done > 0) ||
         (wait.return_when == values::ReturnWhen::kFirstException && failed);
}

void Model::OnWaitEnded(const core::WaitEnded& ended, base::Instant now) {
  const auto found = waits_.find(ended.token);
  SIM_EXPECT(found != waits_.end(), "a wait ended twice, or after it was left");
  const OpenWait wait = found->second;
  waits_.erase(found);
  SIM_EXPECT(ended.refusal.ok(), "a wait for known futures was refused: " + std::string(ended.refusal.message()));
  if (ended.end == core::WaitEnd::kSatisfied) {
    SIM_EXPECT(Satisfied(wait), "a wait ended before its time");
  } else {
    SIM_EXPECT(!Satisfied(wait) && wait.deadline <= now, "a wait timed out that should not have");
  }
  SIM_EXPECT(ended.done.size() + ended.pending.size() == wait.members.size(), "a wait lost members");
  uint64_t last = 0;
  bool failed = false;
  for (const core::Completion& completion : ended.done) {
    const KnownFuture* member = Find(completion.id);
    SIM_EXPECT(member->order > last, "done members out of order, or twice");
    last = member->order;
    failed = failed || completion.state == State::kFailed;
    OnOutcome(completion.id, completion.state, completion.outcome);
  }
  SIM_EXPECT(failed == ended.saw_exception, "saw_exception is wrong");
  for (const values::FutureId& id : ended.pending)
    SIM_EXPECT(!IsDone(Find(id)->state), "reported as pending, but done");
}

void Model::CheckWaits(size_t shard, base::Instant now, bool ticked) const {
  for (const auto& [token, wait] : waits_) {
    if (wait.shard != shard) continue;
    SIM_EXPECT(!Satisfied(wait), fmt::format("wait {} is satisfied, and goes on", token));
    SIM_EXPECT(!ticked || wait.deadline > now, fmt::format("wait {} is past its deadline, and goes on", token));
  }
}

void Model::OnStreamReady(core::Token token) {
  const auto found = streams_.find(token);
  SIM_EXPECT(found != streams_.end(), "a reader was told after it had left");
  SIM_EXPECT(!found->second.told, "a reader was told twice");
  found->second.told = true;
}

void Model::OnTaken(core::Token token, const std::vector<core::Completion>& taken, const core::StreamStatus& status,
                    base::Instant now) {
  const auto found = streams_.find(token);
  SIM_EXPECT(found != streams_.end(), "taken from no stream");
  OpenStream& stream = found->second;
  SIM_EXPECT(taken.empty() || stream.told, "there was something to take, and the reader was not told");
  for (const core::Completion& completion : taken) {
    SIM_EXPECT(stream.members.count(completion.id) > 0, "a completion of no member");
    SIM_EXPECT(stream.delivered.insert(completion.id).second, "a completion came twice");
    SIM_EXPECT(completion.completion_sequence > stream.position, "a completion from before the position");
    stream.position = completion.completion_sequence;
    const KnownFuture* member = Find(completion.id);
    SIM_EXPECT(member->order > stream.last_order, "completions out of order");
    stream.last_order = member->order;
    OnOutcome(completion.id, completion.state, completion.outcome);
  }
  const size_t left = stream.members.size() - stream.delivered.size();
  SIM_EXPECT(status.remaining == left, "the number of remaining members is wrong");
  SIM_EXPECT(status.ended == (left == 0), "the end of a stream is wrong");
  if (status.timed_out) SIM_EXPECT(stream.deadline <= now, "a stream timed out early");
  if (status.ended || status.timed_out) {
    streams_.erase(found);
    return;
  }
  stream.told = false;
  for (const values::FutureId& id : stream.members) {
    stream.told = stream.told || (IsDone(Find(id)->state) && stream.delivered.count(id) == 0);
  }
}

void Model::OnCombinator(const values::FutureId& id, std::vector<values::FutureId> members, bool return_exceptions,
                         bool has_timeout) {
  KnownFuture* future = Find(id);
  SIM_EXPECT(future != nullptr, "a combinator was answered that was never made");
  future->members = std::move(members);
  future->return_exceptions = return_exceptions;
  future->has_timeout = has_timeout;
}

void Model::CheckCombinator(const KnownFuture& future) const {
  const values::Outcome& outcome = *future.outcome;
  if (future.kind == FutureKind::kJob || future.kind == FutureKind::kPromise || future.members.empty()) return;
  if (future.kind == FutureKind::kGather) {
    SIM_EXPECT(future.state != State::kCancelled, "a gather was cancelled, which CPython's never is");
    if (future.state == State::kFailed) {
      bool unhappy = outcome.RaisesCancelled();
      for (const values::FutureId& id : future.members) {
        unhappy = unhappy || Find(id)->state == State::kFailed || Find(id)->state == State::kCancelled;
      }
      SIM_EXPECT(unhappy, "a gather failed, and no member did");
      SIM_EXPECT(!future.return_exceptions || outcome.RaisesCancelled(),
                 "a gather failed in spite of return_exceptions");
      return;
    }
    SIM_EXPECT(outcome.gathered.size() == future.members.size(), "a gather lost members");
    for (size_t at = 0; at < future.members.size(); ++at) {
      const KnownFuture* member = Find(future.members[at]);
      SIM_EXPECT(IsDone(member->state), "a gather ended before a member");
      SIM_EXPECT(future.return_exceptions || member->state == State::kSucceeded, "a gather swallowed a failure");
      if (member->outcome) SIM_EXPECT(Same(*outcome.gathered[at], *member->outcome), "a gather's result is another's");
    }
    return;
  }
  const KnownFuture* inner = Find(future.members[0]);
  if (future.state == State::kSucceeded) {
    SIM_EXPECT(inner->state == State::kSucceeded, "succeeded, though the inner did not");
    if (inner->outcome) SIM_EXPECT(outcome.kind == inner->outcome->kind, "another outcome than the inner's");
  } else if (future.state == State::kFailed) {
    const bool timed_out = future.has_timeout && outcome.error->kind == values::ErrorKind::kTimedOut;
    SIM_EXPECT(timed_out || inner->state == State::kFailed, "failed, though the inner did not");
  }
}

void Model::CheckNothingLingers() const {
  for (const auto& [id, future] : futures_) {
    if (IsDone(future.state) || future.members.empty()) continue;
    bool all_done = true;
    bool unhappy = false;
    for (const values::FutureId& member_id : future.members) {
      const KnownFuture* member = Find(member_id);
      all_done = all_done && IsDone(member->state);
      unhappy = unhappy || member->state == State::kFailed || member->state == State::kCancelled;
    }
    const bool over = all_done || (future.kind == FutureKind::kGather && !future.return_exceptions && unhappy);
    SIM_EXPECT(!over, "a combinator lingers: " + id.ToText());
  }
}

void Model::CheckAllGone() const {
  for (const auto& [id, future] : futures_) SIM_EXPECT(future.dropped, "left behind: " + id.ToText());
  for (int64_t bytes : bytes_) SIM_EXPECT(bytes == 0, fmt::format("{} bytes are left behind", bytes));
}

}  // namespace muster::simulation
