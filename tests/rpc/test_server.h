// A whole server in this process, on a free port, with functions that tests can hold and release.
//
// Threading: one test thread owns it. Lifetime: destruction drains in the order that musterd does, and hangs if a call
// is never let go: ctest's timeout then says so.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/clock.h"
#include "service/dispatch/directory.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/manual_time.h"
#include "service/grpc/server.h"
#include "service/jobs/registry.h"
#include "service/metrics/metrics.h"
#include "service/runtime/service.h"

namespace muster::test {

struct TestServerOptions {
  int loops = 1;
  bool manual_clock = false;
  values::Limits limits;
  base::Duration connection_age_max{};
};

class TestServer {
 public:
  explicit TestServer(TestServerOptions options);
  ~TestServer();

  std::string target() const;
  runtime::Service& service() { return *service_; }
  grpc_front::Server& server() { return *server_; }
  // Counts over all loops.
  runtime::Service::Stats Stats();
  // With manual_clock: moves time from timer to timer, running what each wakes.
  void Advance(base::Duration by);
  // How often the body of `count` has run.
  int counted() const { return counted_.load(); }
  // Stops calls and loops; once, and before the destructor if a test wants to see it.
  void Stop();

 private:
  const TestServerOptions options_;
  base::ManualClock manual_;
  base::SystemClock system_;
  metrics::Metrics metrics_;
  std::atomic<int> counted_{0};
  jobs::Registry registry_;
  dispatch::Directory directory_;
  runtime::NullObserver observer_;
  std::unique_ptr<executor::BlockingPool> pool_;
  std::unique_ptr<grpc_front::Server> server_;
  std::unique_ptr<runtime::Service> service_;
  bool stopped_ = false;
};

}  // namespace muster::test
