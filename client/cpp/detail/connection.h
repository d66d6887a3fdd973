// One channel to one server with a completion queue and the thread that drains it. Every RPC of the library goes
// through here; nothing but this folder's detail/ sees grpcpp.
//
// Threading: any thread. Events are delivered on the connection's own thread ("muster-client"), whose handlers only
// post to other executors or step a RunSession; user code never runs there. Lifetime: shared by clients, streams and
// coroutines in flight. The destructor waits for the events of those Run streams that were dropped while they were
// open.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/options.h"
#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::client::detail {

using Stub = v1::FutureService::Stub;

// What a completion queue's tag points to.
class Tag {
 public:
  // On the connection's thread. Whatever waits for it may destroy the tag.
  virtual void OnEvent(bool ok) = 0;

 protected:
  ~Tag() = default;
};

class Connection {
 public:
  // Reads the TLS files; does not connect yet.
  static absl::StatusOr<std::shared_ptr<Connection>> Open(std::string address, Options options);
  Connection(std::string address, Options options, std::shared_ptr<grpc::Channel> channel);
  ~Connection();

  const std::string& address() const { return address_; }
  const Options& options() const { return options_; }
  Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  grpc::CompletionQueue& queue() { return queue_; }

  // Brackets a stream that may outlive whoever opened it.
  void StreamOpened();
  void StreamEnded();

 private:
  void Drain();

  const std::string address_;
  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Stub> stub_;
  grpc::CompletionQueue queue_;
  base::Mutex mutex_;
  base::CondVar streams_ended_;
  int open_streams_ MUSTER_GUARDED_BY(mutex_) = 0;
  base::Thread thread_;
};

// Bounds an RPC from now on.
void SetDeadline(grpc::ClientContext& context, base::Duration timeout);

// The clock of what has no executor of its own to ask.
const base::Clock& ClientClock();

// With the details that ReasonOf and its kin read.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace muster::client::detail
