#include "service/core/kinds/combinator.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "absl/container/flat_hash_map.h"

#include "service/base/check.h"
#include "service/base/reason.h"
#include "service/core/completion.h"
#include "service/core/interest/calls.h"
#include "service/core/interest/remote.h"
#include "service/core/kinds/kind.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/record/restoring.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

struct IdHash {
  size_t operator()(const FutureId& id) const { return std::hash<FutureId>()(id); }
};

uint32_t DepthOf(const Future& future) {
  const Combinator* combinator = future.combinator_or_null();
  return combinator != nullptr ? combinator->depth : 0;
}

absl::Status CheckDepth(const Turn& turn, uint32_t depth) {
  if (depth <= turn.options.nesting_max) return absl::OkStatus();
  return base::Refuse(
      base::Reason::kNestingTooDeep,
      fmt::format("combinators would nest {} deep; at most {} are allowed: gather the inner futures directly", depth,
                  turn.options.nesting_max),
      "future");
}

// Takes those who wait for the answer, none of them open as a call any more.
std::vector<Asker> TakeAskers(Turn& turn, Future& future) {
  std::vector<Asker> askers = std::exchange(future.combinator().askers, {});
  for (const Asker& asker : askers) {
    if (!asker.attach) continue;
    turn.interest.open.Erase(asker.token);
    turn.interest.open.CountCall(-1);
  }
  return askers;
}

void RefuseAskers(Turn& turn, Future& future, const absl::Status& refusal) {
  for (const Asker& asker : TakeAskers(turn, future)) RefuseSubmit(turn, asker.token, refusal);
}

// semantics 55, of an inner in another shard
void AnswerShieldOfDone(Turn& turn, Future& shield) {
  const MemberLink& inner = shield.combinator().members[0];
  Completion completion;
  completion.id = inner.id;
  completion.state = inner.remote.state;
  completion.outcome = inner.remote.outcome;
  bool repeated = false;
  for (const Asker& asker : TakeAskers(turn, shield)) {
    Submitted answer;
    answer.token = asker.token;
    answer.id = inner.id;
    answer.state = inner.remote.state;
    answer.deduplicated = std::exchange(repeated, true);
    turn.Emit(std::move(answer));
    if (!asker.attach) continue;
    CallEnded ended;
    ended.token = asker.token;
    ended.completion = completion;
    turn.Emit(std::move(ended));
  }
  while (RequestEntry* entry = shield.cold->requests.PopFront()) {
    entry->future = nullptr;
    entry->id = inner.id;
    entry->elsewhere = std::make_unique<const Completion>(completion);
    turn.timers.Add(*entry, base::Later(turn.now, entry->window));
    turn.changes.Mark(*entry);
  }
}

// It never was: no effect says a word of it.
void Discard(Turn& turn, Future& future) {
  ReleaseMembers(turn, future);
  while (RequestEntry* entry = future.cold->requests.PopFront()) turn.changes.Forget(*entry, turn.requests);
  Expire(turn, future);
}

// Members that were done before, in the order of the input, as CPython's gather looks at them.
void Evaluate(Turn& turn, Future& future) {
  Combinator& combinator = future.combinator();
  if (const auto begin = KindOf(future.kind).begin) begin(turn, future);
  for (uint32_t at = 0; at < combinator.count; ++at) {
    if (IsDone(StateOf(combinator.members[at]))) MemberDone(turn, combinator.members[at]);
  }
}

// Whether all members are known decides if the submit can be answered.
void Answered(Turn& turn, Future& future) {
  Combinator& combinator = future.combinator();
  if (combinator.unanswered > 0) return;
  if (!combinator.refused.empty()) {
    RefuseAskers(turn, future, combinator.refused.Refusal());
    return Discard(turn, future);
  }
  if (absl::Status deep = CheckDepth(turn, combinator.depth); !deep.ok()) {
    RefuseAskers(turn, future, deep);
    return Discard(turn, future);
  }
  if (KindOf(future.kind).is_inner_when_done && IsDone(combinator.members[0].remote.state)) {
    AnswerShieldOfDone(turn, future);
    return Discard(turn, future);
  }
  Announce(turn, future);
  Evaluate(turn, future);
  const bool drop = future.drop_when_delivered;
  bool repeated = false;
  bool attached = false;
  for (const Asker& asker : TakeAskers(turn, future)) {
    // Opened again, as a call of a future that all can see.
    AnswerSubmit(turn, future, asker.token, asker.attach, repeated);
    repeated = true;
    attached = attached || asker.attach;
  }
  if (drop && !attached) {
    future.drop_when_delivered = false;
    future.retention = turn.options.undelivered_retention;
    if (future.done()) Arm(turn, future, base::Later(future.end_time, future.retention));
    turn.changes.Mark(future);
  }
}

void BuildMembers(Turn& turn, Future& future, const MemberPlan& plan) {
  Combinator& combinator = future.combinator();
  combinator.count = static_cast<uint32_t>(plan.members.size());
  combinator.depth = plan.depth;
  combinator.positions = plan.positions;
  combinator.members.reset(new MemberLink[combinator.count]);
  future.bytes += SizeOfMembers(combinator);
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    member.combinator = &future;
    member.id = plan.members[at].id;
    member.times = plan.members[at].times;
    if (plan.members[at].here != nullptr) {
      turn.interest.links.Connect(member, *plan.members[at].here);
    } else {
      turn.interest.links.OpenRemote(member.remote);
      ++combinator.unanswered;
      SubscribeTo(turn, member.id, future, at, /*relink=*/false);
    }
  }
}

// What its shard says of a member. Only the first answer says how deep it nests.
void OnAnswer(Turn& turn, MemberLink& member, TargetState& target, uint32_t depth) {
  Future& subscriber = *member.combinator;
  Combinator& combinator = subscriber.combinator();
  const bool first = !member.remote.subscribed;
  member.remote.subscribed = true;
  if (IsDone(target.state) && !IsDone(member.remote.state)) {
    member.remote.state = target.state;
    member.remote.outcome = std::move(target.outcome);
    member.remote.cancels_taken = CancelsTaken(member.remote, target);
  }
  if (first) {
    --combinator.unanswered;
    if (combinator.relinking) return turn.restoring->MemberAnswered(turn, subscriber, member, depth);
    combinator.depth = std::max(combinator.depth, depth + 1);
    return Answered(turn, subscriber);
  }
  if (IsDone(member.remote.state)) MemberDone(turn, member);
}

}  // namespace

absl::Status PlanMembers(Turn& turn, const Submit& command, const FutureId* input, size_t count, MemberPlan& plan) {
  Missing missing;
  absl::flat_hash_map<FutureId, uint32_t, IdHash> elsewhere;
  const uint64_t first_stamp = turn.futures.last_stamp() + 1;  // member i is stamped first_stamp + i
  plan.positions.reserve(count);
  for (size_t at = 0; at < count; ++at) {
    const FutureId& id = input[at];
    const uint32_t next = static_cast<uint32_t>(plan.members.size());
    uint32_t position = next;
    Future* here = nullptr;
    if (turn.futures.IsHere(id)) {
      here = turn.futures.Find(command.ns, id);
      if (here == nullptr) {
        missing.Add(id, turn.futures.WhyMissing(command.ns, id));
      } else if (here->stamp >= first_stamp) {
        position = static_cast<uint32_t>(here->stamp - first_stamp);
      } else {
        here->stamp = turn.futures.NewStamp();
        plan.depth = std::max(plan.depth, DepthOf(*here) + 1);
      }
    } else if (turn.futures.MayBeElsewhere(id, command.ns_tag)) {
      position = elsewhere.emplace(id, next).first->second;
      if (position == next) turn.futures.NewStamp();
    } else {
      missing.Add(id, base::Reason::kFutureNotFound);
    }
    if (!missing.empty()) continue;
    if (position == next) {
      plan.members.push_back({id, here, 1});
    } else {
      ++plan.members[position].times;
    }
    plan.positions.push_back(position);
  }
  if (!missing.empty()) return missing.Refusal();
  if (plan.members.size() == count) plan.positions.clear();
  return CheckDepth(turn, plan.depth);
}

void MakeCombinator(Turn& turn, Submit& command, FutureKind kind, CombinatorState state, const MemberPlan& plan) {
  Future& future = NewFuture(turn, command, kind);
  Cold& cold = ColdOf(future);
  cold.combinator = std::make_unique<Combinator>();
  cold.combinator->state = std::move(state);
  BuildMembers(turn, future, plan);
  AddAsker(turn, future, command.token, command.attach);
  Answered(turn, future);
}

void AddAsker(Turn& turn, Future& combinator, Token token, bool attach) {
  combinator.combinator().askers.push_back({token, attach});
  if (!attach) return;
  turn.interest.open.CountCall(1);
  turn.interest.open.Add(token, CallOf{&combinator});
}

void MemberDone(Turn& turn, MemberLink& member) {
  Future& future = *member.combinator;
  if (!future.announced || member.settled) return;
  member.settled = true;
  KindOf(future.kind).member_done(turn, future, member);
}

void OnMemberSubscribed(Turn& turn, MemberLink& member, Subscribed& message) {
  if (!message.refusal) return OnAnswer(turn, member, message.target, message.depth);
  if (member.remote.subscribed) return;
  member.remote.subscribed = true;
  turn.interest.links.CloseRemote(member.remote);
  Combinator& combinator = member.combinator->combinator();
  combinator.refused.Add(member.id, *message.refusal);
  --combinator.unanswered;
  if (combinator.relinking) return turn.restoring->MemberAnswered(turn, *member.combinator, member, 0);
  Answered(turn, *member.combinator);
}

void OnMemberSettled(Turn& turn, MemberLink& member, TargetState& target) { OnAnswer(turn, member, target, 0); }

void ReleaseMembers(Turn& turn, Future& future) {
  Combinator& combinator = future.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    MemberLink& member = combinator.members[at];
    turn.interest.links.Release(member, turn.doomed);
    if (!member.remote.in_use) continue;
    turn.interest.links.CloseRemote(member.remote);
    UnsubscribeFrom(turn, member.id, future, at);
  }
}

int64_t SizeOfMembers(const Combinator& combinator) {
  return static_cast<int64_t>(combinator.count * sizeof(MemberLink) + combinator.positions.size() * sizeof(uint32_t));
}

const char* DamageOfCombinator(const FutureRecord& record) {
  constexpr uint32_t kDepthMax = 1000;
  if (!IsDone(record.state) && record.state != State::kPending) return "its state does not fit its kind";
  if (record.combinator->depth == 0 || record.combinator->depth > kDepthMax) return "it nests too deep";
  return nullptr;
}

void CheckCombinator(const Future& future) {
  if (!future.announced || future.done()) return;
  const Combinator& combinator = future.combinator();
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const MemberLink& member = combinator.members[at];
    MUSTER_CHECK(member.member != nullptr || member.remote.in_use) << "a live combinator has lost a member";
    MUSTER_CHECK(IsDone(StateOf(member)) == member.settled) << "a combinator was not told";
  }
}

}  // namespace muster::core
