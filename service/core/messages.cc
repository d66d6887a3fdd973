// Between shards: a combinator or an await here whose member lives there, and the other way round.
//
// Each message may come twice, and those of one pair of shards come in order. A subscription is known by (subscriber,
// index); what is no longer wanted is answered with kUnsubscribe, so that a late repetition leaves nothing behind.
#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
void Shard::Impl::Send(ShardIndex shard, ShardMessage message) {
  SendToShard send;
  send.shard = shard;
  send.message = std::move(message);
  Emit(std::move(send));
}

void Shard::Impl::SubscribeTo(const FutureId& target, const Future& subscriber, uint32_t index, bool relink) {
  ShardMessage message;
  message.relink = relink;
  message.kind = ShardMessage::Kind::kSubscribe;
  message.target = target;
  message.subscriber = IdOf(subscriber);
  message.index = index;
  message.ns = subscriber.ns;
  Send(target.shard, std::move(message));
}

void Shard::Impl::UnsubscribeFrom(const FutureId& target, const FutureId& subscriber, uint32_t index, NamespaceId ns) {
  ShardMessage message;
  message.kind = ShardMessage::Kind::kUnsubscribe;
  message.target = target;
  message.subscriber = subscriber;
  message.index = index;
  message.ns = ns;
  Send(target.shard, std::move(message));
}

void Shard::Impl::Message(ShardMessage& message) {
  switch (message.kind) {
    case ShardMessage::Kind::kSubscribe:
      return OnSubscribe(message);
    case ShardMessage::Kind::kSubscribed:
    case ShardMessage::Kind::kSettled:
      return OnAnswer(message);
    case ShardMessage::Kind::kUnsubscribe:
      return OnUnsubscribe(message);
    case ShardMessage::Kind::kCancelMember:
      return OnCancelMember(message);
  }
}

// --- In the member's shard ------------------------------------------------------------------------------------------

void Shard::Impl::OnSubscribe(ShardMessage& message) {
  ShardMessage answer;
  answer.kind = ShardMessage::Kind::kSubscribed;
  answer.target = message.target;
  answer.subscriber = message.subscriber;
  answer.index = message.index;
  answer.ns = message.ns;
  const RemoteKey key{message.subscriber, message.index};
  const auto known = remote_links_.find(key);
  RemoteLink* link = known == remote_links_.end() ? nullptr : known->second.get();
  if (link == nullptr) {
    Future* target = message.relink ? FindExact(message.target) : Find(message.ns, message.target);
    if (target == nullptr) {
      answer.refusal = static_cast<int>(WhyMissing(message.ns, message.target));
      return Send(message.subscriber.shard, std::move(answer));
    }
    auto fresh = std::make_unique<RemoteLink>();
    link = fresh.get();
    link->subscriber = message.subscriber;
    link->index = message.index;
    link->ns = message.ns;
    Connect(*link, *target);
    remote_links_.emplace(key, std::move(fresh));
  }
  FillAnswer(answer, *link);
  Send(message.subscriber.shard, std::move(answer));
}

void Shard::Impl::FillAnswer(ShardMessage& message, const RemoteLink& link) {
  Future& target = *link.member;
  message.state = target.state;
  message.depth = target.cold && target.cold->combinator ? target.cold->combinator->depth : 0;
  if (!target.done()) return;
  message.outcome = CompletionOf(target, true).outcome;
  const RemoteCancelRecord* cancels = RemoteCancelsOf(target, link);
  message.times = target.cancel_missed || cancels == nullptr ? 0 : cancels->taken;
}

void Shard::Impl::SendSettled(RemoteLink& link) {
  ShardMessage message;
  message.kind = ShardMessage::Kind::kSettled;
  message.target = IdOf(*link.member);
  message.subscriber = link.subscriber;
  message.index = link.index;
  message.ns = link.ns;
  FillAnswer(message, link);
  Send(link.subscriber.shard, std::move(message));
}

// Cancels are counted with the future, not with the link, so that the count survives a crash as the future does.
RemoteCancelRecord* Shard::Impl::RemoteCancelsOf(Future& target, const RemoteLink& link) {
  if (!target.cold) return nullptr;
  for (RemoteCancelRecord& cancels : target.cold->remote_cancels) {
    if (cancels.subscriber == link.subscriber && cancels.index == link.index) return &cancels;
  }
  return nullptr;
}

void Shard::Impl::OnUnsubscribe(const ShardMessage& message) {
  const auto known = remote_links_.find(RemoteKey{message.subscriber, message.index});
  if (known == remote_links_.end()) return;
  if (Future* target = known->second->member; target != nullptr && target->cold) {
    std::erase_if(target->cold->remote_cancels, [&](const RemoteCancelRecord& cancels) {
      return cancels.subscriber == message.subscriber && cancels.index == message.index;
    });
  }
  Release(*known->second);
  remote_links_.erase(known);
}

void Shard::Impl::OnCancelMember(const ShardMessage& message) {
  const auto known = remote_links_.find(RemoteKey{message.subscriber, message.index});
  if (known == remote_links_.end()) return;
  RemoteLink& link = *known->second;
  Future& target = *link.member;
  RemoteCancelRecord* cancels = RemoteCancelsOf(target, link);
  const uint32_t seen = cancels == nullptr ? 0 : cancels->seen;
  if (message.times <= seen) return;
  const uint32_t times = message.times - seen;
  if (cancels == nullptr) {
    RemoteCancelRecord fresh;
    fresh.subscriber = link.subscriber;
    fresh.index = link.index;
    cancels = &ColdOf(target).remote_cancels.emplace_back(fresh);
  }
  cancels->seen = message.times;
  MarkChanged(target);
  if (!CancelFuture(target, message.message, times, message.depth, message.walk)) return;
  // The cancel may have made others, and moved them.
  RemoteCancelsOf(target, link)->taken += times;
}

// --- In the subscriber's shard --------------------------------------------------------------------------------------

void Shard::Impl::OnAnswer(ShardMessage& message) {
  Future* subscriber = FindExact(message.subscriber);
  if (subscriber != nullptr && subscriber->cold != nullptr) {
    if (subscriber->cold->combinator && message.index < subscriber->cold->combinator->count) {
      MemberLink& member = subscriber->cold->combinator->members[message.index];
      if (member.remote.in_use && member.id == message.target) return OnMemberAnswer(*subscriber, member, message);
    }
    AwaitLink* await = subscriber->open_await();
    if (await != nullptr && await->remote.in_use && await->count == message.index && await->target == message.target) {
      return OnAwaitAnswer(*await, message);
    }
  }
  // Nobody wants it any more.
  if (message.refusal < 0) UnsubscribeFrom(message.target, message.subscriber, message.index, message.ns);
}

void Shard::Impl::OnMemberAnswer(Future& subscriber, MemberLink& member, ShardMessage& message) {
  Combinator& combinator = subscriber.combinator();
  const bool first = !member.remote.subscribed;
  member.remote.subscribed = true;
  if (message.refusal >= 0) {
    if (!first) return;
    member.remote.in_use = false;
    --links_;
    if (combinator.refused.size() < kMissingNamed) combinator.refused.emplace_back(member.id, message.refusal);
    ++combinator.refused_count;
  } else if (IsDone(message.state) && !IsDone(member.remote.state)) {
    member.remote.state = message.state;
    member.remote.outcome = std::move(message.outcome);
    member.remote.cancels_taken = message.times;
  }
  if (first && combinator.relinking) {
    --combinator.unanswered;
    if (message.depth >= combinator.depth) SayDamaged(subscriber, "a member nests as deep: " + member.id.ToText());
    return Relinked(subscriber);
  }
  if (first) {
    combinator.depth = std::max(combinator.depth, message.depth + 1);
    --combinator.unanswered;
    return Answered(subscriber);
  }
  if (IsDone(member.remote.state)) MemberDone(member);
}

void Shard::Impl::OnAwaitAnswer(AwaitLink& await, ShardMessage& message) {
  await.remote.subscribed = true;
  if (message.refusal >= 0) {
    AwaitEnded ended;
    ended.token = await.token;
    ended.job = IdOf(*await.job);
    ended.refusal = RefuseMissing({{await.target, message.refusal}}, 1);
    const bool cancelled = await.remote.cancels_sent > 0;
    const std::string cancel_message = std::move(await.cancel_message);
    await.remote.in_use = false;  // there is nothing to unsubscribe from
    --links_;
    DropAwait(await);
    Emit(std::move(ended));
    if (cancelled) CancelBody(*await.job, cancel_message, false);
    return;
  }
  if (!IsDone(message.state)) return;
  Completion completion;
  completion.id = await.target;
  completion.state = message.state;
  completion.outcome = std::move(message.outcome);
  AwaitTargetDone(await, std::move(completion), message.times < await.remote.cancels_sent);
}

}  // namespace muster::core
