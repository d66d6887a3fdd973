// The shard's insides. One class, because every transition touches futures, links, timers and effects together; its
// functions are told apart by idea, a file each: futures (records and links), completion (what follows the end of a
// future), jobs, promises, combinators, wait_for, cancel, awaits, waits, streams, messages, retention, views.
//
// Two rules carry the whole:
// - A transition never calls into those who wait for it. Complete() puts the future on a queue, and the queue is
// emptied
//   before the call returns, first done, first told (semantics 16). So nothing recurses, whatever hangs on a future.
// - A future is never freed in the middle of a call, only in Finish(). So a pointer to a future is good for the whole
// call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "service/base/reason.h"
#include "service/base/slab.h"
#include "service/core/detail/future.h"
#include "service/core/detail/groups.h"
#include "service/core/detail/request_ids.h"
#include "service/core/shard.h"

namespace muster::core {

class Shard::Impl {
 public:
  explicit Impl(ShardOptions options);
  ~Impl();

  bool frozen() const { return !frozen_refusal_.ok(); }
  const absl::Status& frozen_refusal() const { return frozen_refusal_; }

  // Every command runs between these two.
  void Begin(base::Instant now, Effects& out);
  void Finish();

  void Submit(core::Submit& command);
  void SettlePromise(core::SettlePromise& command);
  void JobStarted(const core::JobStarted& command);
  void JobEnded(core::JobEnded& command);
  void JobProgress(core::JobProgress& command);
  void Cancel(core::Cancel& command);
  void Uncancel(const core::Uncancel& command);
  void Await(const core::Await& command);
  void AttachWait(const core::AttachWait& command);
  void AttachStream(const core::AttachStream& command);
  void Detach(const core::Detach& command);
  void Message(core::ShardMessage& message);
  void Tick(bool only_earliest);
  absl::Status Delete(NamespaceId ns, const FutureId& id);
  void Delete(const core::Delete& command);
  void Relink(uint32_t depth);
  absl::Status FinishRelinking();
  bool Resume(size_t max);

  // frozen.cc: what each command comes to then
  void WhileFrozen(const core::Submit& command);
  void WhileFrozen(const core::SettlePromise& command);
  void WhileFrozen(const core::Cancel& command);
  void WhileFrozen(const core::Delete& command);
  void WhileFrozen(const core::Await& command);
  void WhileFrozen(const core::AttachWait& command);
  void WhileFrozen(const core::AttachStream& command);
  void WhileFrozen(const core::Detach& command);
  void WhileFrozen(const core::JobStarted&) {}
  void WhileFrozen(const core::JobEnded&) {}
  void WhileFrozen(const core::JobProgress&) {}
  void WhileFrozen(const core::Uncancel&) {}
  void WhileFrozen(const core::ShardMessage&) {}

  // Outside of Begin and Finish: they have no effects.
  bool HasChanges() const;
  void TakeChanges(ChangeSink& sink, uint64_t batch);
  absl::Status Restore(const FutureRecord& record);
  absl::Status RestoreInput(const FutureId& id, Payload input);
  absl::Status RestoreMembers(const FutureId& id, const MembersRecord& members);
  absl::Status Restore(const RequestRecord& record);
  void Restore(const MarksRecord& marks);
  uint32_t FinishRestoring();
  void ForEachRestored(const std::function<void(const Changed&)>& visit) const;
  void Freeze(uint64_t durable_batch, absl::Status refusal);
  absl::Status CheckReadable() const;
  base::Instant NextDeadline() const;
  StreamStatus TakeCompletions(Token token, size_t max, bool take_outcomes, std::vector<Completion>& out);
  absl::StatusOr<FutureView> Get(NamespaceId ns, const FutureId& id, bool take_outcome);
  OutcomeRef TakeOutcome(NamespaceId ns, const FutureId& id, bool also_failed);
  std::vector<FutureView> List(const ListFutures& query, uint64_t* next) const;
  std::vector<FutureId> GroupMembers(NamespaceId ns, const std::string& group) const;
  void KnowNamespace(NamespaceId ns, uint16_t ns_tag) { ns_tags_[ns] = ns_tag; }
  ShardStats Stats() const;
  uint64_t RequestIdCount() const { return request_ids_.size(); }
  void CheckInvariants() const;

 private:
  struct Opened {
    enum class Kind : uint8_t { kWait, kStream, kCall, kAwait };
    Kind kind;
    void* what;  // a Wait or Stream, owned; a Future
  };
  struct RemoteKey {
    FutureId subscriber;
    uint32_t index = 0;
    friend bool operator==(const RemoteKey&, const RemoteKey&) = default;
  };
  struct RemoteKeyHash {
    size_t operator()(const RemoteKey& key) const {
      return std::hash<FutureId>()(key.subscriber) + key.index * size_t{0x9E3779B97F4A7C15};
    }
  };
  // The distinct members of a set, or why there are none.
  struct Resolved {
    absl::Status refusal;
    std::vector<Future*> members;
    std::vector<FutureId> vanished;
  };

  // futures.cc: records, ids, links, timers
  Future& NewFuture(core::Submit& command, FutureKind kind);
  void IndexCreated(Future& future);
  static int64_t SizeOfOptions(const Options& options);
  static Cold& ColdOf(Future& future);
  FutureId IdOf(const Future& future) const;
  Future* FindExact(const FutureId& id);
  Future* Find(NamespaceId ns, const FutureId& id);  // null: WhyMissing says why
  base::Reason WhyMissing(NamespaceId ns, const FutureId& id) const;
  static absl::Status RefuseMissing(const std::vector<std::pair<FutureId, int>>& first, size_t count);
  Resolved Resolve(NamespaceId ns, const FutureSet& set, bool keep_vanished);
  void Connect(Link& link, Future& member);
  void Release(Link& link);
  void Arm(Future& future, base::Instant when);
  void Disarm(ShardTimer& timer) { timers_.Remove(timer); }
  void Open(Token token, Opened::Kind kind, void* what);
  void EraseFuture(Future& future);
  template <typename E>
  void Emit(E effect) {
    out_->emplace_back(std::move(effect));
  }
  // Made in place, for those of every job. Good until the next one.
  template <typename E>
  E& Emit() {
    return std::get<E>(out_->emplace_back(std::in_place_type<E>));
  }

  // changes.cc: what a journal must be told
  void MarkChanged(Future& future) {
    if (!options_.journaled || future.dirty || !future.announced) return;
    future.dirty = true;
    dirty_.push_back(future.slot);
  }
  void MarkChanged(RequestEntry& entry);
  bool HasUntaken() const;
  void MarkGone(const Future& future);
  void ForgetRequest(RequestEntry& entry);
  void TakeFuture(Future& future, ChangeSink& sink);
  void FillRecord(const Future& future);
  bool Unsaved(const Future& future) const { return future.dirty || future.saved_in > durable_batch_; }

  // completion.cc: what follows
  static int64_t HeldBytes(const Outcome& outcome);
  void EmitChanged(Future& future, State from, bool created, int64_t bytes);
  void Move(Future& future, State to);
  void Complete(Future& future, State state, OutcomeRef outcome);
  Completion CompletionOf(Future& future, bool take_outcome);
  void Drain();
  void TellAll(Future& future);
  void Tell(Link& link);
  void DeliverCall(Future& future, Token token);

  // submit (shard.cc)
  bool AnswerRepeated(core::Submit& command);
  void Announce(Future& future);
  void AnswerSubmit(Future& future, Token token, bool attach, bool deduplicated);
  void AttachCall(Future& future, Token token);
  void DetachCall(Future& future, Token token);

  // jobs.cc
  void SubmitJob(core::Submit& command);
  void Start(Future& job);
  void StartAgain(Future& job);
  void EmitStart(Future& job);
  void Run(Future& job);
  Future* FindJob(const FutureId& id, uint32_t attempt);
  void EndJob(Future& job, OutcomeRef outcome);
  void Withdraw(Future& job);
  void QueueTimedOut(Future& job);
  void RunTimedOut(Future& job);
  void SubmitPromise(core::Submit& command);

  // combinators.cc
  struct Plan;
  void SubmitCombinator(core::Submit& command);
  absl::Status PlanMembers(const core::Submit& command, Plan& plan);
  void AnswerShieldOfDone(core::Submit& command, Future& inner);
  void BuildMembers(Future& future, const Plan& plan);
  static int64_t SizeOfMembers(const Combinator& combinator);
  void AddAsker(Future& combinator, Token token, bool attach);
  void Answered(Future& combinator);
  void RefuseAskers(Future& combinator, const absl::Status& refusal);
  void AnswerShieldOfDoneElsewhere(Future& shield);
  void Discard(Future& combinator);
  void Evaluate(Future& combinator);
  void MemberDone(MemberLink& member);
  void GatherMemberDone(Future& gather, MemberLink& member);
  void EndGather(Future& gather);
  void ShieldInnerDone(Future& shield, MemberLink& inner);
  void ReleaseMembers(Future& combinator);
  absl::Status CheckDepth(uint32_t depth) const;

  // wait_for.cc
  void StartWaitFor(Future& wait_for);
  void WaitForInnerDone(Future& wait_for, MemberLink& member);
  void WaitForTimer(Future& wait_for);

  // cancel.cc
  struct CancelWalk;
  uint64_t NewWalk();
  bool CancelFuture(Future& root, const std::string& message, uint32_t times = 1, uint32_t hops = 0, uint64_t walk = 0);
  void CancelInner(Future& wait_for, const std::string& message, uint32_t times);
  void CancelStep(CancelWalk& walk, Future& future, uint32_t times);
  void CancelAgain(CancelWalk& walk, Future& future, uint32_t times);
  void CancelJobStep(CancelWalk& walk, Future& job, uint32_t times);
  void CancelGatherStep(CancelWalk& walk, Future& gather, uint32_t times);
  void CancelWaitForStep(CancelWalk& walk, Future& wait_for, uint32_t times);
  void CountCancel(Future& job, const std::string& message, uint32_t times);
  void CancelBody(Future& job, const std::string& message, bool abandoned, uint32_t times = 1);
  bool PassCancel(CancelWalk& walk, Future& target, uint32_t times);
  void SendCancel(CancelWalk& walk, const Future& asker, uint32_t index, const FutureId& target, Remote& remote,
                  uint32_t times);
  void SendCancelAgain(Future& combinator, uint32_t at);
  static bool WouldTake(const Future& future);

  // awaits.cc
  void RefuseAwait(const core::Await& command, absl::Status refusal);
  void AwaitTargetDone(AwaitLink& await, Completion completion, bool missed);
  void EndAwait(AwaitLink& await, Completion completion);
  void EndAwaitCancelled(AwaitLink& await, const std::string& message);
  void CloseAwait(Future& job);
  void DropAwait(AwaitLink& await);

  // waits.cc, streams.cc
  void ReportWait(Token token, WaitEnd end, bool take_outcomes, const std::vector<Future*>& members);
  void EndWait(Wait& wait, WaitEnd end);
  void CloseWait(Wait& wait);
  void WaitMemberDone(Wait& wait, const Future& member);
  void StreamMemberDone(StreamLink& link);
  void StreamTimedOut(Stream& stream);
  void TellReader(Stream& stream);
  void CloseStream(Stream& stream);

  // messages.cc
  void SubscribeTo(const FutureId& target, const Future& subscriber, uint32_t index, bool relink);
  static RemoteCancelRecord* RemoteCancelsOf(Future& target, const RemoteLink& link);
  void UnsubscribeFrom(const FutureId& target, const FutureId& subscriber, uint32_t index, NamespaceId ns);
  void Send(ShardIndex shard, ShardMessage message);
  void OnSubscribe(ShardMessage& message);
  void OnAnswer(ShardMessage& message);
  void OnMemberAnswer(Future& subscriber, MemberLink& member, ShardMessage& message);
  void OnAwaitAnswer(AwaitLink& await, ShardMessage& message);
  void OnUnsubscribe(const ShardMessage& message);
  void OnCancelMember(const ShardMessage& message);
  void SendSettled(RemoteLink& link);
  void FillAnswer(ShardMessage& message, const RemoteLink& link);

  // restore.cc
  absl::Status CheckRecord(const FutureRecord& record) const;
  void RestoreCold(Future& future, const FutureRecord& record);
  void EndWhatCannotRunAgain(Future& job);
  void RelinkOne(Future& combinator);
  void Relinked(Future& combinator);
  bool RelinkDoneGather(Future& gather);
  void SayDamaged(const Future& future, const std::string& what);

  // retention.cc
  void OnTimer(ShardTimer& timer);
  void OnFutureTimer(Future& future);
  void Expire(Future& future);
  void Doom(Future& future);
  void Forget(Future& future);
  void ForgetDoomed();

  // views.cc
  FutureView ViewOf(const Future& future, bool with_members) const;
  static bool Matches(const Future& future, const ListFutures& query);
  void CheckFuture(const Future& future, ShardStats& seen) const;

  const ShardOptions options_;
  base::Instant now_{};
  Effects* out_ = nullptr;

  base::Slab<Future> futures_;
  base::IntrusiveList<Future, &Future::created> created_;
  // Of each block of 256 sequence numbers that has futures, the first: where a page of List starts.
  static constexpr int kBlockShift = 8;
  std::map<uint64_t, Future*> blocks_;
  std::map<uint64_t, Future*>::node_type spare_block_;  // one that comes and goes with each short call
  absl::flat_hash_map<Token, Opened> open_;
  absl::flat_hash_map<RemoteKey, std::unique_ptr<RemoteLink>, RemoteKeyHash> remote_links_;
  absl::flat_hash_map<NamespaceId, uint16_t> ns_tags_;
  NamespaceId known_ns_ = 0;  // of the last submit
  Groups groups_;
  RequestIds request_ids_;
  base::TimerQueue timers_;

  // For a journal: slots of futures and keys of request ids that have changed, and what has rows and is gone.
  struct Gone {
    FutureId id;
    bool input, members;
  };
  std::vector<uint32_t> dirty_;
  std::vector<std::pair<NamespaceId, std::string>> dirty_requests_;
  std::vector<Gone> gone_;
  std::vector<std::pair<NamespaceId, std::string>> gone_requests_;
  FutureRecord record_;  // reused
  MarksRecord saved_marks_;
  uint64_t taken_batch_ = 0;    // the last that took something
  uint64_t durable_batch_ = 0;  // once frozen
  absl::Status frozen_refusal_;

  // While restoring.
  std::vector<std::vector<Future*>> relink_;  // combinators by depth
  absl::Status damage_;
  uint64_t restored_sequence_ = 0;  // what the earlier runs are known to have issued
  absl::flat_hash_map<const Future*, std::vector<CombinatorRecord::Sent>> cancels_sent_;
  std::vector<uint32_t> to_resume_;  // slots of jobs, in order of creation
  size_t resumed_ = 0;               // of those

  std::vector<Future*> completed_;  // done, and those who wait not told yet
  size_t completed_at_ = 0;
  std::vector<Future*> doomed_;

  uint64_t last_sequence_ = 0;
  uint64_t last_completion_ = 0;
  uint64_t last_stamp_ = 0;
  uint64_t last_walk_ = 0;
  uint64_t announced_ = 0, pending_ = 0;
  uint64_t waits_ = 0, streams_ = 0, calls_ = 0, links_ = 0, pins_ = 0;
};

}  // namespace muster::core
