// as_completed over the shards that hold its members: one core stream on each, and the merge.
//
// Threading: its loop. Items come in order of completion within a shard and as they were merged across shards.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/coro/event.h"
#include "service/runtime/calls/by_shard.h"
#include "service/runtime/calls/resume_token.h"
#include "service/runtime/host/router.h"
#include "service/runtime/service.h"

namespace muster::runtime {

class MergedStream final : public CompletionStream {
 public:
  // `resume`: where to go on; then ids that have vanished are reported instead of refused.
  MergedStream(const Router& router, WaitPermit permit, values::NamespaceId ns, ByShard members, base::Instant deadline,
               bool take_outcomes, uint64_t set_hash, std::optional<ResumeToken> resume);
  ~MergedStream() override;

  // Attaches to every shard and awaits their first answers.
  coro::Task<absl::Status> Attach();

  coro::Task<absl::StatusOr<Batch>> Next(size_t max, coro::CancelToken& token) override;
  coro::Task<std::vector<core::FutureView>> Progress(size_t max) override;

 private:
  class Part final : public Receiver {
   public:
    Part(MergedStream& s, values::ShardIndex index, core::GetProgress m)
        : stream(s), shard(index), members(std::move(m)) {}
    void OnEffect(core::Effect&& effect) override { stream.OnPartEffect(*this, std::move(effect)); }
    void OnDrain(const absl::Status& refusal, bool) override { stream.OnDrain(refusal); }
    MergedStream& stream;
    const values::ShardIndex shard;
    core::GetProgress members;           // what is asked of them again and again
    core::Token token = core::kNoToken;  // while attached
    uint64_t remaining = 0;
    bool ready = false;  // the shard said that there is something to take
    bool ended = false;
    bool timed_out = false;
  };
  void OnPartEffect(Part& part, core::Effect&& effect);
  void OnDrain(const absl::Status& refusal);
  coro::Task<void> TakeFrom(Part& part, size_t max, Batch& batch);
  Part* NextReadyPart();
  void EndPart(Part& part);
  uint64_t Remaining() const;

  const Router router_;
  const WaitPermit permit_;
  const values::NamespaceId ns_;
  const base::Instant deadline_;
  const bool take_outcomes_;
  const bool resuming_;
  ResumeToken position_;
  std::vector<std::unique_ptr<Part>> parts_;
  size_t next_part_ = 0;  // round robin, so that a busy shard does not hide the others
  size_t attaching_ = 0;
  coro::Event something_;
  absl::Status refusal_;
};

}  // namespace muster::runtime
