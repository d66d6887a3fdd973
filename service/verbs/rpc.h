// What a verb is given by the front that calls it, whatever its shape. A verb sees messages, statuses and the service's
// facade, nothing of the transport.
//
// A verb is one coroutine an RPC, on the loop that accepted it:
//
//   coro::Task<absl::Status> Submit(Rpc& rpc, pb::SubmitRequest& request, pb::SubmitResponse& response);
//   coro::Task<absl::Status> Gather(Rpc& rpc, pb::GatherRequest& request, StreamWriter<pb::GatherResponse>& out);
//   coro::Task<absl::Status> Run(Rpc& rpc, ByteStream& stream);
//
// Each begins with Enter (entry.h). The arguments live until the verb has returned. It may move out of its request.
// What it returns becomes the RPC's status; when it is not OK a unary response is not sent. When the client goes away,
// or the server stops, `rpc.token` is cancelled: the verb ends with what its awaitable returned, and leaves nothing
// behind.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "service/coro/cancel.h"
#include "service/coro/task.h"
#include "service/metrics/metrics.h"
#include "service/runtime/service.h"
#include "service/values/id.h"
#include "service/verbs/operation.h"
#include "service/verbs/server_info.h"

namespace muster::v1 {}

namespace muster::verbs {

namespace pb = ::muster::v1;

// What the verbs of all loops share; outlives them.
struct Shared {
  Shared(const ServerInfo& i, metrics::Metrics* m) : info(i), metrics(m) {
    if (metrics != nullptr) runs_open = metrics->StreamsOpen("Run");
  }
  const ServerInfo& info;
  metrics::Metrics* const metrics;  // may be null
  metrics::Gauge runs_open;
  std::atomic<int64_t> streams{0};  // of StreamPlace; a plain count
};

// What the verbs of one loop share.
struct PerLoop {
  // The namespace opened last: most clients have one, and there is a lock around all of them.
  std::string known_name;
  values::Namespace known_namespace;
};

struct Rpc {
  Rpc(runtime::Service& s, Shared& h, PerLoop& l, coro::CancelToken& t) : service(s), shared(h), loop(l), token(t) {}

  runtime::Service& service;
  Shared& shared;
  PerLoop& loop;
  coro::CancelToken& token;
  // The RPC ended from the other side: the client left, or its deadline passed.
  bool client_gone = false;
  // The namespace as the client named it, once Enter has opened it: a QuotaFailure says whose limit was reached.
  std::string name_space;
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
  virtual void StartWrite(const Message& message, OperationEnd* end) = 0;
};

// Is told of what a bidirectional stream has read; on the loop, between coroutines.
class ReadReceiver {
 public:
  // False: the client sends no more, or has gone. Otherwise the stream's incoming() holds the message.
  virtual void OnRead(bool ok) = 0;

 protected:
  ~ReadReceiver() = default;
};

// A bidirectional stream whose messages the verb reads and writes itself, as the bytes that they are on the wire.
class ByteStream : public StreamWriter<std::string_view> {
 public:
  // The message that was read last; valid until the next StartRead.
  virtual std::string_view incoming() const = 0;
  // One read at a time. A read may still be under way when the verb returns: it calls LeaveReads first.
  virtual void StartRead(ReadReceiver& receiver) = 0;
  virtual void LeaveReads() = 0;

 protected:
  ~ByteStream() = default;
};

}  // namespace muster::verbs
