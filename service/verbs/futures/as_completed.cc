#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "service/base/status.h"
#include "service/coro/timeout.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/verbs/stream_place.h"
#include "service/wire/convert.h"

namespace muster::verbs {
namespace {

constexpr size_t kTakeMax = 4096;
constexpr size_t kProgressMax = 1000;
constexpr base::Duration kProgressIntervalMin = std::chrono::milliseconds(100);
// For what stands in a message beside its completions: the resume token, which names a position a shard.
constexpr uint64_t kBesideBytes = 4096;
constexpr uint64_t kCompletionBytesMin = 64;

// One stream: takes what has completed and writes it, one message under way at a time, so that a slow reader gets fewer
// and larger messages.
class Delivery {
 public:
  Delivery(Rpc& rpc, StreamWriter<pb::AsCompletedResponse>& out, std::unique_ptr<runtime::CompletionStream> stream,
           std::string resume_token, std::optional<base::Duration> progress_interval)
      : rpc_(rpc),
        out_(out),
        stream_(std::move(stream)),
        resume_token_(std::move(resume_token)),
        progress_interval_(progress_interval),
        next_progress_(base::Later(Now(), progress_interval.value_or(base::Duration::max()))) {}

  coro::Task<absl::Status> Run();

 private:
  using Batch = runtime::CompletionStream::Batch;

  base::Instant Now() const { return rpc_.service.clock().Now(); }
  coro::Task<absl::Status> WriteBatch(Batch batch);
  coro::Task<absl::Status> WriteProgress();
  size_t Fill(const Batch& batch, size_t at);

  Rpc& rpc_;
  StreamWriter<pb::AsCompletedResponse>& out_;
  const std::unique_ptr<runtime::CompletionStream> stream_;
  std::string resume_token_;  // behind everything that has been written
  uint64_t remaining_ = 0;
  const std::optional<base::Duration> progress_interval_;
  base::Instant next_progress_;
  pb::AsCompletedResponse message_;  // reused
};

coro::Task<absl::Status> Delivery::Run() {
  for (;;) {
    std::optional<base::Duration> patience;
    if (progress_interval_.has_value()) {
      if (Now() >= next_progress_) {
        MUSTER_CO_RETURN_IF_ERROR(co_await WriteProgress());
        next_progress_ = base::Later(Now(), *progress_interval_);
      }
      patience = next_progress_ - Now();
    }
    coro::Timeout timeout(rpc_.token, patience);
    absl::StatusOr<Batch> batch = co_await stream_->Next(kTakeMax, rpc_.token);
    const absl::Status status = timeout.Finish(batch.status());
    if (absl::IsDeadlineExceeded(status)) continue;
    MUSTER_CO_RETURN_IF_ERROR(status);
    const bool ended = batch->ended;
    MUSTER_CO_RETURN_IF_ERROR(co_await WriteBatch(*std::move(batch)));
    if (ended) co_return absl::OkStatus();
  }
}

// In as many messages as its bytes need. Those before the last can only be resumed from before the batch: then its
// completions come again.
coro::Task<absl::Status> Delivery::WriteBatch(Batch batch) {
  size_t at = 0;
  bool last = false;
  while (!last) {
    message_.Clear();
    at = Fill(batch, at);
    last = at == batch.completions.size();
    if (last) {
      resume_token_ = std::move(batch.resume_token);
      if (batch.ended) message_.set_end(batch.timed_out ? pb::WAIT_END_TIMED_OUT : pb::WAIT_END_SATISFIED);
    }
    remaining_ = batch.remaining + (batch.completions.size() - at);
    message_.set_remaining(static_cast<uint32_t>(remaining_));
    message_.set_resume_token(resume_token_);
    if (!co_await out_.Write(message_)) co_return absl::CancelledError("the client went away");
  }
  co_return absl::OkStatus();
}

// Adds completions from `at` on while they fit; the position behind the last.
size_t Delivery::Fill(const Batch& batch, size_t at) {
  const uint64_t bytes_max = rpc_.service.limits().message_bytes_max;
  wire::Room room(bytes_max - std::min(bytes_max / 2, kBesideBytes), 2);
  for (; at < batch.completions.size(); ++at) {
    const bool first = message_.completions_size() == 0;
    if (!first && room.bytes < kCompletionBytesMin) break;
    pb::Completion& out = *message_.add_completions();
    wire::FromCompletionWithOutcome(batch.completions[at], room, out);
    if (out.outcome_omitted() && !first) {  // it may fit into a message of its own
      message_.mutable_completions()->RemoveLast();
      break;
    }
  }
  return at;
}

coro::Task<absl::Status> Delivery::WriteProgress() {
  const std::vector<core::FutureView> views = co_await stream_->Progress(kProgressMax);
  if (views.empty()) co_return absl::OkStatus();
  message_.Clear();
  uint64_t bytes = 0;
  for (const core::FutureView& view : views) {
    pb::Progress& progress = (*message_.mutable_progress())[view.id.ToText()];
    wire::FromProgress(view, progress);
    bytes += progress.ByteSizeLong() + kCompletionBytesMin;
    if (bytes > rpc_.service.limits().message_bytes_max / 2) break;
  }
  message_.set_remaining(static_cast<uint32_t>(remaining_));
  message_.set_resume_token(resume_token_);
  if (!co_await out_.Write(message_)) co_return absl::CancelledError("the client went away");
  co_return absl::OkStatus();
}

absl::StatusOr<std::optional<base::Duration>> ToProgressInterval(const pb::AsCompletedRequest& request,
                                                                 const values::Limits& limits) {
  if (!request.has_progress_interval()) return std::nullopt;
  const wire::Path field("progress_interval");
  MUSTER_ASSIGN_OR_RETURN(
      const base::Duration interval,
      wire::ToDuration(request.progress_interval(), base::Duration::zero(), limits.delay_max, field));
  if (interval == base::Duration::zero()) return std::nullopt;
  if (interval < kProgressIntervalMin) {
    return wire::RefuseField(base::Reason::kInvalidDuration, field,
                             "is too short; give at least 0.1 s, or 0 for never");
  }
  return interval;
}

}  // namespace

coro::Task<absl::Status> AsCompleted(Rpc& rpc, pb::AsCompletedRequest& request,
                                     StreamWriter<pb::AsCompletedResponse>& out) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  MUSTER_CO_ASSIGN_OR_RETURN(const StreamPlace place, TakeStreamPlace(rpc));
  const values::Limits& limits = entry.limits;
  MUSTER_CO_ASSIGN_OR_RETURN(core::FutureSet set,
                             wire::ToSet(*request.mutable_set(), limits, wire::EmptySet::kAllowed, wire::Path("set")));
  runtime::StreamOptions options;
  MUSTER_CO_ASSIGN_OR_RETURN(options.take_outcomes, wire::ToView(request.view()));
  options.bounded = request.has_timeout();
  if (options.bounded) {
    MUSTER_CO_ASSIGN_OR_RETURN(options.timeout, wire::ToDuration(request.timeout(), base::Duration::zero(),
                                                                 limits.delay_max, wire::Path("timeout")));
  }
  MUSTER_CO_ASSIGN_OR_RETURN(const std::optional<base::Duration> interval, ToProgressInterval(request, limits));
  options.resume_token = request.resume_token();
  MUSTER_CO_ASSIGN_OR_RETURN(std::unique_ptr<runtime::CompletionStream> stream,
                             co_await rpc.service.AsCompleted(entry.ns.id, std::move(set), std::move(options)));
  Delivery delivery(rpc, out, std::move(stream), std::move(*request.mutable_resume_token()), interval);
  co_return co_await delivery.Run();
}

}  // namespace muster::verbs
