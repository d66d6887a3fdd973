// as_completed over the shards that hold its members: one core stream on each, and the merge.
//
// Threading: its loop. Items come in order of completion within a shard and as they were merged across shards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/coro/event.h"
#include "service/runtime/resume_token.h"
#include "service/runtime/service.h"
#include "service/runtime/shard_runner.h"
#include "service/runtime/wait.h"

namespace muster::runtime {

class MergedStream final : public CompletionStream {
 public:
  // `resume`: where to go on; then ids that have vanished are reported instead of refused. `as_waiter`: what it counts
  // as while it is open.
  MergedStream(ShardRunner& runner, values::NamespaceId ns, ByShard members, base::Instant deadline, bool take_outcomes,
               uint64_t set_hash, const ResumeToken* resume, bool as_waiter);
  ~MergedStream() override;

  // Attaches to every shard and awaits their first answers.
  coro::Task<absl::Status> Attach();

  coro::Task<absl::StatusOr<Batch>> Next(size_t max, coro::CancelToken& token) override;
  coro::Task<std::vector<core::FutureView>> Progress(size_t max) override;

 private:
  class Part final : public Receiver {
   public:
    Part(MergedStream& s, values::ShardIndex index, std::vector<values::FutureId> i)
        : stream(s), shard(index), ids(std::move(i)) {}
    void OnEffect(core::Effect&& effect) override { stream.OnPartEffect(*this, std::move(effect)); }
    void OnDrain(const absl::Status& refusal, bool) override { stream.OnDrain(refusal); }
    MergedStream& stream;
    const values::ShardIndex shard;
    const std::vector<values::FutureId> ids;
    core::Token token = core::kNoToken;  // while attached
    uint64_t remaining = 0;
    bool ready = false;  // the shard said that there is something to take
    bool ended = false;
    bool timed_out = false;
  };
  struct Taken {
    core::StreamStatus status;
    std::vector<core::Completion> completions;
  };

  void OnPartEffect(Part& part, core::Effect&& effect);
  void OnDrain(const absl::Status& refusal);
  // +1 or -1.
  void CountOpen(int change);
  coro::Task<void> TakeFrom(Part& part, size_t max, Batch& batch);
  Part* NextReadyPart();
  void EndPart(Part& part);
  uint64_t Remaining() const;

  ShardRunner& runner_;
  const values::NamespaceId ns_;
  const base::Instant deadline_;
  const bool take_outcomes_;
  const bool resuming_;
  const bool as_waiter_;
  ResumeToken position_;
  std::vector<std::unique_ptr<Part>> parts_;
  size_t next_part_ = 0;  // round robin, so that a busy shard does not hide the others
  size_t attaching_ = 0;
  int64_t members_ = 0;
  coro::Event something_;
  absl::Status refusal_;
};

}  // namespace muster::runtime
