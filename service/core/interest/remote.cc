#include "service/core/interest/remote.h"

#include <utility>
#include <variant>

#include "service/core/completion.h"
#include "service/core/interest/awaits.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/combinator.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

// Cancels are counted with the future, not with the link, so that the count survives a crash as the future does.
RemoteCancelRecord* CancelsOf(Future& target, const RemoteLink& link) {
  if (!target.cold || !target.cold->remote_cancels) return nullptr;
  for (RemoteCancelRecord& cancels : *target.cold->remote_cancels) {
    if (cancels.subscriber == link.subscriber && cancels.index == link.index) return &cancels;
  }
  return nullptr;
}

TargetState StateFor(Turn& turn, const RemoteLink& link) {
  Future& target = *link.member;
  TargetState state;
  state.state = target.state;
  if (!target.done()) return state;
  state.outcome = CompletionOf(turn, target, true).outcome;
  const RemoteCancelRecord* cancels = CancelsOf(target, link);
  if (target.cancel_missed) return state;
  state.cancels_taken = cancels == nullptr ? 0 : cancels->taken;
  state.cancel_walk = target.cancel_walk;
  return state;
}

// --- In the member's shard ------------------------------------------------------------------------------------------

void On(Turn& turn, Subscribe& message) {
  Subscribed answer;
  answer.link = message.link;
  const ShardIndex back = message.link.subscriber.shard;
  RemoteLink* link = turn.interest.remotes.Find(message.link);
  if (link == nullptr) {
    Future* target = message.relink ? turn.futures.FindExact(message.link.target)
                                    : turn.futures.Find(message.link.ns, message.link.target);
    if (target == nullptr) {
      answer.refusal = turn.futures.WhyMissing(message.link.ns, message.link.target);
      return Send(turn, back, std::move(answer));
    }
    link = &turn.interest.remotes.Add(message.link);
    turn.interest.links.Connect(*link, *target);
  }
  const Combinator* combinator = link->member->combinator_or_null();
  answer.depth = combinator != nullptr ? combinator->depth : 0;
  answer.target = StateFor(turn, *link);
  Send(turn, back, std::move(answer));
}

void On(Turn& turn, Unsubscribe& message) {
  RemoteLink* const link = turn.interest.remotes.Find(message.link);
  if (link == nullptr) return;
  if (Future* target = link->member; target != nullptr && target->cold && target->cold->remote_cancels) {
    std::erase_if(*target->cold->remote_cancels, [&](const RemoteCancelRecord& cancels) {
      return cancels.subscriber == link->subscriber && cancels.index == link->index;
    });
  }
  turn.interest.links.Release(*link, turn.doomed);
  turn.interest.remotes.Erase(message.link);
}

void On(Turn& turn, CancelMember& message) {
  RemoteLink* const link = turn.interest.remotes.Find(message.link);
  if (link == nullptr) return;
  Future& target = *link->member;
  RemoteCancelRecord* cancels = CancelsOf(target, *link);
  const uint32_t seen = cancels == nullptr ? 0 : cancels->seen;
  if (message.times <= seen) return;
  const uint32_t times = message.times - seen;
  if (cancels == nullptr) {
    RemoteCancelRecord fresh;
    fresh.subscriber = link->subscriber;
    fresh.index = link->index;
    std::unique_ptr<std::vector<RemoteCancelRecord>>& all = ColdOf(target).remote_cancels;
    if (!all) all = std::make_unique<std::vector<RemoteCancelRecord>>();
    cancels = &all->emplace_back(fresh);
  }
  cancels->seen = message.times;
  turn.changes.Mark(target);
  if (!CancelFuture(turn, target, message.message, times, message.way)) return;
  // The cancel may have made others, and moved them.
  CancelsOf(target, *link)->taken += times;
}

// --- In the subscriber's shard --------------------------------------------------------------------------------------

// Whoever has subscribed: a member of a combinator, or an await. Both null when nobody wants the answer any more.
struct Subscriber {
  MemberLink* member = nullptr;
  AwaitLink* await = nullptr;
};

Subscriber FindSubscriber(Turn& turn, const Subscription& of) {
  Future* future = turn.futures.FindExact(of.subscriber);
  Subscriber found;
  if (future == nullptr || future->cold == nullptr) return found;
  if (Combinator* combinator = future->combinator_or_null(); combinator != nullptr && of.index < combinator->count) {
    MemberLink& member = combinator->members[of.index];
    if (member.remote.in_use && member.id == of.target) found.member = &member;
  }
  AwaitLink* await = future->open_await();
  if (found.member == nullptr && await != nullptr && await->remote.in_use && await->count == of.index &&
      await->target == of.target) {
    found.await = await;
  }
  return found;
}

void SayUnwanted(Turn& turn, const Subscription& of) {
  Unsubscribe unsubscribe;
  unsubscribe.link = of;
  Send(turn, of.target.shard, unsubscribe);
}

void On(Turn& turn, Subscribed& message) {
  const Subscriber to = FindSubscriber(turn, message.link);
  if (to.member != nullptr) return OnMemberSubscribed(turn, *to.member, message);
  if (to.await != nullptr) return OnAwaitSubscribed(turn, *to.await, message);
  if (!message.refusal) SayUnwanted(turn, message.link);
}

void On(Turn& turn, Settled& message) {
  const Subscriber to = FindSubscriber(turn, message.link);
  if (to.member != nullptr) return OnMemberSettled(turn, *to.member, message.target);
  if (to.await != nullptr) return OnAwaitSettled(turn, *to.await, message.target);
  SayUnwanted(turn, message.link);
}

}  // namespace

uint32_t CancelsTaken(const Remote& remote, const TargetState& target) {
  return remote.walk != 0 && remote.walk == target.cancel_walk ? remote.cancels_sent : target.cancels_taken;
}

void OnMessage(Turn& turn, ShardMessage& message) {
  std::visit([&turn](auto& each) { On(turn, each); }, message);
}

void SendSettled(Turn& turn, RemoteLink& link) {
  Settled settled;
  settled.link.target = turn.futures.IdOf(*link.member);
  settled.link.subscriber = link.subscriber;
  settled.link.index = link.index;
  settled.link.ns = link.ns;
  settled.target = StateFor(turn, link);
  Send(turn, link.subscriber.shard, std::move(settled));
}

void Send(Turn& turn, ShardIndex shard, ShardMessage message) {
  SendToShard send;
  send.shard = shard;
  send.message = std::move(message);
  turn.Emit(std::move(send));
}

void SubscribeTo(Turn& turn, const FutureId& target, const Future& subscriber, uint32_t index, bool relink) {
  Subscribe subscribe;
  subscribe.link.target = target;
  subscribe.link.subscriber = turn.futures.IdOf(subscriber);
  subscribe.link.index = index;
  subscribe.link.ns = subscriber.ns;
  subscribe.relink = relink;
  Send(turn, target.shard, subscribe);
}

void UnsubscribeFrom(Turn& turn, const FutureId& target, const Future& subscriber, uint32_t index) {
  Unsubscribe unsubscribe;
  unsubscribe.link.target = target;
  unsubscribe.link.subscriber = turn.futures.IdOf(subscriber);
  unsubscribe.link.index = index;
  unsubscribe.link.ns = subscriber.ns;
  Send(turn, target.shard, unsubscribe);
}

}  // namespace muster::core
