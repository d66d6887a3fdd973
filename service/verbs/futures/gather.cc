// Gather over a set is made here, of a stream of completions, not of a gather future: so it leaves nothing behind when
// the client goes away, and cancels nobody (semantics 98). Over a gather that was submitted before it is a wait.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/arena.h"

#include "service/base/status.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/arena.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

constexpr size_t kTakeMax = 4096;

// What a gather came to: results in input order, or a failure.
struct Gathered {
  Gathered() = default;
  std::vector<values::OutcomeRef> results;
  std::shared_ptr<const values::Error> error;
  values::FutureId failed;  // the member it came from, if it did
};

coro::Task<absl::Status> WriteError(const Gathered& gathered, const std::vector<values::FutureId>& members,
                                    StreamWriter<pb::GatherResponse>& out) {
  pb::GatherResponse message;
  message.set_total(static_cast<uint32_t>(members.size()));
  if (!wire::FromError(*gathered.error, 1, *message.mutable_error())) message.mutable_error()->clear_details();
  const values::FutureId origin = gathered.failed ? gathered.failed : gathered.error->origin;
  if (origin) message.mutable_error()->set_origin_id(origin.ToText());
  for (size_t index = 0; index < members.size(); ++index) {
    if (members[index] != origin) continue;
    message.set_error_index(static_cast<uint32_t>(index));
    break;
  }
  if (!co_await out.Write(message)) co_return absl::CancelledError("the client went away");
  co_return absl::OkStatus();
}

// In slices that fit into a message. An outcome that fits into none stays empty.
coro::Task<absl::Status> WriteResults(const std::vector<values::OutcomeRef>& results, uint64_t bytes_max,
                                      StreamWriter<pb::GatherResponse>& out) {
  constexpr uint64_t kBesideBytes = 64;
  // On an arena: a hundred thousand small messages are made and dropped at once.
  google::protobuf::ArenaOptions large_blocks;
  large_blocks.max_block_size = 256 << 10;
  google::protobuf::Arena arena(large_blocks);
  size_t at = 0;
  do {
    arena.Reset();
    pb::GatherResponse& message = *wire::MakeOn<pb::GatherResponse>(arena);
    message.set_offset(static_cast<uint32_t>(at));
    message.set_total(static_cast<uint32_t>(results.size()));
    wire::Room room(bytes_max - kBesideBytes, 1);
    for (; at < results.size(); ++at) {
      const bool first = message.outcomes_size() == 0;
      if (wire::FromOutcome(*results[at], room, *message.add_outcomes()) || first) continue;
      message.mutable_outcomes()->RemoveLast();
      break;
    }
    if (!co_await out.Write(message)) co_return absl::CancelledError("the client went away");
  } while (at < results.size());
  co_return absl::OkStatus();
}

// Takes completions until all are there, or without return_exceptions until one has failed or was cancelled
// (semantics 46, 48).
coro::Task<absl::StatusOr<Gathered>> GatherMembers(Rpc& rpc, values::NamespaceId ns,
                                                   const std::vector<values::FutureId>& members,
                                                   bool return_exceptions) {
  core::FutureSet set;
  set.ids = members;
  runtime::StreamOptions options;
  options.as_waiter = true;
  MUSTER_CO_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::CompletionStream> stream,
                             co_await rpc.service.AsCompleted(ns, std::move(set), std::move(options)));
  Gathered gathered;
  absl::flat_hash_map<values::FutureId, values::OutcomeRef> outcomes;
  outcomes.reserve(members.size());
  for (bool ended = members.empty(); !ended;) {
    MUSTER_CO_ASSIGN_OR_RETURN(runtime::CompletionStream::Batch batch, co_await stream->Next(kTakeMax, rpc.token));
    ended = batch.ended;
    for (core::Completion& completion : batch.completions) {
      if (completion.state != values::State::kSucceeded && !return_exceptions) {
        gathered.error = completion.outcome->error;
        gathered.failed = completion.id;
        co_return gathered;
      }
      outcomes.emplace(completion.id, std::move(completion.outcome));
    }
  }
  gathered.results.reserve(members.size());
  for (const values::FutureId& member : members) gathered.results.push_back(outcomes.at(member));  // semantics 45
  co_return gathered;
}

coro::Task<absl::Status> GatherSet(Rpc& rpc, values::NamespaceId ns, core::FutureSet set, bool return_exceptions,
                                   StreamWriter<pb::GatherResponse>& out) {
  std::vector<values::FutureId> members = std::move(set.ids);
  if (!set.group.empty()) {
    MUSTER_CO_ASSIGN_OR_RETURN(members, co_await rpc.service.GroupMembers(ns, std::move(set.group)));
  }
  // Often all are done by now: then there is nothing to wait for, and no order of completion to keep.
  const std::vector<values::OutcomeRef> done = co_await rpc.service.TakeOutcomes(ns, members, return_exceptions);
  if (!done.empty()) co_return co_await WriteResults(done, rpc.service.limits().message_bytes_max, out);
  MUSTER_CO_ASSIGN_OR_RETURN(const Gathered gathered, co_await GatherMembers(rpc, ns, members, return_exceptions));
  if (gathered.error != nullptr) co_return co_await WriteError(gathered, members, out);
  co_return co_await WriteResults(gathered.results, rpc.service.limits().message_bytes_max, out);
}

coro::Task<absl::Status> GatherById(Rpc& rpc, values::NamespaceId ns, values::FutureId id,
                                    StreamWriter<pb::GatherResponse>& out) {
  MUSTER_CO_ASSIGN_OR_RETURN(const core::FutureView view, co_await rpc.service.Get(ns, id, false));
  if (view.kind != values::FutureKind::kGather) {
    co_return wire::RefuseField(base::Reason::kNotAGather, wire::Path("gather_id"),
                                "is no gather; use Wait for other futures, or give them as a set");
  }
  core::FutureSet set;
  set.ids.push_back(id);
  MUSTER_CO_ASSIGN_OR_RETURN(
      const runtime::WaitAnswer answer,
      co_await rpc.service.Wait(ns, std::move(set), values::ReturnWhen::kAllCompleted, std::nullopt, true, rpc.token));
  const values::OutcomeRef outcome = answer.done.at(0).outcome;
  if (outcome->kind == values::Outcome::Kind::kGathered) {
    co_return co_await WriteResults(outcome->gathered, rpc.service.limits().message_bytes_max, out);
  }
  Gathered gathered;
  gathered.error = outcome->error;
  co_return co_await WriteError(gathered, view.members, out);
}

}  // namespace

coro::Task<absl::Status> Gather(Rpc& rpc, pb::GatherRequest& request, StreamWriter<pb::GatherResponse>& out) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  if (request.target_case() == pb::GatherRequest::kGatherId) {
    if (request.return_exceptions()) {
      co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("return_exceptions"),
                                  "is not for gather_id: that gather has its own");
    }
    MUSTER_CO_ASSIGN_OR_RETURN(const values::FutureId id, wire::ToId(request.gather_id(), wire::Path("gather_id")));
    co_return co_await GatherById(rpc, entry.ns.id, id, out);
  }
  if (request.target_case() != pb::GatherRequest::kSet) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("target"),
                                "is missing; give a set or a gather_id");
  }
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set, wire::ToSet(*request.mutable_set(), entry.limits,
                                                              wire::EmptySet::kAllowed, wire::Path("set")));
  co_return co_await GatherSet(rpc, entry.ns.id, std::move(set), request.return_exceptions(), out);
}

}  // namespace muster::verbs
