#include "service/core/record/changes.h"

#include "service/core/completion.h"
#include "service/core/futures/table.h"
#include "service/core/kinds/kind.h"
#include "service/core/record/form.h"

namespace muster::core {
namespace {

// Marks of a shard are written along with whatever else is; by themselves only after so many futures that left no row.
// Must stay below what restoring adds to the number of the last completion.
constexpr uint64_t kMarksBehindMax = 1 << 16;

RequestRecord RecordOf(const RequestEntry& entry) {
  RequestRecord record;
  record.ns = entry.ns;
  record.request_id = entry.request_id;
  record.id = entry.id;
  record.spec_hash = entry.spec_hash;
  record.window = entry.window;
  return record;
}

void FillCombinator(const Future& future, CombinatorRecord& record) {
  const Combinator& combinator = future.combinator();
  ForEachRecorded(combinator, record, [](const auto& part, auto& recorded) { recorded = part; });
  if (future.done()) return;
  for (uint32_t at = 0; at < combinator.count; ++at) {
    const uint32_t sent = combinator.members[at].remote.cancels_sent;
    if (sent > 0) record.cancels_sent.push_back({at, sent});
  }
}

// `record` is reused: its texts and lists keep their memory.
void Fill(const FutureId& id, const Future& future, FutureRecord& record) {
  static_cast<Facts&>(record) = future;
  record.id = id;
  record.due = future.armed() ? future.deadline() : base::kNever;
  if (KindOf(future.kind).keeps_members && future.state == State::kSucceeded) record.outcome = nullptr;
  record.requests.clear();
  record.combinator.reset();
  if (!future.cold) {
    record.cancel_message.clear();
    record.settle_request_id.clear();
    record.remote_cancels.clear();
    return;
  }
  const Cold& cold = *future.cold;
  record.cancel_message = cold.cancel_message;
  record.settle_request_id = cold.settle_request_id;
  record.remote_cancels = cold.remote_cancels ? *cold.remote_cancels : std::vector<RemoteCancelRecord>();
  for (const RequestEntry& entry : cold.requests) record.requests.push_back(RecordOf(entry));
  if (cold.combinator) FillCombinator(future, record.combinator.emplace());
}

}  // namespace

bool Changes::Any(const Completed& completed) const {
  return AnyToSee() || (journaled_ && completed.last_number() - saved_marks_.last_completion > kMarksBehindMax);
}

void Changes::Take(FutureTable& futures, RequestIds& requests, const Completed& completed, ChangeSink& sink,
                   uint64_t batch) {
  if (!Any(completed)) return;
  bool any = completed.last_number() - saved_marks_.last_completion > kMarksBehindMax;
  any |= TakeGone(sink);
  any |= TakeFutures(futures, sink, batch);
  any |= TakeRequests(requests, sink);
  // All that was marked may have come and gone meanwhile: then there is nothing to write.
  if (!any) return;
  taken_batch_ = batch;
  saved_marks_ = {futures.last_sequence(), completed.last_number()};
  sink.PutMarks(saved_marks_);
}

bool Changes::TakeGone(ChangeSink& sink) {
  const bool any = !gone_.empty() || !gone_requests_.empty();
  for (const Gone& gone : gone_) {
    sink.DeleteFuture(gone.id);
    if (gone.input) sink.DeleteInput(gone.id);
    if (gone.members) sink.DeleteMembers(gone.id);
  }
  gone_.clear();
  for (const auto& [ns, request_id] : gone_requests_) sink.DeleteRequest(ns, request_id);
  gone_requests_.clear();
  return any;
}

bool Changes::TakeFutures(FutureTable& futures, ChangeSink& sink, uint64_t batch) {
  bool any = false;
  for (const uint32_t slot : dirty_) {
    // A slot may be here twice, when the future that was there first is gone and another has its place.
    Future* future = futures.At(slot);
    if (future == nullptr || !future->dirty) continue;
    future->dirty = false;
    future->saved_in = batch;
    TakeFuture(futures.IdOf(*future), *future, sink);
    any = true;
  }
  dirty_.clear();
  return any;
}

bool Changes::TakeRequests(RequestIds& requests, ChangeSink& sink) {
  bool any = false;
  for (const auto& [ns, request_id] : dirty_requests_) {
    RequestEntry* entry = requests.Find(ns, request_id);
    if (entry == nullptr || entry->future != nullptr) continue;
    RequestRecord record = RecordOf(*entry);
    record.expire_time = entry->deadline();
    if (entry->elsewhere) {
      record.elsewhere_state = entry->elsewhere->state;
      record.elsewhere_outcome = entry->elsewhere->outcome;
    }
    sink.PutRequest(record);
    entry->stored = true;
    any = true;
  }
  dirty_requests_.clear();
  return any;
}

void Changes::TakeFuture(const FutureId& id, Future& future, ChangeSink& sink) {
  Fill(id, future, record_);
  sink.PutFuture(record_);
  if (!future.done() && !future.input_stored && future.input.content != nullptr) {
    sink.PutInput(id, future.input);
    future.input_stored = true;
  } else if (future.done() && future.input_stored) {
    sink.DeleteInput(id);
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
    sink.PutMembers(id, members);
    future.members_stored = true;
  }
  future.stored = true;
}

}  // namespace muster::core
