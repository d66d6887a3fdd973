// A gRPC completion queue as what a loop sleeps on. Every tag of the queue is a Tag.
//
// Threading and lifetime: as executor::Poller. The grpc::Server that the queue belongs to is destroyed before it.
#pragma once

#include <memory>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "service/executor/poller.h"

namespace muster::grpc_front {

class CqPoller final : public executor::Poller {
 public:
  explicit CqPoller(std::unique_ptr<grpc::ServerCompletionQueue> queue) : queue_(std::move(queue)) {}

  Result Poll(base::Duration timeout) override;
  // One alarm serves for all wakes: the loop never has two under way, as two would corrupt the queue.
  void Wake() override;
  void Shutdown() override;

  grpc::ServerCompletionQueue& queue() { return *queue_; }

 private:
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::Alarm alarm_;
};

}  // namespace muster::grpc_front
