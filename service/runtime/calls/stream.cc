#include "service/runtime/stream.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "service/base/status.h"
#include "service/runtime/answer.h"

namespace muster::runtime {

MergedStream::MergedStream(ShardRunner& runner, values::NamespaceId ns, ByShard members, base::Instant deadline,
                           bool take_outcomes, uint64_t set_hash, const ResumeToken* resume, bool as_waiter)
    : runner_(runner),
      ns_(ns),
      deadline_(deadline),
      take_outcomes_(take_outcomes),
      resuming_(resume != nullptr),
      as_waiter_(as_waiter) {
  if (resume != nullptr) position_ = *resume;
  position_.set_hash = set_hash;
  for (auto& [shard, ids] : members) {
    members_ += static_cast<int64_t>(ids.size());
    parts_.push_back(std::make_unique<Part>(*this, shard, std::move(ids)));
  }
  CountOpen(1);
}

MergedStream::~MergedStream() {
  for (auto& part : parts_) EndPart(*part);
  CountOpen(-1);
}

void MergedStream::CountOpen(int change) {
  Shared& shared = runner_.shared();
  (as_waiter_ ? shared.usage.waiters : shared.usage.streams).fetch_add(change, std::memory_order_relaxed);
  shared.usage.wait_members.fetch_add(change * members_, std::memory_order_relaxed);
  if (as_waiter_) {
    shared.observer.OnWait(change, members_);
  } else {
    shared.observer.OnStream(change, members_);
  }
}

void MergedStream::EndPart(Part& part) {
  if (part.token == core::kNoToken) return;
  runner_.requests().Remove(part.token);
  core::Detach detach;
  detach.token = part.token;
  part.token = core::kNoToken;
  runner_.Send(part.shard, detach);
}

coro::Task<absl::Status> MergedStream::Attach() {
  attaching_ = parts_.size();
  for (auto& part : parts_) {
    part->token = runner_.requests().Add(part.get());
    core::AttachStream attach;
    attach.token = part->token;
    attach.ns = ns_;
    attach.set.ids = part->ids;
    attach.deadline = deadline_;
    if (resuming_) {
      const auto found = position_.positions.find(part->shard);
      attach.resume_after = found == position_.positions.end() ? 0 : found->second;
    }
    runner_.Send(part->shard, std::move(attach));
  }
  // Shards always answer, so this ends soon and needs no cancel.
  coro::CancelToken uncancelled;
  while (attaching_ > 0 && refusal_.ok()) {
    something_.Clear();
    MUSTER_CO_RETURN_IF_ERROR(co_await something_.Wait(uncancelled));
  }
  co_return refusal_;
}

void MergedStream::OnPartEffect(Part& part, core::Effect&& effect) {
  if (auto* attached = std::get_if<core::StreamAttached>(&effect)) {
    --attaching_;
    part.remaining = attached->members;
    if (!attached->refusal.ok()) {
      if (refusal_.ok()) refusal_ = attached->refusal;
      runner_.requests().Remove(part.token);
      part.token = core::kNoToken;
      part.ended = true;
    }
  } else {
    part.ready = true;
  }
  something_.Set();
}

void MergedStream::OnDrain(const absl::Status& refusal) {
  refusal_ = refusal;
  something_.Set();
}

MergedStream::Part* MergedStream::NextReadyPart() {
  for (size_t tried = 0; tried < parts_.size(); ++tried) {
    Part& part = *parts_[next_part_];
    next_part_ = (next_part_ + 1) % parts_.size();
    if (part.ready && !part.ended) return &part;
  }
  return nullptr;
}

uint64_t MergedStream::Remaining() const {
  uint64_t remaining = 0;
  for (const auto& part : parts_) remaining += part->remaining;
  return remaining;
}

coro::Task<void> MergedStream::TakeFrom(Part& part, size_t max, Batch& batch) {
  const core::Token token = part.token;
  const values::ShardIndex shard = part.shard;
  const bool take_outcomes = take_outcomes_;
  const auto take = [token, shard, max, take_outcomes](ShardRunner& owner) {
    Taken taken;
    taken.status = owner.ShardAt(shard).TakeCompletions(token, max, take_outcomes, taken.completions);
    return taken;
  };
  part.ready = false;
  CallOn call(runner_, runner_.shared().OwnerOf(shard), take);
  Taken taken = co_await call;
  part.remaining = taken.status.remaining;
  for (const core::Completion& completion : taken.completions) {
    if (completion.state == values::State::kExpired) continue;
    uint64_t& position = position_.positions[shard];
    position = std::max(position, completion.completion_sequence);
  }
  if (taken.status.ended || taken.status.timed_out) {
    part.ended = true;
    part.timed_out = taken.status.timed_out;
    if (part.token != core::kNoToken) runner_.requests().Remove(part.token);
    part.token = core::kNoToken;
  } else if (taken.completions.size() >= max) {
    part.ready = true;  // there may be more, and the shard speaks up only to a reader that found nothing
  }
  std::move(taken.completions.begin(), taken.completions.end(), std::back_inserter(batch.completions));
}

coro::Task<absl::StatusOr<CompletionStream::Batch>> MergedStream::Next(size_t max, coro::CancelToken& token) {
  Batch batch;
  while (true) {
    if (!refusal_.ok()) co_return refusal_;
    something_.Clear();
    while (batch.completions.size() < max) {
      Part* part = NextReadyPart();
      if (part == nullptr) break;
      co_await TakeFrom(*part, max - batch.completions.size(), batch);
    }
    batch.remaining = Remaining();
    batch.ended = std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->ended; });
    if (batch.ended || !batch.completions.empty()) break;
    if (something_.is_set()) continue;  // said while TakeFrom was under way on another loop
    MUSTER_CO_RETURN_IF_ERROR(co_await something_.Wait(token));
  }
  batch.timed_out =
      batch.ended && std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->timed_out; });
  batch.resume_token = position_.ToText();
  co_return batch;
}

coro::Task<std::vector<core::FutureView>> MergedStream::Progress(size_t max) {
  std::vector<core::FutureView> views;
  for (const auto& part : parts_) {
    if (part->ended || views.size() >= max) continue;
    const values::NamespaceId ns = ns_;
    const std::vector<values::FutureId>& ids = part->ids;  // constant, and the part outlives the call
    const size_t room = max - views.size();
    const values::ShardIndex shard = part->shard;
    const auto look = [ns, &ids, room, shard](ShardRunner& owner) {
      std::vector<core::FutureView> found;
      for (const values::FutureId& id : ids) {
        if (found.size() >= room) break;
        absl::StatusOr<core::FutureView> view = owner.ShardAt(shard).Get(ns, id, /*take_outcome=*/false);
        if (view.ok() && view->state == values::State::kRunning && view->progress_time != base::kNever) {
          found.push_back(*std::move(view));
        }
      }
      return found;
    };
    CallOn call(runner_, runner_.shared().OwnerOf(shard), look);
    std::vector<core::FutureView> found = co_await call;
    std::move(found.begin(), found.end(), std::back_inserter(views));
  }
  co_return views;
}

}  // namespace muster::runtime
