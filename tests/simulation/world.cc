#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace muster::simulation {

using core::Token;
using std::chrono::seconds;
using values::FutureId;
using values::FutureKind;
using values::IsDone;
using values::State;

World::World(const Plan& plan) : plan_(plan), random_(plan.seed), model_(plan.shards) {
  for (int at = 0; at < plan.shards; ++at) {
    shards_.push_back(std::make_unique<core::Shard>(OptionsOf(static_cast<size_t>(at))));
    stores_.push_back(std::make_unique<test::RecordStore>());
  }
}

void World::Trace(const std::string& what) const {
  if (plan_.trace) printf("%8ld  %s\n", (now_.time_since_epoch() - seconds(1'000'000)) / seconds(1), what.c_str());
}

void World::Run() {
  for (int step = 0; step < plan_.steps; ++step) {
    try {
      if (plan_.crashes && random_.OneIn(40)) {
        Crash();
      } else if (!left_streams_.empty() && random_.OneIn(2)) {
        ResumeAfterCrash();
      } else if (random_.OneIn(2) || !Advance()) {
        ClientStep();
      }
    } catch (const Crashed&) {
    }
    if (step % 8 == 0) {
      for (const auto& shard : shards_) shard->CheckInvariants();
      if (under_way_ == 0) model_.CheckNothingLingers();
    }
  }
  CloseEverything();
  CheckEmpty();
}

// --- Clients --------------------------------------------------------------------------------------------------------

void World::ClientStep() {
  switch (random_.Below(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return SubmitJob();
    case 4:
    case 5:
      return SubmitPromise();
    case 6:
    case 7:
    case 8:
      return SubmitCombinator();
    case 9:
      return SettlePromise();
    case 10:
    case 11:
      return CancelSome();
    case 12:
      return AttachWait();
    case 13:
      return AttachStream();
    case 14:
    case 15:
      return TakeSome();
    case 16:
      return LeaveSome();
    case 17:
      return random_.OneIn(2) ? DeleteSome() : ResumeStream();
    case 18:
      return LookAround();
    default:
      return LateWord();
  }
}

core::Submit World::NewSubmit(values::FutureSpec spec, bool plain) {
  core::Submit command;
  command.token = ++last_token_;
  command.ns = kNs;
  command.ns_tag = 77;
  command.retention = SomeTime(30);
  command.spec_hash = random_.Below(8) == 0;
  command.spec = std::move(spec);
  if (random_.OneIn(4)) {
    command.attach = true;
    command.drop_when_delivered = random_.OneIn(2);
  }
  if (!plain) {
    command.options = std::make_unique<values::Options>();
    if (random_.OneIn(2)) command.options->group = fmt::format("g{}", random_.Below(3));
    if (random_.OneIn(3)) {
      command.options->request_id = fmt::format("r{}", random_.Below(8));
      command.drop_when_delivered = false;
    }
  }
  Asked asked;
  asked.kind = static_cast<FutureKind>(command.spec.index());
  asked.attach = command.attach;
  asked_[command.token] = asked;
  if (command.attach) calls_[command.token] = false;
  return command;
}

void World::SubmitJob() {
  values::JobSpec spec;
  spec.kind = static_cast<values::FunctionKind>(random_.Below(4));
  spec.input = values::Payload::Text("input");
  core::Submit command = NewSubmit(std::move(spec), random_.OneIn(2));
  if (command.options) {
    command.options->at_most_once = random_.OneIn(4);
    if (random_.OneIn(3)) command.options->delay = SomeTime(4);
    if (random_.OneIn(3)) command.options->queue_timeout = SomeTime(3);
    if (random_.OneIn(2)) command.options->run_timeout = SomeTime(6);
  }
  Trace(fmt::format("submit job, token {}", command.token));
  Do(random_.Below(shards_.size()), std::move(command));
}

void World::SubmitPromise() {
  core::Submit command = NewSubmit(values::PromiseSpec{}, random_.OneIn(2));
  Trace(fmt::format("submit promise, token {}", command.token));
  Do(random_.Below(shards_.size()), std::move(command));
}

void World::SubmitCombinator() {
  std::vector<FutureId> members;
  const uint64_t count = random_.Below(5);
  for (uint64_t at = 0; at < count; ++at) {
    if (const auto id = Pick()) members.push_back(*id);
  }
  values::FutureSpec spec;
  const uint64_t kind = random_.Below(4);
  bool return_exceptions = false;
  bool has_timeout = false;
  if (kind < 2 || members.empty()) {
    return_exceptions = random_.OneIn(2);
    if (!members.empty() && random_.OneIn(3)) members.push_back(members[0]);
    spec = values::GatherSpec{members, return_exceptions};
  } else if (kind == 2) {
    members.resize(1);
    spec = values::ShieldSpec{members[0]};
  } else {
    members.resize(1);
    values::WaitForSpec wait_for;
    wait_for.inner = members[0];
    has_timeout = !random_.OneIn(4);
    if (has_timeout) wait_for.timeout = SomeTime(6) - seconds(1);
    wait_for.grace = SomeTime(3);
    spec = wait_for;
  }
  core::Submit command = NewSubmit(std::move(spec), random_.OneIn(2));
  Asked& asked = asked_[command.token];
  asked.members = members;
  asked.return_exceptions = return_exceptions;
  asked.has_timeout = has_timeout;
  std::string text = fmt::format("submit combinator {}, token {}:", static_cast<int>(asked.kind), command.token);
  for (const FutureId& id : members) text += fmt::format(" {}.{}", id.shard, id.sequence);
  Trace(text);
  Do(random_.Below(shards_.size()), std::move(command));
}

void World::SettlePromise() {
  const auto id = Pick(true);
  if (!id) return;
  const bool promise = model_.Find(*id)->kind == FutureKind::kPromise;
  core::SettlePromise command;
  command.token = ++last_token_;
  command.ns = kNs;
  command.id = *id;
  command.outcome = values::Outcome::Value(values::Payload::Text("settled"));
  if (random_.OneIn(3)) {
    values::Error error;
    error.type = "SettledError";
    command.outcome = values::Outcome::Failed(std::move(error));
  }
  Trace(fmt::format("settle {}.{}", id->shard, id->sequence));
  Do(id->shard, std::move(command));
  SIM_EXPECT(IsDone(model_.Find(*id)->state) || !promise, "a promise was settled and is not done");
}

void World::CancelSome() {
  const size_t shard = random_.Below(shards_.size());
  core::Cancel command;
  command.token = ++last_token_;
  command.ns = kNs;
  command.message = "by a client";
  if (random_.OneIn(6)) {
    command.set.group = fmt::format("g{}", random_.Below(3));
  } else {
    command.set.ids = PickSet(shard, 3);
    if (command.set.ids.empty()) return;
    if (random_.OneIn(5)) command.set.ids.push_back(command.set.ids[0]);
  }
  std::string text = "cancel";
  for (const FutureId& id : command.set.ids) text += fmt::format(" {}.{}", id.shard, id.sequence);
  Trace(text + " " + command.set.group);
  Do(shard, std::move(command));
}

void World::AttachWait() {
  const size_t shard = random_.Below(shards_.size());
  core::AttachWait command;
  command.set.ids = PickSet(shard, 6);
  if (command.set.ids.empty()) return;
  OpenWait wait;
  wait.shard = shard;
  wait.members = command.set.ids;
  std::sort(wait.members.begin(), wait.members.end());
  wait.members.erase(std::unique(wait.members.begin(), wait.members.end()), wait.members.end());
  if (random_.OneIn(3)) command.set.ids.push_back(command.set.ids[0]);
  command.token = ++last_token_;
  command.ns = kNs;
  wait.return_when = command.return_when = static_cast<values::ReturnWhen>(random_.Below(3));
  if (random_.OneIn(2)) command.deadline = now_ + SomeTime(6);
  wait.deadline = command.deadline;
  model_.OpenWaitOf(command.token, wait);
  Trace(fmt::format("wait, token {}", command.token));
  Do(shard, std::move(command));
}

void World::AttachStream() {
  const size_t shard = random_.Below(shards_.size());
  core::AttachStream command;
  command.set.ids = PickSet(shard, 6);
  command.token = ++last_token_;
  command.ns = kNs;
  OpenStream stream;
  stream.shard = shard;
  stream.members.insert(command.set.ids.begin(), command.set.ids.end());
  if (random_.OneIn(2)) command.deadline = now_ + SomeTime(6);
  stream.deadline = command.deadline;
  model_.OpenStreamOf(command.token, stream);
  stream_ids_[command.token] = command.set.ids;
  Trace(fmt::format("stream, token {}", command.token));
  Do(shard, std::move(command));
}

// A reader whose connection broke comes back with its position.
void World::ResumeStream() {
  if (model_.streams().empty()) return;
  auto open = model_.streams().begin();
  std::advance(open, random_.Below(model_.streams().size()));
  const Token old = open->first;
  const OpenStream before = open->second;
  core::Detach detach;
  detach.token = old;
  model_.CloseStream(old);
  Do(before.shard, detach);
  core::AttachStream command;
  command.token = ++last_token_;
  command.ns = kNs;
  command.resume_after = before.position;
  OpenStream stream;
  stream.shard = before.shard;
  stream.position = before.position;
  stream.earlier = before.earlier;
  stream.earlier.insert(before.delivered.begin(), before.delivered.end());
  for (const FutureId& id : stream_ids_[old]) {
    if (!Visible(*model_.Find(id))) continue;
    command.set.ids.push_back(id);
    if (stream.earlier.count(id) == 0) stream.members.insert(id);
  }
  model_.OpenStreamOf(command.token, stream);
  stream_ids_[command.token] = command.set.ids;
  Trace(fmt::format("resume stream {} as {}", old, command.token));
  Do(before.shard, std::move(command));
}

void World::TakeSome() {
  if (model_.streams().empty()) return;
  auto open = model_.streams().begin();
  std::advance(open, random_.Below(model_.streams().size()));
  const Token token = open->first;
  std::vector<core::Completion> taken;
  const core::StreamStatus status =
      test::TakeCompletions(*shards_[open->second.shard], token, 1 + random_.Below(4), true, taken);
  Trace(fmt::format("take from {}: {}", token, taken.size()));
  model_.OnTaken(token, taken, status, now_);
}

void World::LeaveSome() {
  core::Detach detach;
  detach.token = 1 + random_.Below(last_token_ + 1);
  const size_t shard = random_.Below(shards_.size());
  switch (random_.Below(3)) {
    case 0: {
      if (model_.waits().empty()) return;
      detach.token = model_.waits().begin()->first;
      const size_t at = model_.waits().begin()->second.shard;
      model_.CloseWait(detach.token);
      return Do(at, detach);
    }
    case 1: {
      if (model_.streams().empty()) return;
      detach.token = model_.streams().begin()->first;
      const size_t at = model_.streams().begin()->second.shard;
      model_.CloseStream(detach.token);
      return Do(at, detach);
    }
    default:
      if (calls_.empty()) return;
      detach.token = calls_.begin()->first;
      calls_.erase(calls_.begin());
      Trace(fmt::format("leave call {}", detach.token));
      for (size_t at = 0; at < shards_.size(); ++at) Do((shard + at) % shards_.size(), detach);
  }
}

void World::DeleteSome() {
  const auto id = Pick();
  if (!id) return;
  core::Effects out;
  Trace(fmt::format("delete {}.{}", id->shard, id->sequence));
  KnownFuture& future = *model_.Find(*id);
  const absl::Status status = test::Delete(*shards_[id->shard], kNs, *id, now_, out);
  Commit(id->shard, out);
  SIM_EXPECT(status.ok() == IsDone(future.state), "a live future was deleted, or a done one was not");
  future.deleted = status.ok();
  Absorb(id->shard, out, false);
}

void World::LookAround() {
  for (const FutureId& id : ids_) {
    const KnownFuture& future = *model_.Find(id);
    const auto view = test::Get(*shards_[id.shard], kNs, id, false);
    SIM_EXPECT(view.ok() == Visible(future), "Get sees what is gone, or does not see what is there");
    if (view.ok()) SIM_EXPECT(view->state == future.state, "Get sees another state");
    SIM_EXPECT(!test::Get(*shards_[id.shard], kOtherNs, id, false).ok(), "another namespace sees a future");
  }
  for (size_t at = 0; at < shards_.size(); ++at) {
    core::ListFutures query;
    query.ns = kNs;
    query.max = 3;
    size_t listed = 0;
    do {
      listed += test::List(*shards_[at], query, &query.after_sequence).size();
    } while (query.after_sequence != 0);
    size_t expected = 0;
    for (const FutureId& id : ids_) expected += id.shard == at && Visible(*model_.Find(id));
    SIM_EXPECT(listed == expected, "List and the changes disagree");
  }
}

// Of another attempt, or of a job that has ended: ignored.
void World::LateWord() {
  const auto id = Pick();
  if (!id) return;
  core::JobEnded ended;
  ended.id = *id;
  ended.attempt = IsDone(model_.Find(*id)->state) ? 1 : 7;
  ended.outcome = values::Outcome::Value(values::Payload::Text("late"));
  Do(id->shard, std::move(ended));
}

// --- Machinery ------------------------------------------------------------------------------------------------------

std::optional<FutureId> World::Pick(bool undone, std::optional<size_t> shard) {
  if (ids_.empty()) return std::nullopt;
  for (int attempt = 0; attempt < 8; ++attempt) {
    // Recent ones more often: they are still alive.
    const size_t window = random_.OneIn(2) ? std::min<size_t>(ids_.size(), 12) : ids_.size();
    const FutureId id = ids_[ids_.size() - 1 - random_.Below(window)];
    const KnownFuture& future = *model_.Find(id);
    if (!Visible(future) || (undone && IsDone(future.state)) || (shard && id.shard != *shard)) continue;
    return id;
  }
  return std::nullopt;
}

std::vector<FutureId> World::PickSet(size_t shard, size_t most) {
  std::vector<FutureId> ids;
  const uint64_t count = 1 + random_.Below(most);
  for (uint64_t at = 0; at < count; ++at) {
    if (const auto id = Pick(false, shard)) ids.push_back(*id);
  }
  return ids;
}

void World::Absorb(size_t shard, core::Effects& out, bool ticked) {
  for (core::Effect& effect : out) On(shard, effect);
  for (core::Effect& effect : out) {
    const auto* changed = std::get_if<core::Changed>(&effect);
    if (changed == nullptr || !IsDone(changed->to)) continue;
    const auto view = test::Get(*shards_[shard], kNs, changed->id, false);
    if (view.ok()) model_.OnOutcome(changed->id, view->state, view->outcome);
  }
  model_.CheckWaits(shard, now_, ticked);
}

void World::On(size_t shard, core::Effect& effect) {
  if (auto* changed = std::get_if<core::Changed>(&effect)) {
    if (changed->created) ids_.push_back(changed->id);
    return model_.OnChanged(shard, *changed);
  }
  if (auto* start = std::get_if<core::StartJob>(&effect)) return OnStartJob(*start);
  if (auto* withdraw = std::get_if<core::WithdrawJob>(&effect)) return OnWithdrawJob(*withdraw);
  if (auto* cancel = std::get_if<core::CancelJob>(&effect)) return OnCancelJob(*cancel);
  if (auto* await = std::get_if<core::AwaitEnded>(&effect)) return OnAwaitEnded(*await);
  if (auto* submitted = std::get_if<core::Submitted>(&effect)) return OnSubmitted(shard, *submitted);
  if (auto* cancelled = std::get_if<core::CancelAnswered>(&effect)) return OnCancelAnswered(*cancelled);
  if (auto* wait = std::get_if<core::WaitEnded>(&effect)) return model_.OnWaitEnded(*wait, now_);
  if (auto* ready = std::get_if<core::StreamReady>(&effect)) return model_.OnStreamReady(ready->token);
  if (auto* dropped = std::get_if<core::Dropped>(&effect)) return model_.OnDropped(shard, *dropped, now_);
  if (auto* send = std::get_if<core::SendToShard>(&effect)) return Send(shard, send->shard, std::move(send->message));
  if (auto* attached = std::get_if<core::StreamAttached>(&effect)) {
    SIM_EXPECT(attached->refusal.ok(), "a stream of known futures was refused");
  } else if (auto* ended = std::get_if<core::CallEnded>(&effect)) {
    const auto call = calls_.find(ended->token);
    SIM_EXPECT(call != calls_.end() && call->second, "a call ended twice, unanswered, or after it was left");
    calls_.erase(call);
    model_.OnOutcome(ended->completion.id, ended->completion.state, ended->completion.outcome);
  }
}

void World::OnSubmitted(size_t shard, const core::Submitted& answer) {
  const auto found = asked_.find(answer.token);
  SIM_EXPECT(found != asked_.end(), "a submit was answered twice");
  const Asked asked = found->second;
  asked_.erase(found);
  const auto call = calls_.find(answer.token);
  if (call != calls_.end()) {
    call->second = true;
    if (!answer.refusal.ok()) calls_.erase(call);
  }
  if (!answer.refusal.ok()) return;
  const KnownFuture* future = model_.Find(answer.id);
  SIM_EXPECT(future != nullptr, "a submit was answered with a future that was never made");
  const bool its_own = !answer.deduplicated && future->kind == asked.kind && answer.id.shard == shard;
  const bool of_members = std::count(asked.members.begin(), asked.members.end(), answer.id) > 0;
  if (its_own && !of_members && !asked.members.empty()) {
    model_.OnCombinator(answer.id, asked.members, asked.return_exceptions, asked.has_timeout);
  }
}

void World::OnCancelAnswered(const core::CancelAnswered& answer) {
  for (const auto& [id, effect] : answer.effects) {
    const KnownFuture* future = model_.Find(id);
    if (effect == core::CancelEffect::kCancelled) {
      SIM_EXPECT(IsDone(future->state) && future->state != State::kSucceeded, "cancelled, and not done");
    } else if (effect == core::CancelEffect::kAlreadyDone) {
      SIM_EXPECT(IsDone(future->state) || future->kind == FutureKind::kGather, "already done, and not done");
    } else if (effect == core::CancelEffect::kNotFound) {
      SIM_EXPECT(!Visible(*future), "a known future was not found");
    }
  }
}

void World::Send(size_t from, size_t to, core::ShardMessage message) {
  SIM_EXPECT(from != to && to < shards_.size(), "a message to nobody");
  base::Instant& arrival = last_arrival_[{from, to}];
  for (int copy = random_.OneIn(4) ? 2 : 1; copy > 0; --copy) {
    arrival = std::max(arrival, now_ + SomeTime(3));
    network_[{from, to}].push_back(message);
    ++under_way_;
    At(arrival, {Event::Kind::kMessage, {}, 0, "", from, to});
  }
}

void World::Deliver(size_t from, size_t to) {
  auto& queue = network_[{from, to}];
  core::ShardMessage message = std::move(queue.front());
  queue.pop_front();
  --under_way_;
  const values::FutureId target = std::visit([](const auto& each) { return each.link.target; }, message);
  Trace(
      fmt::format("message {} from {} to {}: target {}.{}", message.index(), from, to, target.shard, target.sequence));
  if (random_.OneIn(16)) {  // and once more, long after
    const base::Instant late = std::max(last_arrival_[{from, to}], now_ + seconds(2));
    last_arrival_[{from, to}] = late;
    queue.push_back(message);
    ++under_way_;
    At(late, {Event::Kind::kMessage, {}, 0, "", from, to});
  }
  Do(to, std::move(message));
}

bool World::Advance(base::Instant until) {
  base::Instant next = events_.empty() ? base::kNever : events_.begin()->first;
  std::optional<size_t> ticking;
  for (size_t at = 0; at < shards_.size(); ++at) {
    const base::Instant deadline = shards_[at]->NextDeadline();
    if (deadline < next || (deadline == next && deadline != base::kNever && random_.OneIn(2))) {
      next = deadline;
      ticking = at;
    }
  }
  if (next == base::kNever || next > until) return false;
  now_ = std::max(now_, next);
  if (!ticking) {
    const Event event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    RunEvent(event);
    return true;
  }
  core::Effects out;
  const bool only_earliest = random_.OneIn(2);
  shards_[*ticking]->Tick(now_, out, only_earliest);
  Commit(*ticking, out);
  Absorb(*ticking, out, !only_earliest);
  return true;
}

void World::RunEvent(const Event& event) {
  if (event.kind == Event::Kind::kMessage) return Deliver(event.from, event.to);
  Body& body = bodies_.at(event.id);
  if (event.kind == Event::Kind::kStart) return StartBody(body);
  if (event.kind == Event::Kind::kCancel) return SeeCancelled(body, event.message);
  if (event.generation == body.generation && !body.ended) Continue(body);
}

// Everyone leaves, promises are settled, bodies obey: in the end all futures are done, and later gone.
void World::CloseEverything() {
  closing_ = true;
  for (int round = 0;; ++round) {
    SIM_EXPECT(round < 100, "it does not come to an end");
    while (!model_.waits().empty()) {
      core::Detach detach;
      detach.token = model_.waits().begin()->first;
      const size_t shard = model_.waits().begin()->second.shard;
      model_.CloseWait(detach.token);
      Do(shard, detach);
    }
    while (!model_.streams().empty()) {
      core::Detach detach;
      detach.token = model_.streams().begin()->first;
      const size_t shard = model_.streams().begin()->second.shard;
      model_.CloseStream(detach.token);
      Do(shard, detach);
    }
    bool live = false;
    for (size_t at = 0; at < ids_.size(); ++at) {
      const FutureId id = ids_[at];
      if (IsDone(model_.Find(id)->state)) continue;
      live = true;
      core::Cancel cancel;
      cancel.token = ++last_token_;
      cancel.ns = kNs;
      cancel.set.ids = {id};
      if (round > 0 || model_.Find(id)->kind == FutureKind::kPromise) Do(id.shard, std::move(cancel));
    }
    while (!events_.empty()) Advance();
    if (!live) break;
  }
  model_.CheckNothingLingers();
  while (Advance()) {
  }
}

void World::CheckEmpty() {
  model_.CheckAllGone();
  SIM_EXPECT(calls_.empty(), "a call was never ended");
  SIM_EXPECT(asked_.empty(), "a submit was never answered");
  SIM_EXPECT(awaiting_.empty(), "an await was never ended");
  for (const auto& shard : shards_) {
    shard->CheckInvariants();
    const core::ShardStats stats = shard->Ask(core::GetStats());
    const uint64_t left = stats.futures + stats.pending + stats.waits + stats.streams + stats.calls + stats.links +
                          stats.pins + stats.request_ids + stats.groups + stats.timers;
    SIM_EXPECT(left == 0, fmt::format("left behind: {} futures, {} waits, {} streams, {} calls, {} links, {} pins, {} "
                                      "request ids, {} groups, {} timers",
                                      stats.futures, stats.waits, stats.streams, stats.calls, stats.links, stats.pins,
                                      stats.request_ids, stats.groups, stats.timers));
  }
}

}  // namespace muster::simulation
