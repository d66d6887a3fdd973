#include "service/core/shard.h"

#include <fmt/format.h>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

Shard::Impl::Impl(ShardOptions options) : options_(options) {}

Shard::Impl::~Impl() {
  for (auto& [token, opened] : open_) {
    if (opened.kind == Opened::Kind::kWait) {
      Wait* wait = static_cast<Wait*>(opened.what);
      Disarm(wait->timer);
      delete wait;
    } else if (opened.kind == Opened::Kind::kStream) {
      Stream* stream = static_cast<Stream*>(opened.what);
      Disarm(stream->timer);
      delete stream;
    }
  }
}

void Shard::Impl::Begin(base::Instant now, Effects& out) {
  MUSTER_DCHECK(now >= now_) << "time went backwards";
  now_ = now;
  out_ = &out;
}

void Shard::Impl::Finish() {
  Drain();
  if (relink_.empty()) ForgetDoomed();  // while restoring, futures stay where they are
  out_ = nullptr;
}

void Shard::Impl::Submit(core::Submit& command) {
  if (AnswerRepeated(command)) return;
  switch (static_cast<FutureKind>(command.spec.index())) {
    case FutureKind::kJob:
      return SubmitJob(command);
    case FutureKind::kPromise:
      return SubmitPromise(command);
    default:
      return SubmitCombinator(command);
  }
}

// A request id that is known (semantics 102), or that there is no room for.
bool Shard::Impl::AnswerRepeated(core::Submit& command) {
  if (!command.options || command.options->request_id.empty()) return false;
  Submitted answer;
  answer.token = command.token;
  RequestEntry* entry = request_ids_.Find(command.ns, command.options->request_id);
  if (entry == nullptr) {
    const bool full = request_ids_.size() >= options_.request_ids_max;
    if (command.no_room.ok() && !full) return false;
    answer.refusal = std::move(command.no_room);
    if (answer.refusal.ok()) {
      answer.refusal = base::Refuse(
          base::Reason::kTooManyRequestIds,
          fmt::format("{} request ids are remembered, the limit; try again later or without", request_ids_.size()),
          "future.options.request_id");
    }
    Emit(std::move(answer));
    return true;
  }
  answer.deduplicated = true;
  if (entry->spec_hash != command.spec_hash) {
    answer.refusal =
        base::Refuse(base::Reason::kRequestIdReused,
                     fmt::format("future.options.request_id: \"{}\" was used with another spec; give a new "
                                 "request a new id, or repeat the old one as it was",
                                 command.options->request_id.view()),
                     "future.options.request_id");
  } else if (entry->future != nullptr && !entry->future->announced) {
    AddAsker(*entry->future, command.token, command.attach);
    return true;
  } else if (entry->future != nullptr && entry->future->visible()) {
    Future& future = *entry->future;
    answer.id = IdOf(future);
    answer.state = future.state;
    Emit(std::move(answer));
    if (command.attach) AttachCall(future, command.token);
    return true;
  } else if (entry->elsewhere) {
    answer.id = entry->id;
    answer.state = entry->elsewhere->state;
    Emit(std::move(answer));
    if (command.attach) {
      CallEnded ended;
      ended.token = command.token;
      ended.completion = *entry->elsewhere;
      Emit(std::move(ended));
    }
    return true;
  } else {
    answer.id = entry->id;
    answer.refusal = base::Refuse(
        base::Reason::kFutureExpired,
        fmt::format("the future of this request id, {}, has expired; it is not run again", entry->id.ToText()),
        "future.options.request_id");
  }
  Emit(std::move(answer));
  return true;
}

void Shard::Impl::AttachCall(Future& future, Token token) {
  ++calls_;
  if (future.done()) {
    DeliverCall(future, token);
    if (future.drop_when_delivered) Expire(future);
    return;
  }
  Open(token, Opened::Kind::kCall, &future);
  if (future.called) {
    ColdOf(future).more_calls.push_back(token);
  } else {
    future.called = true;
    future.call = token;
  }
}

// From here on others may see the future, and it counts. Jobs and promises call it at once, a combinator when the
// shards of its members have answered.
void Shard::Impl::Announce(Future& future) {
  future.announced = true;
  ++announced_;
  ++pending_;
  const Options* options = future.options();
  if (options != nullptr && !options->group.empty()) groups_.Join(future.ns, options->group, future.cold->group);
  future.bytes += static_cast<int64_t>(future.input.ByteSize());
  EmitChanged(future, State::kPending, true, future.bytes);
}

void Shard::Impl::AnswerSubmit(Future& future, Token token, bool attach, bool deduplicated) {
  Submitted& answer = Emit<Submitted>();
  answer.token = token;
  answer.id = IdOf(future);
  answer.state = future.state;
  answer.deduplicated = deduplicated;
  if (attach) AttachCall(future, token);
}

void Shard::Impl::Detach(const core::Detach& command) {
  const auto found = open_.find(command.token);
  if (found == open_.end()) return;
  const Opened opened = found->second;
  switch (opened.kind) {
    case Opened::Kind::kWait:
      return CloseWait(*static_cast<Wait*>(opened.what));
    case Opened::Kind::kStream:
      return CloseStream(*static_cast<Stream*>(opened.what));
    case Opened::Kind::kAwait:
      return DropAwait(*static_cast<Future*>(opened.what)->cold->await);
    case Opened::Kind::kCall:
      open_.erase(found);
      return DetachCall(*static_cast<Future*>(opened.what), command.token);
  }
}

void Shard::Impl::DetachCall(Future& future, Token token) {
  --calls_;
  if (!future.announced) {
    for (Asker& asker : future.combinator().askers) asker.attach = asker.attach && asker.token != token;
    return;
  }
  if (!future.called || future.call != token) {
    std::erase(future.cold->more_calls, token);
    return;
  }
  future.called = future.cold && !future.cold->more_calls.empty();
  if (future.called) {
    future.call = future.cold->more_calls.front();
    future.cold->more_calls.erase(future.cold->more_calls.begin());
  } else if (future.drop_when_delivered) {
    // Nobody has its id for certain; who does may still ask for a while.
    future.drop_when_delivered = false;
    future.retention = options_.undelivered_retention;
    MarkChanged(future);
  }
}

Shard::Shard(ShardOptions options) : impl_(std::make_unique<Impl>(options)) {}
Shard::~Shard() = default;

#define MUSTER_APPLY(Command, Function)                                 \
  void Shard::Apply(Command command, base::Instant now, Effects& out) { \
    impl_->Begin(now, out);                                             \
    if (!impl_->frozen()) {                                             \
      impl_->Function(command);                                         \
    } else {                                                            \
      impl_->WhileFrozen(command);                                      \
    }                                                                   \
    impl_->Finish();                                                    \
  }
MUSTER_APPLY(Submit&&, Submit)
MUSTER_APPLY(SettlePromise, SettlePromise)
MUSTER_APPLY(JobStarted, JobStarted)
MUSTER_APPLY(JobEnded, JobEnded)
MUSTER_APPLY(JobProgress, JobProgress)
MUSTER_APPLY(Cancel, Cancel)
MUSTER_APPLY(Uncancel, Uncancel)
MUSTER_APPLY(Await, Await)
MUSTER_APPLY(AttachWait, AttachWait)
MUSTER_APPLY(AttachStream, AttachStream)
MUSTER_APPLY(Detach, Detach)
MUSTER_APPLY(ShardMessage, Message)
#undef MUSTER_APPLY

void Shard::Tick(base::Instant now, Effects& out, bool only_earliest) {
  impl_->Begin(now, out);
  if (!impl_->frozen()) impl_->Tick(only_earliest);
  impl_->Finish();
}

absl::Status Shard::Delete(NamespaceId ns, const FutureId& id, base::Instant now, Effects& out) {
  impl_->Begin(now, out);
  absl::Status status = impl_->frozen() ? impl_->frozen_refusal() : impl_->Delete(ns, id);
  impl_->Finish();
  return status;
}

void Shard::KnowNamespace(NamespaceId ns, uint16_t ns_tag) { impl_->KnowNamespace(ns, ns_tag); }
base::Instant Shard::NextDeadline() const { return impl_->NextDeadline(); }
StreamStatus Shard::TakeCompletions(Token token, size_t max, bool take_outcomes, std::vector<Completion>& out) {
  return impl_->TakeCompletions(token, max, take_outcomes, out);
}
absl::StatusOr<FutureView> Shard::Get(NamespaceId ns, const FutureId& id, bool take_outcome) {
  return impl_->Get(ns, id, take_outcome);
}
OutcomeRef Shard::TakeOutcome(NamespaceId ns, const FutureId& id, bool also_failed) {
  return impl_->TakeOutcome(ns, id, also_failed);
}
std::vector<FutureView> Shard::List(const ListFutures& query, uint64_t* next) const { return impl_->List(query, next); }
std::vector<FutureId> Shard::GroupMembers(NamespaceId ns, const std::string& group) const {
  return impl_->GroupMembers(ns, group);
}

GetFuture::Answer Shard::Ask(const GetFuture& query) { return Get(query.ns, query.id, query.take_outcome); }
TakeOutcomes::Answer Shard::Ask(const TakeOutcomes& query) {
  std::vector<OutcomeRef> outcomes;
  outcomes.reserve(query.ids.size());
  for (const FutureId& id : query.ids) {
    outcomes.push_back(TakeOutcome(query.ns, id, query.also_failed));
    if (outcomes.back() == nullptr) return {};
  }
  return outcomes;
}
ListFutures::Answer Shard::Ask(const ListFutures& query) {
  if (absl::Status readable = CheckReadable(); !readable.ok()) return readable;
  FuturePage page;
  page.futures = List(query, &page.next);
  return page;
}
ListGroup::Answer Shard::Ask(const ListGroup& query) {
  if (absl::Status readable = CheckReadable(); !readable.ok()) return readable;
  return GroupMembers(query.ns, query.group);
}
GetProgress::Answer Shard::Ask(const GetProgress& query) {
  std::vector<FutureView> found;
  for (const FutureId& id : query.ids) {
    if (found.size() >= query.max) break;
    absl::StatusOr<FutureView> view = Get(query.ns, id, /*take_outcome=*/false);
    if (view.ok() && view->state == State::kRunning && view->progress_time != base::kNever) {
      found.push_back(*std::move(view));
    }
  }
  return found;
}
core::TakeCompletions::Answer Shard::Ask(const core::TakeCompletions& query) {
  TakenCompletions taken;
  taken.status = TakeCompletions(query.token, query.max, query.take_outcomes, taken.completions);
  return taken;
}
GetStats::Answer Shard::Ask(const GetStats&) { return Stats(); }

ShardStats Shard::Stats() const { return impl_->Stats(); }
uint64_t Shard::RequestIdCount() const { return impl_->RequestIdCount(); }
void Shard::CheckInvariants() const { impl_->CheckInvariants(); }

bool Shard::HasChanges() const { return impl_->HasChanges(); }
void Shard::TakeChanges(ChangeSink& sink, uint64_t batch) { impl_->TakeChanges(sink, batch); }
absl::Status Shard::Restore(const FutureRecord& record) { return impl_->Restore(record); }
absl::Status Shard::RestoreInput(const FutureId& id, Payload input) {
  return impl_->RestoreInput(id, std::move(input));
}
absl::Status Shard::RestoreMembers(const FutureId& id, const MembersRecord& members) {
  return impl_->RestoreMembers(id, members);
}
absl::Status Shard::Restore(const RequestRecord& record) { return impl_->Restore(record); }
void Shard::Restore(const MarksRecord& marks) { impl_->Restore(marks); }
uint32_t Shard::FinishRestoring() { return impl_->FinishRestoring(); }
void Shard::Relink(uint32_t depth, base::Instant now, Effects& out) {
  impl_->Begin(now, out);
  impl_->Relink(depth);
  impl_->Finish();
}
absl::Status Shard::FinishRelinking(base::Instant now, Effects& out) {
  impl_->Begin(now, out);
  absl::Status status = impl_->FinishRelinking();
  impl_->Finish();
  return status;
}
void Shard::ForEachRestored(const std::function<void(const Changed&)>& visit) const { impl_->ForEachRestored(visit); }
bool Shard::Resume(size_t max, base::Instant now, Effects& out) {
  impl_->Begin(now, out);
  const bool more = !impl_->frozen() && impl_->Resume(max);
  impl_->Finish();
  return more;
}
void Shard::Freeze(uint64_t durable_batch, absl::Status refusal) { impl_->Freeze(durable_batch, std::move(refusal)); }
absl::Status Shard::CheckReadable() const { return impl_->CheckReadable(); }

}  // namespace muster::core
