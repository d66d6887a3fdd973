#include "client/cpp/detail/run_session.h"

#include <algorithm>
#include <utility>

#include "muster/status.h"
#include "service/base/check.h"

namespace muster::client::detail {
namespace {

// A message is written when it holds so much; the server's limit is 4 MiB by default.
constexpr std::size_t kMessageBytes = 1 << 20;
constexpr int kMessageItems = 512;

RunOptions WithSession(RunOptions options) {
  if (!options.resumable) {
    options.session.clear();
  } else if (options.session.empty()) {
    options.session = NewRequestId();
  }
  options.window = std::max<std::size_t>(1, options.window);
  return options;
}

}  // namespace

RunSession::RunSession(Connection& connection, std::string name_space, RunOptions options)
    : connection_(connection),
      name_space_(std::move(name_space)),
      options_(WithSession(std::move(options))),
      backoff_(connection.options().retry) {}

void RunSession::Open() {
  base::MutexLock lock(mutex_);
  connection_.StreamOpened();
  self_ = shared_from_this();
  StartStreamLocked();
}

bool RunSession::HasRoom() {
  base::MutexLock lock(mutex_);
  return in_flight_.size() + results_.size() < options_.window;
}

absl::StatusOr<std::optional<std::uint64_t>> RunSession::TrySubmit(FutureSpec& spec) {
  base::MutexLock lock(mutex_);
  if (closed_) return absl::FailedPreconditionError("nothing can be submitted after CloseSend");
  if (end_) return end_->ok() ? absl::FailedPreconditionError("the stream has ended") : *end_;
  if (in_flight_.size() + results_.size() >= options_.window) return std::optional<std::uint64_t>();
  const std::uint64_t tag = next_tag_++;
  in_flight_.emplace(tag, std::move(spec));
  unsent_.push_back(tag);
  WriteLocked();
  return std::optional<std::uint64_t>(tag);
}

void RunSession::Cancel(std::uint64_t tag) {
  base::MutexLock lock(mutex_);
  if (in_flight_.count(tag) == 0) return;
  cancels_.push_back(tag);
  WriteLocked();
}

void RunSession::CloseSend() {
  base::MutexLock lock(mutex_);
  closed_ = true;
  WriteLocked();
}

void RunSession::Abandon() {
  base::MutexLock lock(mutex_);
  abandoned_ = true;
  if (stream_ != nullptr) stream_->context.TryCancel();
  if (alarm_ != nullptr) alarm_->Cancel();
}

absl::StatusOr<std::optional<RunSession::Taken>> RunSession::TryTake() {
  base::MutexLock lock(mutex_);
  std::optional<Taken> taken;
  if (!results_.empty()) {
    taken.emplace();
    taken->result.emplace(std::move(results_.front()));
    results_.pop_front();
    ChangedLocked();  // there is room
  } else if (end_) {
    if (!end_->ok()) return *end_;
    taken.emplace();
  }
  return taken;
}

std::uint64_t RunSession::version() {
  base::MutexLock lock(mutex_);
  return version_;
}

bool RunSession::Listen(std::uint64_t seen, const std::shared_ptr<RunSignal>& signal) {
  base::MutexLock lock(mutex_);
  if (version_ != seen) return false;
  listeners_.push_back(signal);
  return true;
}

void RunSession::Forget(const std::shared_ptr<RunSignal>& signal) {
  base::MutexLock lock(mutex_);
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), signal), listeners_.end());
}

// Posts under the lock, so that after Forget the executor may go away.
void RunSession::ChangedLocked() {
  ++version_;
  for (std::shared_ptr<RunSignal>& signal : listeners_) {
    coro::Executor& home = signal->home;
    home.Post([signal = std::move(signal)] { signal->event.Set(); });
  }
  listeners_.clear();
}

void RunSession::StartStreamLocked() {
  unsent_.clear();
  for (const auto& [tag, spec] : in_flight_) unsent_.push_back(tag);
  stream_ = std::make_unique<Stream>(*this);
  stream_->rpc = connection_.stub().PrepareAsyncRun(&stream_->context, &connection_.queue());
  stream_->rpc->StartCall(stream_->started.tag());
}

void RunSession::OnStarted(bool ok) {
  base::MutexLock lock(mutex_);
  if (!ok) return FinishStreamLocked();
  stream_->reading = true;
  stream_->rpc->Read(&stream_->response, stream_->read.tag());
  v1::RunOpen& open = *stream_->request.mutable_open();
  open.set_namespace_(name_space_);
  open.set_session(options_.session);
  *open.mutable_defaults() = ToMessage(options_.defaults);
  stream_->writing = true;
  stream_->opened = true;
  stream_->rpc->Write(stream_->request, stream_->written.tag());
}

// Items as credits allow, and cancels. True when there is something to send.
bool RunSession::FillRequestLocked(v1::RunRequest& request, std::int64_t& credits) {
  request.Clear();
  std::size_t bytes = 0;
  while (!unsent_.empty() && credits > 0 && request.items_size() < kMessageItems && bytes < kMessageBytes) {
    const std::uint64_t tag = unsent_.front();
    unsent_.pop_front();
    const auto found = in_flight_.find(tag);
    MUSTER_CHECK(found != in_flight_.end()) << "an item without a specification";
    auto* item = request.add_items();
    item->set_tag(tag);
    if (options_.resumable) {
      *item->mutable_future() = found->second;
    } else {
      item->mutable_future()->Swap(&found->second);
    }
    bytes += item->ByteSizeLong();
    --credits;
  }
  for (const std::uint64_t tag : cancels_) request.add_cancel_tags(tag);
  cancels_.clear();
  return request.items_size() > 0 || request.cancel_tags_size() > 0;
}

void RunSession::WriteLocked() {
  if (stream_ == nullptr || !stream_->opened || stream_->writing || stream_->half_closed || stream_->broken) return;
  if (FillRequestLocked(stream_->request, stream_->credits)) {
    stream_->writing = true;
    stream_->rpc->Write(stream_->request, stream_->written.tag());
  } else if (closed_ && unsent_.empty()) {
    stream_->writing = true;
    stream_->half_closed = true;
    stream_->rpc->WritesDone(stream_->written.tag());
  }
}

void RunSession::OnWritten(bool ok) {
  base::MutexLock lock(mutex_);
  stream_->writing = false;
  if (!ok) stream_->broken = true;
  if (!stream_->reading) return FinishStreamLocked();
  WriteLocked();
}

void RunSession::OnRead(bool ok) {
  base::MutexLock lock(mutex_);
  if (!ok) {
    stream_->reading = false;
    stream_->broken = true;
    if (!stream_->writing) FinishStreamLocked();
    return;
  }
  TakeResponseLocked(stream_->response);
  stream_->rpc->Read(&stream_->response, stream_->read.tag());
  WriteLocked();
}

void RunSession::TakeResponseLocked(v1::RunResponse& response) {
  backoff_.Accepted();
  stream_->credits += response.credits();
  for (auto& done : *response.mutable_done()) {
    ++stream_->credits;
    if (in_flight_.erase(done.tag()) == 0) continue;
    if (done.has_completion()) {
      results_.push_back(RunResult{done.tag(), std::move(*done.mutable_completion())});
    } else {
      absl::Status rejected = FromItemStatus(done.rejected());
      if (rejected.ok()) rejected = absl::InternalError("the server gave neither a completion nor a reason");
      results_.push_back(RunResult{done.tag(), std::move(rejected)});
    }
  }
  ChangedLocked();
}

void RunSession::FinishStreamLocked() { stream_->rpc->Finish(&stream_->status, stream_->finished.tag()); }

void RunSession::OnFinished(bool /*ok*/) {
  std::unique_ptr<Stream> stream;  // freed after the lock
  std::shared_ptr<RunSession> self;
  base::MutexLock lock(mutex_);
  stream = std::move(stream_);
  absl::Status status = FromGrpc(stream->status);
  if (DrainedLocked()) {
    self = EndLocked(absl::OkStatus());
    return;
  }
  if (status.ok()) status = absl::UnavailableError("the server ended the stream before everything was answered");
  std::optional<Duration> pause;
  if (options_.resumable && !abandoned_) pause = backoff_.Next(status, ClientClock().Now());
  if (!pause) {
    self = EndLocked(std::move(status));
    return;
  }
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(&connection_.queue(), gpr_time_from_micros(pause->count(), GPR_TIMESPAN), alarm_step_.tag());
}

void RunSession::OnAlarm(bool /*ok*/) {
  std::unique_ptr<grpc::Alarm> alarm;
  std::shared_ptr<RunSession> self;
  base::MutexLock lock(mutex_);
  alarm = std::move(alarm_);
  if (abandoned_) {
    self = EndLocked(absl::CancelledError("the stream was dropped"));
    return;
  }
  if (DrainedLocked()) {
    self = EndLocked(absl::OkStatus());
    return;
  }
  StartStreamLocked();
}

std::shared_ptr<RunSession> RunSession::EndLocked(absl::Status status) {
  end_ = std::move(status);
  ChangedLocked();
  connection_.StreamEnded();
  return std::exchange(self_, nullptr);
}

}  // namespace muster::client::detail
