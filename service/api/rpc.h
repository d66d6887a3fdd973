// What the handler of an RPC is given, whatever its shape. No grpcpp here: handlers see messages, statuses and the
// service's facade, nothing of the transport.
//
// A handler is one coroutine an RPC, on the loop that accepted it:
//
//   coro::Task<absl::Status> Submit(Rpc& rpc, pb::SubmitRequest& request, pb::SubmitResponse& response);
//   coro::Task<absl::Status> Gather(Rpc& rpc, pb::GatherRequest& request, StreamWriter<pb::GatherResponse>& out);
//   coro::Task<absl::Status> Run(Rpc& rpc, ByteStream& stream);
//
// The arguments live until the handler has returned. It may move out of its request. What it returns becomes the RPC's
// status; when it is not OK a unary response is not sent. When the client goes away, or the server stops, `rpc.token`
// is cancelled: the handler ends with what its awaitable returned, and leaves nothing behind.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/api/detail/tag.h"
#include "service/api/server.h"
#include "service/coro/cancel.h"
#include "service/coro/executor.h"
#include "service/coro/runnable.h"
#include "service/coro/task.h"
#include "service/metrics/metrics.h"
#include "service/runtime/service.h"

namespace muster::v1 {}

namespace muster::api {

namespace pb = ::muster::v1;

struct LoopCalls;  // detail/call.h

// What the calls of all loops share; outlives them.
struct CallsShared {
  CallsShared(const ServerInfo& i, int64_t max, metrics::Metrics* m) : info(i), running_max(max), metrics(m) {
    if (metrics != nullptr) runs_open = metrics->StreamsOpen("Run");
  }
  const ServerInfo& info;
  const int64_t running_max;
  metrics::Metrics* const metrics;  // may be null
  metrics::Gauge runs_open;
  std::atomic<int64_t> running{0};   // calls that have started and not ended; a plain count
  std::atomic<int64_t> streams{0};   // open AsCompleted, Run and health's Watch among them; a plain count
  std::atomic<bool> serving{false};  // what health says; stored by SetServing, loaded by the loops
  // There is TLS, and a listener without it for probes: what comes in by that one may ask for health alone.
  bool plaintext_is_for_probes = false;  // set before the loops run
  std::atomic<bool> alive{true};         // what health says of "live"; stored by SetDead, loaded by the loops
};

struct Rpc {
  Rpc(runtime::Service& s, CallsShared& h, LoopCalls& c, coro::CancelToken& t)
      : service(s), shared(h), calls(c), token(t) {}

  const runtime::Limits& limits() const { return service.limits(); }
  // Empty is "default". Keeps the name for the status.
  absl::StatusOr<runtime::Namespace> OpenNamespace(const std::string& name);

  runtime::Service& service;
  CallsShared& shared;
  LoopCalls& calls;  // of the loop it runs on
  coro::CancelToken& token;
  // The RPC ended from the other side: the client left, or its deadline passed.
  bool client_gone = false;
  // The namespace as the client named it, once the handler knows it: a QuotaFailure says whose limit was reached.
  std::string name_space;
};

// One of Limits.streams_max, held while a stream is open.
class StreamPlace {
 public:
  explicit StreamPlace(Rpc& rpc);
  ~StreamPlace();
  StreamPlace(const StreamPlace&) = delete;
  StreamPlace& operator=(const StreamPlace&) = delete;
  // OK, or TOO_MANY_STREAMS.
  absl::Status status() const;

 private:
  Rpc& rpc_;
  const bool taken_;
};

// One operation of the transport that a coroutine awaits. It cannot be cancelled, but it ends when the client goes
// away.
class OperationBase : private Tag, private coro::Runnable {
 public:
  bool await_ready() const { return false; }
  bool await_resume() const { return ok_; }

 protected:
  OperationBase() : Runnable(&Resume) {}
  ~OperationBase() = default;
  Tag* Prepare(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    executor_ = coro::Executor::Current();
    return this;
  }

 private:
  void Complete(bool ok) override {
    ok_ = ok;
    executor_->Schedule(*this);
  }
  static void Resume(coro::Runnable& self) { static_cast<OperationBase&>(self).waiter_.resume(); }

  std::coroutine_handle<> waiter_;
  coro::Executor* executor_ = nullptr;
  bool ok_ = false;
};

template <typename Message>
class StreamWriter {
 public:
  class [[nodiscard]] WriteOperation final : public OperationBase {
   public:
    WriteOperation(StreamWriter& writer, const Message& message) : writer_(writer), message_(message) {}
    void await_suspend(std::coroutine_handle<> waiter) { writer_.StartWrite(message_, Prepare(waiter)); }

   private:
    StreamWriter& writer_;
    const Message& message_;
  };

  // One write at a time. `message` must not change until it is over. False: the client has gone.
  WriteOperation Write(const Message& message) { return WriteOperation(*this, message); }

 protected:
  ~StreamWriter() = default;
  virtual void StartWrite(const Message& message, Tag* tag) = 0;
};

// Is told of what a bidirectional stream has read; on the loop, between coroutines.
class ReadReceiver {
 public:
  // False: the client sends no more, or has gone. Otherwise the stream's incoming() holds the message.
  virtual void OnRead(bool ok) = 0;

 protected:
  ~ReadReceiver() = default;
};

// A bidirectional stream whose messages the handler reads and writes itself, as the bytes that they are on the wire.
class ByteStream : public StreamWriter<std::string_view> {
 public:
  // The message that was read last; valid until the next StartRead.
  virtual std::string_view incoming() const = 0;
  // One read at a time. A read may still be under way when the handler returns: it calls LeaveReads first.
  virtual void StartRead(ReadReceiver& receiver) = 0;
  virtual void LeaveReads() = 0;

 protected:
  ~ByteStream() = default;
};

}  // namespace muster::api
