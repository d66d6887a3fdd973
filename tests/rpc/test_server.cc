#include "tests/rpc/test_server.h"

#include <utility>

#include <gtest/gtest.h>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/executor/sync_wait.h"
#include "service/jobs/error.h"

namespace muster::test {
namespace {

using jobs::JobContext;
using jobs::Payload;
using Result = absl::StatusOr<Payload>;

coro::Task<Result> Echo(JobContext&, Payload input) { co_return input; }

coro::Task<Result> Fail(JobContext&, Payload input) { co_return jobs::Failure("ValueError", input.body()); }

coro::Task<Result> Cancelled(JobContext&, Payload input) { co_return absl::CancelledError(input.body()); }

// Runs until it is cancelled.
coro::Task<Result> Hold(JobContext& context, Payload) {
  const absl::Status status = co_await context.Sleep(std::chrono::hours(24));
  if (!status.ok()) co_return status;
  co_return Payload();
}

// Sleeps for as many milliseconds as its input says.
coro::Task<Result> Sleep(JobContext& context, Payload input) {
  const absl::Status status = co_await context.Sleep(std::chrono::milliseconds(std::stol(input.body())));
  if (!status.ok()) co_return status;
  co_return input;
}

// Runs until it is cancelled, and returns a value then (semantics 6).
coro::Task<Result> Swallow(JobContext& context, Payload) {
  const absl::Status status = co_await context.Sleep(std::chrono::hours(24));
  co_return Payload::Text(status.ok() ? "slept" : "swallowed");
}

// Runs until it is cancelled, and fails then (semantics 59).
coro::Task<Result> FailOnCancel(JobContext& context, Payload) {
  const absl::Status status = co_await context.Sleep(std::chrono::hours(24));
  static_cast<void>(status);
  co_return jobs::Failure("CleanupError", "failed while it was cancelled");
}

// Gives what the future gives whose id is its input.
coro::Task<Result> Await(JobContext& context, Payload input) {
  const auto target = values::FutureId::Parse(input.body());
  if (!target.has_value()) co_return jobs::InvalidInput("the input is no id");
  co_return co_await context.AwaitValue(*target);
}

// Returns text that is no UTF-8.
coro::Task<Result> Garbled(JobContext&, Payload) { co_return Payload::Text("caf\xE9"); }

// Reports progress in words that are no UTF-8, then runs until it is cancelled.
coro::Task<Result> Mutter(JobContext& context, Payload) {
  context.ReportProgress(0.5, "h\xE9");
  const absl::Status status = co_await context.Sleep(std::chrono::hours(24));
  if (!status.ok()) co_return status;
  co_return Payload();
}

// Reports progress, then runs until it is cancelled.
coro::Task<Result> Progress(JobContext& context, Payload) {
  context.ReportProgress(0.5, "half");
  const absl::Status status = co_await context.Sleep(std::chrono::hours(24));
  if (!status.ok()) co_return status;
  co_return Payload();
}

Result Upper(jobs::BlockingContext&, Payload input) {
  std::string body = input.body();
  for (char& c : body) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return Payload::Text(std::move(body));
}

void AddFunctions(jobs::Registry& registry, std::atomic<int>& counted) {
  const auto add = [&registry](const char* name, jobs::AsyncBody body) {
    MUSTER_CHECK(registry.AddAsync(name, "for tests", Payload::Text("1"), std::move(body)).ok());
  };
  add("echo", &Echo);
  add("fail", &Fail);
  add("cancelled", &Cancelled);
  add("hold", &Hold);
  add("sleep", &Sleep);
  add("swallow", &Swallow);
  add("fail.on.cancel", &FailOnCancel);
  add("await", &Await);
  add("progress", &Progress);
  add("garbled", &Garbled);
  add("mutter", &Mutter);
  std::atomic<int>* const counter = &counted;
  add("count", [counter](JobContext& context, Payload input) -> coro::Task<Result> {
    ++*counter;
    return Echo(context, std::move(input));
  });
  MUSTER_CHECK(registry.AddBlocking("upper", "for tests", Payload::Text("a"), &Upper).ok());
}

}  // namespace

TestServer::TestServer(TestServerOptions options) : options_(std::move(options)) {
  AddFunctions(registry_, counted_);
  MUSTER_CHECK(directory_.ServeAll(registry_).ok());
  const base::Clock& clock =
      options_.manual_clock ? static_cast<const base::Clock&>(manual_) : static_cast<const base::Clock&>(system_);
  executor::BlockingPool::Options pool;
  pool.threads = 2;
  pool_ = std::make_unique<executor::BlockingPool>(std::move(pool));
  grpc_front::ServerOptions server;
  server.loops = options_.loops;
  server.clock = &clock;
  server.manual_clock = options_.manual_clock;
  server.limits = options_.limits;
  server.connection_age_max = options_.connection_age_max;
  server.metrics = &metrics_;
  server.info.version = "1.2.3";
  server.info.instance_id = "test";
  if (options_.manual_clock) server.info.features.push_back("manual_clock");
  server_ = std::make_unique<grpc_front::Server>(std::move(server));
  runtime::Service::Options service;
  service.limits = options_.limits;
  service_ = std::make_unique<runtime::Service>(service, directory_, server_->loops(), *pool_, clock, observer_);
  const absl::Status started = server_->Start(*service_);
  MUSTER_CHECK(started.ok()) << started.ToString();
  server_->SetServing(true);
}

TestServer::~TestServer() { Stop(); }

void TestServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  server_->SetServing(false);
  service_->BeginDrain();
  service_->CancelAllJobs("the test is over");
  service_->FinishDrain();
  server_->StopCalls(std::chrono::seconds(2));
  pool_->Shutdown(std::chrono::seconds(10));
  server_->StopLoops();
}

std::string TestServer::target() const { return fmt::format("127.0.0.1:{}", server_->port()); }

runtime::Service::Stats TestServer::Stats() {
  return executor::SyncWait(*server_->loops().front(), service_->CollectStats());
}

void TestServer::Advance(base::Duration by) {
  executor::ManualTime time(manual_, server_->loops(), {pool_.get()});
  ASSERT_TRUE(time.AdvanceBlocking(by, std::chrono::seconds(20)));
}

}  // namespace muster::test
