// RunSession: the machine behind a Run stream. It is stepped by the connection's thread and by whoever submits or
// takes, and goes through attempts: each is one stream, and what an attempt left unanswered the next one sends again.
//
//   attempt:  start -> write open -> [write items as credits allow | read results]* -> WritesDone -> finish
//   finish:   all answered -> end; UNAVAILABLE -> pause (an alarm) -> next attempt; else -> end with the error
//
// Threading: any thread; everything is under one mutex. Lifetime: holds itself while a stream or an alarm is open, and
// the connection waits for that.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/cpp/detail/backoff.h"
#include "client/cpp/detail/connection.h"
#include "muster/run_stream.h"
#include "service/base/mutex.h"
#include "service/coro/event.h"
#include "service/coro/executor.h"

namespace muster::client::detail {

// Wakes a coroutine of `home` at the session's next change.
struct RunSignal {
  explicit RunSignal(coro::Executor& executor) : home(executor) {}
  coro::Executor& home;
  coro::Event event;
};

class RunSession final : public std::enable_shared_from_this<RunSession> {
 public:
  RunSession(Connection& connection, std::string name_space, RunOptions options);

  void Open();
  bool HasRoom();
  // Moves from `spec` when it gives a tag. Nothing: the window is full.
  absl::StatusOr<std::optional<std::uint64_t>> TrySubmit(FutureSpec& spec);
  void Cancel(std::uint64_t tag);
  void CloseSend();
  // Its owner is gone.
  void Abandon();

  // A result, or the end; nothing when it has to wait.
  struct Taken {
    std::optional<RunResult> result;  // none: the end
  };
  absl::StatusOr<std::optional<Taken>> TryTake();

  // Grows with each change. Listen is refused when it is no longer `seen`.
  std::uint64_t version();
  bool Listen(std::uint64_t seen, const std::shared_ptr<RunSignal>& signal);
  // After it, nothing more is posted for `signal`.
  void Forget(const std::shared_ptr<RunSignal>& signal);

 private:
  // A tag that calls a member function of the session.
  class Step final : public Tag {
   public:
    using Function = void (RunSession::*)(bool);
    Step(RunSession& session, Function function) : session_(session), function_(function) {}
    void* tag() { return static_cast<Tag*>(this); }

   private:
    void OnEvent(bool ok) override { (session_.*function_)(ok); }
    RunSession& session_;
    const Function function_;
  };

  struct Stream {
    explicit Stream(RunSession& session)
        : started(session, &RunSession::OnStarted),
          read(session, &RunSession::OnRead),
          written(session, &RunSession::OnWritten),
          finished(session, &RunSession::OnFinished) {}

    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::RunRequest, v1::RunResponse>> rpc;
    v1::RunRequest request;
    v1::RunResponse response;
    grpc::Status status;
    Step started, read, written, finished;
    bool reading = false;
    bool writing = false;
    bool opened = false;  // the first message is written
    bool half_closed = false;
    bool broken = false;  // a write has failed: the read's end will say why
    std::int64_t credits = 0;
  };

  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void OnAlarm(bool ok);

  void StartStreamLocked() MUSTER_REQUIRES(mutex_);
  void WriteLocked() MUSTER_REQUIRES(mutex_);
  bool FillRequestLocked(v1::RunRequest& request, std::int64_t& credits) MUSTER_REQUIRES(mutex_);
  void FinishStreamLocked() MUSTER_REQUIRES(mutex_);
  void TakeResponseLocked(v1::RunResponse& response) MUSTER_REQUIRES(mutex_);
  // No stream and no alarm is left; the caller drops what this returns after the lock.
  std::shared_ptr<RunSession> EndLocked(absl::Status status) MUSTER_REQUIRES(mutex_);
  bool DrainedLocked() const MUSTER_REQUIRES(mutex_) { return closed_ && in_flight_.empty(); }
  void ChangedLocked() MUSTER_REQUIRES(mutex_);

  Connection& connection_;
  const std::string name_space_;
  const RunOptions options_;
  Step alarm_step_{*this, &RunSession::OnAlarm};

  base::Mutex mutex_;
  Backoff backoff_ MUSTER_GUARDED_BY(mutex_);
  std::unique_ptr<Stream> stream_ MUSTER_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Alarm> alarm_ MUSTER_GUARDED_BY(mutex_);
  std::shared_ptr<RunSession> self_ MUSTER_GUARDED_BY(mutex_);
  std::uint64_t next_tag_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, FutureSpec> in_flight_ MUSTER_GUARDED_BY(mutex_);  // submitted and unanswered
  std::deque<std::uint64_t> unsent_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> cancels_ MUSTER_GUARDED_BY(mutex_);
  std::deque<RunResult> results_ MUSTER_GUARDED_BY(mutex_);
  bool closed_ MUSTER_GUARDED_BY(mutex_) = false;
  bool abandoned_ MUSTER_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ MUSTER_GUARDED_BY(mutex_);
  std::uint64_t version_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<RunSignal>> listeners_ MUSTER_GUARDED_BY(mutex_);
};

}  // namespace muster::client::detail
