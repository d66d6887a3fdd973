#include "service/runtime/calls/stream.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "service/base/status.h"

namespace muster::runtime {

MergedStream::MergedStream(const Router& router, WaitPermit permit, values::NamespaceId ns, ByShard members,
                           base::Instant deadline, bool take_outcomes, uint64_t set_hash,
                           std::optional<ResumeToken> resume)
    : router_(router),
      permit_(std::move(permit)),
      ns_(ns),
      deadline_(deadline),
      take_outcomes_(take_outcomes),
      resuming_(resume.has_value()) {
  if (resume.has_value()) position_ = *std::move(resume);
  position_.set_hash = set_hash;
  for (auto& [shard, ids] : members) {
    core::GetProgress asked;
    asked.ns = ns;
    asked.ids = std::move(ids);
    parts_.push_back(std::make_unique<Part>(*this, shard, std::move(asked)));
  }
}

MergedStream::~MergedStream() {
  for (auto& part : parts_) EndPart(*part);
}

void MergedStream::EndPart(Part& part) {
  if (part.token == core::kNoToken) return;
  router_.here().requests().Remove(part.token);
  router_.Detach(part.shard, std::exchange(part.token, core::kNoToken));
}

coro::Task<absl::Status> MergedStream::Attach() {
  attaching_ = parts_.size();
  for (auto& part : parts_) {
    part->token = router_.here().requests().Add(part.get());
    core::AttachStream attach;
    attach.token = part->token;
    attach.ns = ns_;
    attach.set.ids = part->members.ids;
    attach.deadline = deadline_;
    if (resuming_) {
      const auto found = position_.positions.find(part->shard);
      attach.resume_after = found == position_.positions.end() ? 0 : found->second;
    }
    router_.Send(part->shard, std::move(attach));
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
      router_.here().requests().Remove(part.token);
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
  const values::ShardIndex shard = part.shard;
  core::TakeCompletions query;
  query.token = part.token;
  query.max = max;
  query.take_outcomes = take_outcomes_;
  part.ready = false;
  auto asked = router_.Ask(shard, std::move(query));
  core::TakenCompletions taken = co_await asked;
  part.remaining = taken.status.remaining;
  for (const core::Completion& completion : taken.completions) {
    if (completion.state == values::State::kExpired) continue;
    uint64_t& position = position_.positions[shard];
    position = std::max(position, completion.completion_sequence);
  }
  if (taken.status.ended || taken.status.timed_out) {
    part.ended = true;
    part.timed_out = taken.status.timed_out;
    if (part.token != core::kNoToken) router_.here().requests().Remove(part.token);
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
    part->members.max = max - views.size();
    auto asked = router_.Ask(part->shard, std::move(part->members));
    std::vector<core::FutureView> found = co_await asked;
    part->members = asked.TakeQuery();
    std::move(found.begin(), found.end(), std::back_inserter(views));
  }
  co_return views;
}

}  // namespace muster::runtime
