// The gRPC server: completion queues, the loops that own them, and the RPCs of muster.v1.FutureService on top of a
// runtime::Service; health (grpc.health.v1) and reflection beside it.
//
//   grpc_front::Server server(options);                              // makes the loops, which do not run yet
//   runtime::Service service(..., server.loops(), ...);
//   MUSTER_RETURN_IF_ERROR(server.Start(service));                   // binds, accepts, runs the loops; not ready yet
//   server.SetServing(true);
//   ...
//   server.SetServing(false);      // 1. health says NOT_SERVING; calls are still answered
//   service.BeginDrain();          // 2. no new jobs; waits and streams end with DRAINING; jobs get their grace
//   service.FinishDrain();         //    then Call and Run end with it too
//   server.StopCalls(limit);       // 3. no new calls; returns when the last call has gone
//   pool.Shutdown(...); ...        // 4. stop whoever else posts to the loops
//   server.StopLoops();            // 5. loops run to their end and are joined
//   // then destroy the service, then the server
//
// Threading: everything is called from the one thread that owns the server (main), except SetServing and live_calls.
// Lifetime: `service` is given by reference to Start and must live until StopLoops has returned; loops live as long as
// the server object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "service/base/clock.h"
#include "service/executor/loop.h"
#include "service/runtime/service.h"
#include "service/values/limits.h"
#include "service/verbs/server_info.h"

namespace grpc {
class ServerCredentials;
}

namespace muster::metrics {
class Metrics;
}

namespace muster::grpc_front {

struct ServerOptions {
  // "127.0.0.1:7411"; port 0 takes a free one, see Server::port.
  std::string listen = "127.0.0.1:0";
  // Null: plaintext.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  // A second listener, without TLS; empty: none. Where `credentials` asks for TLS it answers health checks alone.
  std::string plaintext_listen;
  verbs::ServerInfo info;
  // Message sizes and the longest poll are taken from here; the same limits the runtime::Service has.
  values::Limits limits;
  // Null: nothing is counted. Otherwise outlives the server.
  metrics::Metrics* metrics = nullptr;

  int loops = 1;
  // As executor::Loop::Options.
  const base::Clock* clock = nullptr;
  bool manual_clock = false;
  base::Duration loop_spin = std::chrono::microseconds(50);

  // Calls of one method that each loop has posted an accept for, once the method is used.
  int accepts = 4;
  // Calls of any kind in progress at once, over all loops; past it they are refused with TOO_MANY_WAITERS.
  uint32_t calls_max = 50'000;
  // HTTP/2 streams on one connection.
  uint32_t connection_streams_max = 10'000;
  // The server pings a silent connection after this long, and drops it when no answer comes within the next.
  base::Duration keepalive_time = std::chrono::seconds(60);
  base::Duration keepalive_timeout = std::chrono::seconds(20);
  // Clients may ping this often.
  base::Duration client_ping_min = std::chrono::seconds(20);
  // After this long a client is asked to connect anew, so that load spreads; its calls have the longest poll and a
  // minute to end. 0: never.
  base::Duration connection_age_max{};
};

class Server {
 public:
  explicit Server(ServerOptions options);
  // CHECKs that Start was never called, or StopLoops was.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // For runtime::Service; valid for the life of this object.
  std::vector<executor::Loop*> loops() const;

  // Binds, posts the accepts and runs the loops. UNAVAILABLE when an address cannot be bound. Health is NOT_SERVING
  // until SetServing(true).
  absl::Status Start(runtime::Service& service);
  // The port that `listen` got.
  int port() const;
  int plaintext_port() const;

  // From any thread: what grpc.health.v1 says, for the server ("") and for muster.v1.FutureService: whether it takes
  // work. "live" is SERVING from Start to the end, also while the server recovers and drains.
  void SetServing(bool serving);
  // From any thread: only a restart can help. "live" says NOT_SERVING from now on.
  void SetDead();

  // Calls in progress, over all loops; from any thread.
  int64_t live_calls() const;

  // Accepts no more; open calls are cancelled with DRAINING, and what does not end by itself is cut off after `limit`
  // (real time). Blocks until no call is left. Without a Start it does nothing.
  void StopCalls(base::Duration limit);
  // After StopCalls, and after everyone else has stopped posting. Blocks until the loops have ended.
  void StopLoops();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::grpc_front
