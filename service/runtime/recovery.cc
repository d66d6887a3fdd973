// Taking up what the store holds: rows to records, records to shards, shards tied together, and at last the jobs.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "fmt/format.h"

#include "service/base/failpoint.h"
#include "service/base/log.h"
#include "service/base/status.h"
#include "service/rows/rows.h"
#include "service/runtime/committer.h"
#include "service/runtime/service_impl.h"
#include "service/runtime/store.h"

namespace muster::runtime {
namespace {

class Recovery {
 public:
  Recovery(Shared& shared, base::Instant now) : shared_(shared), store_(*shared.store), now_(now) {}

  absl::StatusOr<Recovered> Run() {
    MUSTER_RETURN_IF_ERROR(RestoreNamespaces());
    for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
      MUSTER_RETURN_IF_ERROR(RestoreShard(shard));
    }
    base::Failpoint("recovery.restored");
    MUSTER_RETURN_IF_ERROR(RelinkAll());
    Count();
    SayUnserved();
    return recovered_;
  }

 private:
  core::Shard& ShardAt(values::ShardIndex shard) { return shared_.OwnerOf(shard).ShardAt(shard); }

  absl::Status RestoreNamespaces() {
    for (const auto& [id, name] : store_.namespaces) {
      if (!shared_.namespaces.Restore(id, name)) {
        return absl::DataLossError(fmt::format("namespace {} (\"{}\") contradicts another", id, name));
      }
    }
    for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
      for (const values::Namespace& each : shared_.namespaces.All()) ShardAt(shard).KnowNamespace(each.id, each.tag);
    }
    return absl::OkStatus();
  }

  absl::Status RestoreShard(values::ShardIndex index) {
    core::Shard& shard = ShardAt(index);
    std::string key;
    rows::MarksKey(index, key);
    MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> marks, store_.journal->Get(key));
    if (marks.has_value()) {
      MUSTER_ASSIGN_OR_RETURN(const core::MarksRecord record, rows::DecodeMarks(*marks));
      shard.Restore(record);
    }
    values::FutureId last;
    MUSTER_RETURN_IF_ERROR(store_.journal->Scan(rows::ShardPrefix(rows::Table::kFuture, index),
                                                [&](std::string_view row, std::string_view value) {
                                                  MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(row));
                                                  return RestorePart(shard, index, parsed, value, last);
                                                }));
    return store_.journal->Scan(rows::ShardPrefix(rows::Table::kRequest, index),
                                [&](std::string_view row, std::string_view value) {
                                  MUSTER_ASSIGN_OR_RETURN(const rows::Key parsed, rows::ParseKey(row));
                                  MUSTER_ASSIGN_OR_RETURN(const core::RequestRecord record,
                                                          rows::DecodeRequest(parsed.number, parsed.request_id, value));
                                  return shard.Restore(record);
                                });
  }

  absl::Status RestorePart(core::Shard& shard, values::ShardIndex index, const rows::Key& key, std::string_view value,
                           values::FutureId& last) {
    if (key.part != rows::Part::kFuture && key.sequence != last.sequence) {
      return absl::DataLossError(
          fmt::format("shard {}, sequence {}: a part of a future that is not there", index, key.sequence));
    }
    if (key.part == rows::Part::kInput) {
      MUSTER_ASSIGN_OR_RETURN(values::Payload input, rows::DecodePayload(value));
      return shard.RestoreInput(last, std::move(input));
    }
    if (key.part == rows::Part::kMembers) {
      MUSTER_ASSIGN_OR_RETURN(const core::MembersRecord members, rows::DecodeMembers(value));
      return shard.RestoreMembers(last, members);
    }
    MUSTER_ASSIGN_OR_RETURN(core::FutureRecord record, rows::DecodeFuture(index, key.sequence, value));
    if (!shared_.namespaces.Has(record.ns)) {
      return absl::DataLossError(
          fmt::format("future {} is of a namespace that is not there: {}", record.id.ToText(), record.ns));
    }
    if (record.kind == values::FutureKind::kJob) {
      if (!shared_.directory.Knows(record.function)) {
        return absl::DataLossError(
            fmt::format("future {} calls a function that is not there: {}", record.id.ToText(), record.function));
      }
      const dispatch::Function& function = shared_.directory.At(record.function);
      record.function_kind = function.kind;
      if (!function.served() && !values::IsDone(record.state)) ++unserved_[function.name];
    }
    last = record.id;
    return shard.Restore(record);
  }

  // They are no reason not to start: they wait until the server has these functions again, or fail if its operator
  // wants that.
  void SayUnserved() {
    const bool fail = shared_.directory.fails_unserved();
    for (const auto& [name, count] : unserved_) {
      base::LogWarning(
          fail ? "the store holds jobs of a function that this server does not have: they fail"
               : "the store holds jobs of a function that this server does not have: they wait until it has "
                 "(files.* need files.root)",
          {{"function", name}, {"jobs", count}});
    }
  }

  absl::Status RelinkAll() {
    uint32_t depth = 0;
    for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
      depth = std::max(depth, ShardAt(shard).FinishRestoring());
    }
    for (uint32_t level = 0; level <= depth; ++level) {
      for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
        ShardAt(shard).Relink(level, now_, effects_);
        TakeMessages();
      }
      Deliver();
    }
    for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
      MUSTER_RETURN_IF_ERROR(ShardAt(shard).FinishRelinking(now_, effects_));
      TakeMessages();
    }
    Deliver();
    return absl::OkStatus();
  }

  // Of what comes out only messages between shards matter here: nobody waits yet, and whoever counts is told by Count.
  void TakeMessages() {
    for (core::Effect& effect : effects_) {
      if (auto* send = std::get_if<core::SendToShard>(&effect)) messages_.push_back(std::move(*send));
    }
    effects_.clear();
  }

  void Deliver() {
    while (!messages_.empty()) {
      core::SendToShard send = std::move(messages_.front());
      messages_.pop_front();
      ShardAt(send.shard).Apply(std::move(send.message), now_, effects_);
      TakeMessages();
    }
  }

  void Count() {
    for (values::ShardIndex shard = 0; shard < shared_.options.shards; ++shard) {
      ShardAt(shard).ForEachRestored([&](const core::Changed& changed) {
        ++recovered_.futures;
        recovered_.pending += !values::IsDone(changed.to);
        shared_.OwnerOf(shard).OnChanged(changed);
      });
      shared_.request_ids[shard].store(ShardAt(shard).Stats().request_ids, std::memory_order_relaxed);
    }
  }

  Shared& shared_;
  Store& store_;
  const base::Instant now_;
  Recovered recovered_;
  core::Effects effects_;
  std::deque<core::SendToShard> messages_;
  std::map<std::string, uint64_t> unserved_;  // by function: jobs that are not done
};

}  // namespace

absl::StatusOr<Recovered> Service::Recover() {
  base::Failpoint("recovery.begun");
  absl::StatusOr<Recovered> recovered = Recovery(impl_->shared, impl_->shared.Now()).Run();
  base::Failpoint("recovery.ended");
  return recovered;
}

void Service::Resume() {
  Shared& shared = impl_->shared;
  // What the recovery itself has decided (an interrupted job's end, say) is durable before anybody can see it.
  FlushBlocking();
  shared.recovering.store(false, std::memory_order_release);
  for (auto& runner : shared.runners) {
    runner->loop().Post([&r = *runner] { r.Resume(); });
  }
}

bool Service::recovering() const { return impl_->shared.recovering.load(std::memory_order_acquire); }
bool Service::store_failed() const { return impl_->shared.store_failed.load(std::memory_order_acquire); }
void Service::SetStoreFull(bool full) { impl_->shared.store_full.store(full, std::memory_order_relaxed); }

bool Service::JournalIdle() const { return impl_->shared.committer == nullptr || impl_->shared.committer->idle(); }

void Service::FlushBlocking() {
  for (auto& runner : impl_->shared.runners) runner->FlushBlocking();
}

void Service::StopJournal() {
  Shared& shared = impl_->shared;
  if (shared.committer == nullptr) return;
  for (auto& runner : shared.runners) runner->CloseJournalBlocking();
  shared.committer->StopBlocking();
}

}  // namespace muster::runtime
