// bench_gearman: libgearman on both sides of a gearmand; a worker that echoes, and a client that measures.
//
//   bench_gearman --port=4730 --role=worker &     as many as are wanted; each ends by a signal
//   bench_gearman --port=4730 --role=client --in-flight=128 --seconds=3
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <libgearman/gearman.h>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "tests/bench/tally.h"

namespace muster::bench {
namespace {

constexpr char kFunction[] = "echo";
constexpr char kHost[] = "127.0.0.1";
constexpr int kPatienceMs = 30'000;

struct Plan {
  uint16_t port = 4730;
  int in_flight = 128;
  size_t payload_bytes = 16;
  Tally::Plan time;
};

// --- worker ----------------------------------------------------------------------------------------------------------

// libgearman frees what it is given.
void* Echo(gearman_job_st* job, void*, size_t* size, gearman_return_t* status) {
  *size = gearman_job_workload_size(job);
  *status = GEARMAN_SUCCESS;
  void* answer = std::malloc(*size);
  std::memcpy(answer, gearman_job_workload(job), *size);
  return answer;
}

int Work(const Plan& plan) {
  gearman_worker_st* worker = gearman_worker_create(nullptr);
  gearman_return_t status = gearman_worker_add_server(worker, kHost, plan.port);
  if (gearman_success(status)) status = gearman_worker_add_function(worker, kFunction, 0, Echo, nullptr);
  while (gearman_success(status)) status = gearman_worker_work(worker);
  std::fprintf(stderr, "bench_gearman: worker: %s\n", gearman_worker_error(worker));
  gearman_worker_free(worker);
  return 1;
}

// --- client ----------------------------------------------------------------------------------------------------------

// Keeps a number of foreground jobs under way: each that ends submits the next.
class Client {
 public:
  explicit Client(const Plan& plan)
      : plan_(plan), tally_(plan.time), payload_(plan.payload_bytes, 'x'), client_(gearman_client_create(nullptr)) {
    gearman_client_add_options(client_, GEARMAN_CLIENT_FREE_TASKS);
    gearman_client_set_timeout(client_, kPatienceMs);
    gearman_client_set_complete_fn(client_, [](gearman_task_st* task) {
      return static_cast<Slot*>(gearman_task_context(task))->client->Ended(task);
    });
    gearman_client_set_fail_fn(client_, [](gearman_task_st*) { return GEARMAN_WORK_FAIL; });
  }
  ~Client() { gearman_client_free(client_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool Run() {
    gearman_return_t status = gearman_client_add_server(client_, kHost, plan_.port);
    slots_.resize(static_cast<size_t>(plan_.in_flight));
    for (Slot& slot : slots_) {
      slot.client = this;
      if (gearman_success(status)) status = Submit(slot);
    }
    if (gearman_success(status)) status = gearman_client_run_tasks(client_);
    if (gearman_failed(status)) {
      const char* why = gearman_client_error(client_);
      std::fprintf(stderr, "bench_gearman: client: %s\n", why != nullptr ? why : gearman_strerror(status));
      return false;
    }
    tally_.Close();
    if (!tally_.measured_anything()) {
      std::fprintf(stderr, "bench_gearman: too little ended after the warm-up; raise --seconds\n");
      return false;
    }
    fmt::print("{{{}}}\n", tally_.ToJson());
    return true;
  }

 private:
  struct Slot {
    Client* client = nullptr;
    Tally::Instant began;
  };

  gearman_return_t Submit(Slot& slot) {
    slot.began = Tally::Now();
    if (!tally_.Start(1, slot.began)) return GEARMAN_SUCCESS;
    gearman_return_t status = GEARMAN_SUCCESS;
    // Without a unique key: nothing to make, and nothing to look up in the server.
    gearman_client_add_task(client_, nullptr, &slot, kFunction, nullptr, payload_.data(), payload_.size(), &status);
    return status;
  }

  gearman_return_t Ended(gearman_task_st* task) {
    if (gearman_task_data_size(task) != payload_.size()) return GEARMAN_UNEXPECTED_PACKET;
    Slot& slot = *static_cast<Slot*>(gearman_task_context(task));
    tally_.Done(slot.began, 1, Tally::Now());
    return Submit(slot);
  }

  const Plan plan_;
  Tally tally_;
  const std::string payload_;
  gearman_client_st* const client_;
  std::vector<Slot> slots_;
};

int Main(int argc, char** argv) {
  Plan plan;
  std::string role = "client";
  CLI::App app("A gearman worker that echoes, or a client that measures and prints JSON.");
  app.set_version_flag("--version", fmt::format(R"({{"libgearman": "{}"}})", gearman_version()));
  app.add_option("--port", plan.port, "gearmand's, on 127.0.0.1.")->required();
  app.add_option("--role", role, "What to be.")->check(CLI::IsMember({"worker", "client"}));
  app.add_option("--in-flight", plan.in_flight, "Jobs under way at a time.")->check(CLI::Range(1, 100000));
  app.add_option("--payload-bytes", plan.payload_bytes, "Size of each workload.")->check(CLI::Range(1, 1 << 20));
  app.add_option("--seconds", plan.time.seconds, "How long to measure.")->check(CLI::PositiveNumber);
  app.add_option("--warmup", plan.time.warmup_seconds, "Seconds before it measures.")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  return role == "worker" ? Work(plan) : Client(plan).Run() ? 0 : 1;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
