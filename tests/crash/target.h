// Where the clients find the server, over all its lives. Each life has its own address and connection, so that a call
// made to one can never reach the next.
//
// Threading: any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <grpcpp/grpcpp.h>

#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/mutex.h"

namespace muster::crash {

class Target {
 public:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    std::unique_ptr<muster::v1::FutureService::Stub> stub;
    uint64_t incarnation = 0;
  };

  // A server answers at `address`: the one of the `incarnation`th start.
  void Up(const std::string& address, uint64_t incarnation);
  // The present one is dead: nothing that was sent to it can take effect any more.
  void Down();
  // Cuts every call in flight and lets the same server go on under a new connection: lost answers without a death.
  void Cut();
  // From now on it stays up: what should end has to end.
  void Settle();
  // Clients are to give up.
  void Stop();
  // Clients are to end what they are at and begin nothing new.
  void Finish();

  // Blocks until there is one; null once stopped.
  std::shared_ptr<Connection> AwaitBlocking();
  // How often it died or was cut off.
  uint64_t breaks() const;
  // When that life ended; nothing while it lives, and after a Cut.
  std::optional<Clock::time_point> DeathOf(uint64_t incarnation) const;
  bool stopped() const;
  bool finishing() const;
  // How long the server has been left alone; zero before Settle.
  Clock::duration settled_for() const;
  // Sleeps, unless it is stopped meanwhile.
  void PauseBlocking(std::chrono::milliseconds duration);

  // Calls in flight, so that Cut finds them.
  void Begin(grpc::ClientContext* context);
  void End(grpc::ClientContext* context);

 private:
  void ConnectLocked() MUSTER_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  mutable base::CondVar changed_;
  std::shared_ptr<Connection> connection_ MUSTER_GUARDED_BY(mutex_);
  std::string address_ MUSTER_GUARDED_BY(mutex_);
  uint64_t incarnation_ MUSTER_GUARDED_BY(mutex_) = 0;
  uint64_t breaks_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Clock::time_point> deaths_ MUSTER_GUARDED_BY(mutex_);
  std::set<grpc::ClientContext*> calls_ MUSTER_GUARDED_BY(mutex_);
  std::optional<Clock::time_point> settled_ MUSTER_GUARDED_BY(mutex_);
  bool stopped_ MUSTER_GUARDED_BY(mutex_) = false;
  bool finishing_ MUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::crash
