// RPCs as coroutines: one event of the completion queue is awaited, one attempt of a unary RPC is made of that, and a
// unary RPC with retries of attempts.
//
// Threading: the awaiting coroutine's executor; the connection's thread only posts to it.
// Lifetime: contexts, messages and readers are the awaiting frame's own, which waits for every event that it started.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

#include "client/cpp/detail/backoff.h"
#include "client/cpp/detail/connection.h"
#include "service/base/status.h"
#include "service/coro/cancel.h"
#include "service/coro/sleep.h"
#include "service/coro/task.h"

namespace muster::client::detail {

// Awaits one operation that was started with its tag():
//
//   RpcEvent finished(context, token);
//   reader->Finish(&response, &status, finished.tag());
//   const bool ok = co_await finished;
//
// A cancel of the token becomes TryCancel of the RPC; the event still comes, and cancelled() tells.
class RpcEvent final : public coro::Suspension, private Tag {
 public:
  RpcEvent(grpc::ClientContext& context, coro::CancelToken& token)
      : Suspension(token), context_(context), waker_(*this) {}

  void* tag() { return static_cast<Tag*>(this); }
  bool cancelled() const { return cancelled_; }

  bool await_ready() const { return false; }
  bool await_suspend(coro::Continuation waiter) {
    Suspend(waiter);  // always suspends: OnCancel forwards
    // acq_rel on both sides: whoever comes second sees what the first has written, and wakes the waiter.
    if (state_.exchange(State::kAwaited, std::memory_order_acq_rel) == State::kArrived) Wake();
    return true;
  }
  // The operation's own ok.
  bool await_resume() {
    if (!Resume().ok()) cancelled_ = true;
    return ok_;
  }

 private:
  enum class State : unsigned char { kStarted, kAwaited, kArrived };
  struct Waker final : coro::Runnable {
    explicit Waker(RpcEvent& owner) : Runnable(&RunIt), event(owner) {}
    static void RunIt(Runnable& self) { static_cast<Waker&>(self).event.Wake(); }
    RpcEvent& event;
  };

  void OnEvent(bool ok) override {
    ok_ = ok;
    if (state_.exchange(State::kArrived, std::memory_order_acq_rel) == State::kAwaited) executor()->Post(waker_);
  }
  CancelReply OnCancel() override {
    cancelled_ = true;
    context_.TryCancel();
    return CancelReply::kForwarded;
  }

  grpc::ClientContext& context_;
  Waker waker_;
  std::atomic<State> state_{State::kStarted};
  bool ok_ = false;         // written before the exchange in OnEvent, read after the wake-up
  bool cancelled_ = false;  // executor's thread only
};

template <typename Request, typename Response>
using UnaryMethod = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*)(grpc::ClientContext*,
                                                                                         const Request&,
                                                                                         grpc::CompletionQueue*);

// One try. `timeout` absent: unbounded. CancelledError with the token's message when the token was cancelled.
template <typename Request, typename Response>
coro::Task<absl::Status> Attempt(Connection& connection, UnaryMethod<Request, Response> method, const Request& request,
                                 Response& response, std::optional<Duration> timeout, coro::CancelToken& token) {
  grpc::ClientContext context;
  if (timeout) SetDeadline(context, *timeout);
  grpc::Status status;
  RpcEvent finished(context, token);
  auto reader = (connection.stub().*method)(&context, request, &connection.queue());
  reader->StartCall();
  reader->Finish(&response, &status, finished.tag());
  co_await finished;
  if (finished.cancelled()) co_return absl::CancelledError(token.message());
  co_return FromGrpc(status);
}

// With retries on UNAVAILABLE, under the connection's deadline. `request` carries a request id wherever a repetition
// could otherwise make something twice.
template <typename Request, typename Response>
coro::Task<absl::Status> Unary(Connection& connection, UnaryMethod<Request, Response> method, const Request& request,
                               Response& response, coro::CancelToken& token) {
  const coro::Executor& executor = *coro::Executor::Current();
  const base::Instant deadline = base::Later(executor.Now(), connection.options().deadline);
  Backoff backoff(connection.options().retry);
  while (true) {
    response.Clear();
    const std::optional<Duration> left = deadline - executor.Now();
    absl::Status status = co_await Attempt(connection, method, request, response, left, token);
    if (status.ok()) co_return status;
    const std::optional<Duration> pause = backoff.Next(status, executor.Now());
    if (!pause || base::Later(executor.Now(), *pause) >= deadline) co_return status;
    MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, *pause));
  }
}

}  // namespace muster::client::detail
