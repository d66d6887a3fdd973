// An RPC from the accept to its last event, and what each loop keeps of them.
//
// A call object is counted by two owners once it has started: the handler with its Finish, and the done notification of
// the transport, which comes in any order with it; a read under way is a third. It goes back to its method's free list
// when the last of them has let go, so nothing ever touches a request, response or context after the call's last event.
//
// Threading: everything on the loop's thread. Lifetime: a LoopCalls outlives its calls (StopCalls waits for them).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "service/base/function.h"
#include "service/base/intrusive_list.h"
#include "service/grpc/detail/tag.h"
#include "service/metrics/metrics.h"
#include "service/verbs/rpc.h"

namespace muster::grpc_front {

using verbs::Rpc;
using verbs::StreamWriter;

class Method;
struct LoopCalls;

// What the calls of all loops share; outlives them.
struct CallsShared : verbs::Shared {
  CallsShared(const verbs::ServerInfo& i, int64_t max, metrics::Metrics* m) : Shared(i, m), running_max(max) {}
  const int64_t running_max;
  std::atomic<int64_t> running{0};  // calls that have started and not ended; a plain count
  // There is TLS, and a listener without it for probes: what comes in by that one may ask for health alone.
  bool plaintext_is_for_probes = false;  // set before the loops run
};

class CallBase : private coro::Runnable {
 public:
  CallBase(LoopCalls& loop, Method& method);
  virtual ~CallBase() = default;

  // Posts an accept.
  void Arm();
  // After its last event: drops what the call has used.
  void Forget();
  // The server stops: the handler's token is cancelled, and its CancelledError becomes DRAINING.
  void Drain();

  base::ListHook running_hook;

 protected:
  virtual void Request(grpc::ServerContext& context, Tag* tag) = 0;
  virtual coro::Task<absl::Status> Handle(Rpc& rpc) = 0;
  // The call's last operation; `tag` completes once.
  virtual void Finish(const grpc::Status& status, Tag* tag) = 0;
  // Drops messages and the like; the memory of usual ones stays for the next call.
  virtual void Reset() = 0;
  // Messages that came with the accept and go with an OK Finish; streams count theirs one by one.
  virtual bool is_unary() const = 0;

  grpc::ServerContext& context() { return *context_; }
  LoopCalls& loop() { return loop_; }
  metrics::RpcMetrics& rpc_metrics();
  void Hold() { ++owners_; }
  void LetGo();
  bool handling() const { return handling_; }

 private:
  template <void (CallBase::*kOnEvent)(bool ok)>
  class MemberTag final : public Tag {
   public:
    explicit MemberTag(CallBase& call) : call_(call) {}
    void Complete(bool ok) override { (call_.*kOnEvent)(ok); }

   private:
    CallBase& call_;
  };

  void OnAccepted(bool ok);
  void OnDone(bool ok);
  void OnFinished(bool ok);
  void Start();
  void CancelHandler(const char* message);
  static void OnHandled(coro::detail::TaskPromiseBase& promise, void* call);
  void End(absl::Status status);

  LoopCalls& loop_;
  Method& method_;
  std::optional<grpc::ServerContext> context_;
  std::optional<coro::CancelToken> token_;
  std::optional<Rpc> rpc_;
  base::Instant started_;
  int owners_ = 0;
  bool handling_ = false;
  bool drained_ = false;
  bool cancelled_ = false;
  MemberTag<&CallBase::OnAccepted> accepted_tag_{*this};
  MemberTag<&CallBase::OnDone> done_tag_{*this};
  MemberTag<&CallBase::OnFinished> finished_tag_{*this};
};

// When a method's calls reach its handler.
enum class Answers {
  kWhenOpen,  // once the service has recovered
  kAlways,    // before that too, and on a listener that is for probes
};

// One method on one loop: makes and pools its calls.
class Method {
 public:
  Method(LoopCalls& loop, std::string_view name, metrics::RpcMetrics metrics, Answers answers)
      : loop_(loop), name_(name), answers_(answers), metrics_(metrics) {}
  virtual ~Method() = default;

  // Posts one accept. With the first call `accepts` of them, which then stay: the packaged gRPC is built with
  // assertions and looks through all tags that are out with each event, so methods that nobody calls have one.
  void Open(int accepts);
  // Posts one more.
  void Arm();
  // One of those posted was taken.
  void Replace();
  void Recycle(CallBase& call);
  std::string_view name() const { return name_; }
  bool always() const { return answers_ == Answers::kAlways; }
  metrics::RpcMetrics& rpc_metrics() { return metrics_; }

 protected:
  virtual std::unique_ptr<CallBase> Make() = 0;
  LoopCalls& loop_;

 private:
  static constexpr size_t kFreeMax = 256;
  const std::string_view name_;  // of a literal
  const Answers answers_;
  metrics::RpcMetrics metrics_;
  std::vector<std::unique_ptr<CallBase>> free_;
  int unposted_ = 0;
};

// The calls of one loop.
struct LoopCalls : verbs::PerLoop {
  LoopCalls(executor::Loop& l, grpc::ServerCompletionQueue& q, CallsShared& s) : loop(l), queue(q), shared(s) {}

  // Accepts stop, and every running call is cancelled.
  void Drain(base::UniqueFunction<void()> when_idle);
  void LetCallGo();

  executor::Loop& loop;
  grpc::ServerCompletionQueue& queue;
  CallsShared& shared;
  runtime::Service* service = nullptr;  // set before the first accept
  std::vector<std::unique_ptr<Method>> methods;
  base::IntrusiveList<CallBase, &CallBase::running_hook> running;
  bool draining = false;
  int64_t live = 0;                      // posted accepts included
  base::UniqueFunction<void()> on_idle;  // called once, when draining and no call is left
};

}  // namespace muster::grpc_front
