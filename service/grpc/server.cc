#include "service/grpc/server.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "absl/status/statusor.h"
#include "fmt/format.h"

#include "service/base/check.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/grpc/detail/call.h"
#include "service/grpc/detail/cq_poller.h"
#include "service/grpc/detail/future_service.h"
#include "service/grpc/detail/health.h"

namespace muster::grpc_front {
namespace {

int Milliseconds(base::Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::min<int64_t>(ms, std::numeric_limits<int>::max()));
}

void SetTransport(grpc::ServerBuilder& builder, const ServerOptions& options) {
  const int message_max = static_cast<int>(std::min<uint64_t>(options.limits.message_bytes_max, 1u << 30));
  builder.SetMaxReceiveMessageSize(message_max);
  // Another server on the same port is an error, not a partner.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.connection_streams_max));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(options.client_ping_min));
  // Only when asked for: the filter that measures a connection's age is passed by every call, and takes 7 % of an echo.
  if (options.connection_age_max == base::Duration(0)) return;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.connection_age_max));
  // Finite, or one silent stream would hold a connection for ever; above the longest poll, so that none is cut.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(options.limits.poll_max + std::chrono::minutes(1)));
}

bool AddReflection() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  return true;
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(ServerOptions options);
  ~Impl();

  std::vector<executor::Loop*> loops() const;
  absl::Status Start(runtime::Service& service);
  void SetServing(bool serving);
  void SetDead();
  void TellWatchers();
  void StopCalls(base::Duration limit);
  void StopLoops();

  const ServerOptions options;
  CallsShared shared;
  int port = 0;
  int plaintext_port = 0;

 private:
  struct PerLoop {
    std::unique_ptr<executor::Loop> loop;
    std::unique_ptr<LoopCalls> calls;  // its methods and pooled calls die before the loop
    base::Thread thread;
  };

  // Before the loops, whose calls refer to them.
  Health health_;
  const std::unique_ptr<RpcService> futures_ = MakeFutureService();
  const std::vector<RpcService*> services_{futures_.get(), &health_};
  const bool reflection_ = AddReflection();  // a builder takes the plug-ins that are known when it is made
  grpc::ServerBuilder builder_;
  std::vector<PerLoop> loops_;
  bool ran_ = false;
  std::unique_ptr<grpc::Server> server_;  // dies before the queues, which the loops own

  base::Mutex mutex_;
  base::CondVar idle_;
  size_t busy_loops_ MUSTER_GUARDED_BY(mutex_) = 0;
};

Server::Impl::Impl(ServerOptions o) : options(std::move(o)), shared(options.info, options.calls_max, options.metrics) {
  MUSTER_CHECK_GT(options.loops, 0);
  MUSTER_CHECK_GT(options.accepts, 0);
  for (int index = 0; index < options.loops; ++index) {
    executor::Loop::Options loop;
    loop.name = fmt::format("loop-{}", index);
    loop.clock = options.clock;
    loop.manual_clock = options.manual_clock;
    loop.spin = options.loop_spin;
    auto poller = std::make_unique<CqPoller>(builder_.AddCompletionQueue());
    grpc::ServerCompletionQueue& queue = poller->queue();
    PerLoop& made = loops_.emplace_back();
    made.loop = std::make_unique<executor::Loop>(std::move(loop), std::move(poller));
    made.calls = std::make_unique<LoopCalls>(*made.loop, queue, shared);
    for (RpcService* service : services_) service->AddTo(*made.calls, options.metrics);
  }
}

Server::Impl::~Impl() {
  for (PerLoop& each : loops_) MUSTER_CHECK(!each.thread.joinable()) << "StopLoops comes before the end of a Server";
  if (ran_) return;
  // Never started: a queue is shut down and drained before it dies.
  for (PerLoop& each : loops_) {
    each.loop->Stop();
    each.thread = base::Thread(each.loop->name(), [loop = each.loop.get()] { loop->Run(); });
    each.thread.Join();
  }
}

std::vector<executor::Loop*> Server::Impl::loops() const {
  std::vector<executor::Loop*> all;
  for (const PerLoop& each : loops_) all.push_back(each.loop.get());
  return all;
}

absl::Status Server::Impl::Start(runtime::Service& service) {
  MUSTER_CHECK(server_ == nullptr) << "a server starts once";
  SetTransport(builder_, options);
  const auto credentials = options.credentials != nullptr ? options.credentials : grpc::InsecureServerCredentials();
  builder_.AddListeningPort(options.listen, credentials, &port);
  if (!options.plaintext_listen.empty()) {
    builder_.AddListeningPort(options.plaintext_listen, grpc::InsecureServerCredentials(), &plaintext_port);
    shared.plaintext_is_for_probes = options.credentials != nullptr;
  }
  for (RpcService* each : services_) builder_.RegisterService(&each->generated());
  // For reflection, the one synchronous service; it does not poll, the loops do.
  builder_.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder_.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder_.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  server_ = builder_.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format("cannot listen on {}: is another server running there?", options.listen));
  }
  ran_ = true;
  {
    base::MutexLock lock(mutex_);
    busy_loops_ = loops_.size();
  }
  for (PerLoop& each : loops_) {
    each.calls->service = &service;
    each.loop->Post([calls = each.calls.get(), accepts = options.accepts] {
      for (auto& method : calls->methods) method->Open(accepts);
    });
    each.thread = base::Thread(each.loop->name(), [loop = each.loop.get()] { loop->Run(); });
  }
  return absl::OkStatus();
}

void Server::Impl::SetServing(bool serving) {
  health_.state().serving.store(serving, std::memory_order_release);
  TellWatchers();
}

void Server::Impl::SetDead() {
  health_.state().alive.store(false, std::memory_order_release);
  TellWatchers();
}

void Server::Impl::TellWatchers() {
  if (server_ != nullptr) health_.TellWatchers();
}

void Server::Impl::StopCalls(base::Duration limit) {
  if (server_ == nullptr) return;
  for (PerLoop& each : loops_) {
    each.loop->Post([this, calls = each.calls.get()] {
      calls->Drain([this] {
        base::MutexLock lock(mutex_);
        if (--busy_loops_ == 0) idle_.NotifyAll();
      });
    });
  }
  // Returns when the connections have gone, which does not mean that every call has had its last event.
  const gpr_timespec deadline = gpr_time_from_micros(limit.count(), GPR_TIMESPAN);
  server_->Shutdown(deadline);
  base::MutexLock lock(mutex_);
  while (busy_loops_ > 0) idle_.Wait(mutex_);
}

void Server::Impl::StopLoops() {
  if (server_ == nullptr) return;
  for (PerLoop& each : loops_) each.loop->Stop();
  for (PerLoop& each : loops_) each.thread.Join();
  server_.reset();
}

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;
std::vector<executor::Loop*> Server::loops() const { return impl_->loops(); }
absl::Status Server::Start(runtime::Service& service) { return impl_->Start(service); }
int Server::port() const { return impl_->port; }
int Server::plaintext_port() const { return impl_->plaintext_port; }
void Server::SetServing(bool serving) { impl_->SetServing(serving); }
void Server::SetDead() { impl_->SetDead(); }
int64_t Server::live_calls() const { return impl_->shared.running.load(std::memory_order_relaxed); }
void Server::StopCalls(base::Duration limit) { impl_->StopCalls(limit); }
void Server::StopLoops() { impl_->StopLoops(); }

}  // namespace muster::grpc_front
