// What a journal must be told: which futures and request ids have changed since the last batch, and their records.
//
// A change marks; the record is made when the batch is taken, so what changes several times in between, or is made,
// ends and is forgotten, costs one row or none.
#include "service/core/detail/members.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {
namespace {

// Marks of a shard are written along with whatever else is; by themselves only after so many futures that left no row.
// Must stay below what Restore(MarksRecord) adds.
constexpr uint64_t kMarksBehindMax = 1 << 16;

}  // namespace

void Shard::Impl::MarkChanged(RequestEntry& entry) {
  if (options_.journaled) dirty_requests_.emplace_back(entry.ns, entry.request_id);
}

// `future` is about to be erased.
void Shard::Impl::MarkGone(const Future& future) {
  if (future.stored) gone_.push_back({IdOf(future), future.input_stored, future.members_stored});
}

void Shard::Impl::ForgetRequest(RequestEntry& entry) {
  if (entry.stored) gone_requests_.emplace_back(entry.ns, entry.request_id);
  request_ids_.Erase(entry);
}

bool Shard::Impl::HasChanges() const {
  return HasUntaken() || (options_.journaled && last_completion_ - saved_marks_.last_completion > kMarksBehindMax);
}

// Changes that somebody could see; marks are numbers.
bool Shard::Impl::HasUntaken() const {
  return !dirty_.empty() || !dirty_requests_.empty() || !gone_.empty() || !gone_requests_.empty();
}

void Shard::Impl::TakeChanges(ChangeSink& sink, uint64_t batch) {
  if (!HasChanges()) return;
  bool any = last_completion_ - saved_marks_.last_completion > kMarksBehindMax;
  any = any || !gone_.empty() || !gone_requests_.empty();
  for (const Gone& gone : gone_) {
    sink.DeleteFuture(gone.id);
    if (gone.input) sink.DeleteInput(gone.id);
    if (gone.members) sink.DeleteMembers(gone.id);
  }
  gone_.clear();
  for (const auto& [ns, request_id] : gone_requests_) sink.DeleteRequest(ns, request_id);
  gone_requests_.clear();
  for (const uint32_t slot : dirty_) {
    // A slot may be here twice, when the future that was there first is gone and another has its place.
    Future* future = futures_.Find(slot);
    if (future == nullptr || !future->dirty) continue;
    future->dirty = false;
    future->saved_in = batch;
    TakeFuture(*future, sink);
    any = true;
  }
  dirty_.clear();
  for (const auto& [ns, request_id] : dirty_requests_) {
    RequestEntry* entry = request_ids_.Find(ns, request_id);
    if (entry == nullptr || entry->future != nullptr) continue;
    RequestRecord record;
    record.ns = entry->ns;
    record.request_id = entry->request_id;
    record.id = entry->id;
    record.spec_hash = entry->spec_hash;
    record.window = entry->window;
    record.expire_time = entry->timer.deadline();
    if (entry->elsewhere) {
      record.elsewhere_state = entry->elsewhere->state;
      record.elsewhere_outcome = entry->elsewhere->outcome;
    }
    sink.PutRequest(record);
    entry->stored = true;
    any = true;
  }
  dirty_requests_.clear();
  // All that was marked may have come and gone meanwhile: then there is nothing to write.
  if (!any) return;
  taken_batch_ = batch;
  saved_marks_ = {last_sequence_, last_completion_};
  sink.PutMarks(saved_marks_);
}

void Shard::Impl::TakeFuture(Future& future, ChangeSink& sink) {
  FillRecord(future);
  sink.PutFuture(record_);
  if (!future.done() && !future.input_stored && future.input.content != nullptr) {
    sink.PutInput(record_.id, future.input);
    future.input_stored = true;
  } else if (future.done() && future.input_stored) {
    sink.DeleteInput(record_.id);
    future.input_stored = false;
  }
  if (record_.combinator && !future.members_stored) {
    const Combinator& combinator = future.combinator();
    MembersRecord members;
    members.members.reserve(combinator.count);
    for (uint32_t at = 0; at < combinator.count; ++at) {
      members.members.push_back({combinator.members[at].id, combinator.members[at].times});
    }
    members.positions = combinator.positions;
    sink.PutMembers(record_.id, members);
    future.members_stored = true;
  }
  future.stored = true;
}

void Shard::Impl::FillRecord(const Future& future) {
  FutureRecord& record = record_;
  record.id = IdOf(future);
  record.ns = future.ns;
  record.kind = future.kind;
  record.state = future.state;
  record.function = future.function;
  record.function_kind = future.function_kind;
  record.attempt = future.attempt;
  record.cancelling = future.cancelling;
  record.create_time = future.create_time;
  record.start_time = future.start_time;
  record.end_time = future.end_time;
  record.cancel_time = future.cancel_time;
  record.due = future.timer.armed() ? future.timer.deadline() : base::kNever;
  record.retention = future.retention;
  record.completion_sequence = future.completion_sequence;
  record.hidden = future.hidden;
  record.expired = future.expired;
  record.drop_when_delivered = future.drop_when_delivered;
  record.retrieved = future.retrieved;
  record.run_timed_out = future.run_timed_out;
  record.cancel_missed = future.cancel_missed;
  const bool told_by_members = future.kind == FutureKind::kGather && future.state == State::kSucceeded;
  record.outcome = told_by_members ? nullptr : future.outcome;
  record.requests.clear();
  record.combinator.reset();
  if (!future.cold) {
    record.options = nullptr;
    record.cancel_message.clear();
    record.settle_request_id.clear();
    record.remote_cancels.clear();
    return;
  }
  const Cold& cold = *future.cold;
  record.options = cold.options;
  record.cancel_message = cold.cancel_message;
  record.settle_request_id = cold.settle_request_id;
  record.remote_cancels = cold.remote_cancels;
  for (const RequestEntry& entry : cold.requests) {
    RequestRecord& request = record.requests.emplace_back();
    request.ns = entry.ns;
    request.request_id = entry.request_id;
    request.id = entry.id;
    request.spec_hash = entry.spec_hash;
    request.window = entry.window;
  }
  if (!cold.combinator) return;
  const Combinator& from = *cold.combinator;
  CombinatorRecord& to = record.combinator.emplace();
  to.return_exceptions = from.return_exceptions;
  to.cancel_requested = from.cancel_requested;
  to.cancel_in_doubt = from.cancel_in_doubt;
  to.polling = from.polling;
  to.expiring = from.expiring;
  to.must_cancel = from.must_cancel;
  to.depth = from.depth;
  to.cancels_passed = from.cancels_passed;
  to.timeout = from.timeout;
  to.grace = from.grace;
  to.cancel_message = from.cancel_message;
  if (future.done()) return;
  for (uint32_t at = 0; at < from.count; ++at) {
    const uint32_t sent = from.members[at].remote.cancels_sent;
    if (sent > 0) to.cancels_sent.push_back({at, sent});
  }
}

}  // namespace muster::core
