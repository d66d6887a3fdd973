#include "service/grpc/detail/call.h"

#include <exception>
#include <utility>

#include <grpc/grpc_security_constants.h>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/base/log.h"
#include "service/base/reason.h"
#include "service/grpc/status.h"

namespace muster::grpc_front {

namespace {

// Limits on the request itself; those on what the server holds are counted by the runtime's observer.
void CountRefusal(metrics::Metrics* metrics, const absl::Status& status) {
  if (metrics == nullptr || status.ok()) return;
  const auto reason = base::ReasonOf(status);
  if (reason == base::Reason::kPayloadTooLarge || reason == base::Reason::kCreditsOverrun ||
      reason == base::Reason::kSetTooLarge || reason == base::Reason::kNestingTooDeep) {
    metrics->LimitHit(*reason);
  }
}

// Whether it came over TLS.
bool IsSecure(const grpc::ServerContext& context) {
  const auto types = context.auth_context()->FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  return !types.empty() &&
         (types.front() == GRPC_TLS_TRANSPORT_SECURITY_TYPE || types.front() == GRPC_SSL_TRANSPORT_SECURITY_TYPE);
}

}  // namespace

CallBase::CallBase(LoopCalls& loop, Method& method)
    : Runnable([](coro::Runnable& self) { static_cast<CallBase&>(self).Start(); }), loop_(loop), method_(method) {}

metrics::RpcMetrics& CallBase::rpc_metrics() { return method_.rpc_metrics(); }

void CallBase::Arm() {
  ++loop_.live;
  context_.emplace();
  token_.emplace();
  drained_ = false;
  cancelled_ = false;
  // Without it a client that goes away is never noticed. A slot that is never used gets no such tag.
  context_->AsyncNotifyWhenDone(&done_tag_);
  Request(*context_, &accepted_tag_);
}

void CallBase::OnAccepted(bool ok) {
  if (!ok) {  // the server is shutting down
    method_.Recycle(*this);
    return;
  }
  // Before the handler, which may wait for a long time.
  if (!loop_.draining) method_.Replace();
  owners_ = 2;
  handling_ = true;
  rpc_.emplace(*loop_.service, loop_.shared, loop_, *token_);
  started_ = loop_.loop.turn_time();
  loop_.running.PushBack(*this);
  loop_.shared.running.fetch_add(1, std::memory_order_relaxed);
  loop_.loop.Schedule(*this);
}

void CallBase::Start() {
  rpc_metrics().Started();
  if (is_unary()) rpc_metrics().MsgReceived();
  if (loop_.draining) {
    Drain();
    End(absl::CancelledError());
    return;
  }
  if (loop_.shared.running.load(std::memory_order_relaxed) > loop_.shared.running_max) {
    End(base::Refuse(base::Reason::kTooManyWaiters,
                     fmt::format("the server has {} calls in progress, which is its limit; try again later",
                                 loop_.shared.running_max)));
    return;
  }
  if (!method_.always() && loop_.service->recovering()) {
    End(base::Refuse(base::Reason::kRecovering, "the server has just started and reads its store; try again soon"));
    return;
  }
  if (loop_.shared.plaintext_is_for_probes && !method_.always() && !IsSecure(context())) {
    End(wire::Plain(absl::StatusCode::kPermissionDenied, "this listener has no TLS and answers health checks alone"));
    return;
  }
  auto handle = Handle(*rpc_).Launch(&OnHandled, this);
  handle.resume();
}

void CallBase::OnHandled(coro::detail::TaskPromiseBase& base, void* self) {
  auto& promise = static_cast<coro::detail::TaskPromise<absl::Status>&>(base);
  auto& call = *static_cast<CallBase*>(self);
  absl::Status status;
  try {
    status = promise.TakeResult();
  } catch (const std::exception& exception) {  // of a library: ours throw nothing
    status = absl::InternalError(fmt::format("exception: {}", exception.what()));
  } catch (...) {
    status = absl::InternalError("exception of an unknown type");
  }
  std::coroutine_handle<coro::detail::TaskPromise<absl::Status>>::from_promise(promise).destroy();
  call.End(std::move(status));
}

void CallBase::End(absl::Status status) {
  handling_ = false;
  running_hook.Unlink();
  if (absl::IsCancelled(status) && drained_) {
    status = base::Refuse(base::Reason::kDraining, "the server is shutting down; try again, here later or elsewhere");
  }
  CountRefusal(loop_.shared.metrics, status);
  const grpc::Status ended = ToGrpc(status, wire::StatusContext(method_.name(), rpc_->name_space));
  if (is_unary() && ended.ok()) rpc_metrics().MsgSent();
  rpc_metrics().Handled(ended.error_code(), loop_.loop.Now() - started_);
  Finish(ended, &finished_tag_);
}

void CallBase::Drain() {
  drained_ = true;
  CancelHandler("the server is shutting down");
}

// Once, and whatever cancels the handler has of its own: a Timeout in it takes its own back, not this one.
void CallBase::CancelHandler(const char* message) {
  if (!std::exchange(cancelled_, true)) token_->Cancel(message);
}

void CallBase::OnDone(bool) {
  if (handling_ && context_->IsCancelled()) {
    rpc_->client_gone = true;
    CancelHandler("the client went away");
  }
  LetGo();
}

void CallBase::OnFinished(bool) { LetGo(); }

void CallBase::Forget() {
  rpc_.reset();
  Reset();
  token_.reset();
  context_.reset();
}

void CallBase::LetGo() {
  if (--owners_ > 0) return;
  MUSTER_CHECK_EQ(owners_, 0);
  loop_.shared.running.fetch_sub(1, std::memory_order_relaxed);
  method_.Recycle(*this);
}

void Method::Arm() {
  std::unique_ptr<CallBase> call;
  if (free_.empty()) {
    call = Make();
  } else {
    call = std::move(free_.back());
    free_.pop_back();
  }
  call.release()->Arm();  // owns itself until Recycle
}

void Method::Open(int accepts) {
  unposted_ = accepts - 1;
  Arm();
}

void Method::Replace() {
  for (Arm(); unposted_ > 0; --unposted_) Arm();
}

void Method::Recycle(CallBase& call) {
  std::unique_ptr<CallBase> owned(&call);
  owned->Forget();
  if (free_.size() < kFreeMax && !loop_.draining) free_.push_back(std::move(owned));
  owned.reset();
  loop_.LetCallGo();
}

void LoopCalls::Drain(base::UniqueFunction<void()> when_idle) {
  draining = true;
  on_idle = std::move(when_idle);
  for (CallBase& call : running) call.Drain();
  if (live == 0) std::exchange(on_idle, nullptr)();
}

void LoopCalls::LetCallGo() {
  --live;
  if (draining && live == 0 && on_idle) std::exchange(on_idle, nullptr)();
}

}  // namespace muster::grpc_front
