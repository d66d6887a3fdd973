// The loads that bench_client can put on a server, over one connection.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include "muster/v1/future.pb.h"
#include "tests/bench/tally.h"

namespace muster::bench {

struct LoadPlan {
  int in_flight = 128;
  int batch = 1;  // items in a message of Run
  int payload_bytes = 16;
  int count = 1000000;  // futures of a backlog or a set, times of idleness
  bool request_ids = false;
  bool session = false;
  bool bare = false;   // the server is none of Muster's: it has no futures
  int server_pid = 0;  // whose CPU is measured
  std::string beside;  // address of a reference server, for what is measured in turns with it
  std::chrono::microseconds idle{0};
  std::chrono::microseconds delay{0};
  std::chrono::duration<double> measured{1};  // how long, where that is not the tally's
  std::chrono::microseconds spin{0};
  std::string name;  // unlike that of any other run: what request ids and sessions begin with
};

// What one request and one answer weigh, in bytes on the wire before gRPC frames them: by this one sees that a
// reference server was given, and gave, the same.
struct Weights {
  double request_bytes = 0;
  double response_bytes = 0;
};

// Each blocks until the tally's plan is over and every operation has ended. False: an operation failed or did not end;
// it was said on stderr.
bool RunCalls(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally, Weights& weights);
bool RunSubmitWaits(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally,
                    Weights& weights);
bool RunStream(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally, Weights& weights);

// What every load asks for, but where it says otherwise: the payload comes back as it is.
muster::v1::FutureSpec EchoSpec(const LoadPlan& plan);

// The next event of the queue: spins first if the plan says so, and gives up after a time in which any answer should
// have come. Nullptr then, and after the queue's end.
void* NextEvent(grpc::CompletionQueue& queue, std::chrono::microseconds spin, bool& ok);

}  // namespace muster::bench
