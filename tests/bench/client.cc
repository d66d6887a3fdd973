// bench_client: puts a load on one server over one connection, and prints what it measured as one line of JSON.
//
//   bench_client --server=127.0.0.1:7411 --mode=call --in-flight=128 --seconds=3
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "muster/v1/future_service.pb.h"
#include "tests/bench/load.h"
#include "tests/bench/set_load.h"
#include "tests/bench/tally.h"

namespace muster::bench {
namespace {

using MeasureSet = std::optional<std::string> (*)(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
const std::map<std::string, MeasureSet> kSetModes = {
    {"backlog", &LeaveBacklog},         {"sleeps", &LeaveSleeps},       {"cancel_group", &CancelGroup},
    {"cancel_running", &CancelRunning}, {"drain_stream", &DrainStream}, {"gather", &GatherResults},
    {"wait_together", &WaitTogether},   {"idle", &CallAfterIdleness},
};

std::set<std::string> Modes() {
  std::set<std::string> modes = {"call", "submit_wait", "run"};
  for (const auto& [name, measure] : kSetModes) modes.insert(name);
  return modes;
}

int Main(int argc, char** argv) {
  LoadPlan load;
  Tally::Plan time;
  std::string server;
  std::string mode = "call";
  int64_t spin_us = 0;
  int64_t idle_ms = 0;
  int64_t delay_ms = 0;
  CLI::App app("Puts a load on a server of muster.v1 and prints what it measured as JSON.");
  app.set_version_flag("--version", fmt::format(R"({{"grpc": "{}", "protobuf": "{}.{}.{}"}})", grpc::Version(),
                                                GOOGLE_PROTOBUF_VERSION / 1000000,
                                                GOOGLE_PROTOBUF_VERSION / 1000 % 1000, GOOGLE_PROTOBUF_VERSION % 1000));
  app.add_option("--server", server, "Address of the server, without TLS.")->required();
  app.add_option("--mode", mode, "What to do.")->check(CLI::IsMember(Modes()));
  app.add_option("--in-flight", load.in_flight, "Operations under way at a time.")->check(CLI::Range(1, 100000));
  app.add_option("--batch", load.batch, "Items in a message of run.")->check(CLI::Range(1, 10000));
  app.add_option("--payload-bytes", load.payload_bytes, "Size of each input.")->check(CLI::Range(0, 1 << 20));
  app.add_option("--count", load.count, "Futures of a backlog or a set; times that idle is idle.")
      ->check(CLI::Range(1, 100000000));
  app.add_flag("--bare", load.bare, "The server has no futures: gather asks for the results of any.");
  app.add_option("--server-pid", load.server_pid,
                 "Process of the server, whose CPU drain_stream and wait_together tell.");
  app.add_option("--beside", load.beside, "Address of a reference server, for cancel_running.");
  app.add_option("--idle-ms", idle_ms, "How long idle is idle.")->check(CLI::NonNegativeNumber);
  app.add_option("--delay-ms", delay_ms, "How long idle waits before it begins.")->check(CLI::NonNegativeNumber);
  app.add_flag("--request-ids", load.request_ids, "Give each operation of call and submit_wait a request id.");
  app.add_flag("--session", load.session, "Open run with a session, so that every item has a request id.");
  app.add_option("--seconds", time.seconds, "How long to measure.")->check(CLI::PositiveNumber);
  app.add_option("--warmup", time.warmup_seconds, "Seconds before it measures.")->check(CLI::NonNegativeNumber);
  app.add_option("--operations-max", time.operations_max, "End after so many, warm-up included; 0: no limit.");
  app.add_option("--spin-us", spin_us, "Poll for so long before sleeping.")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  if (mode == "run" && load.batch > load.in_flight) {
    std::fprintf(stderr, "bench_client: --batch is %d, more than --in-flight, which is %d\n", load.batch,
                 load.in_flight);
    return 2;
  }
  load.spin = std::chrono::microseconds(spin_us);
  load.idle = std::chrono::milliseconds(idle_ms);
  load.delay = std::chrono::milliseconds(delay_ms);
  load.measured = std::chrono::duration<double>(time.seconds);
  load.name = fmt::format("{:08x}-{:016x}", getpid(), std::chrono::system_clock::now().time_since_epoch().count());

  const auto channel = grpc::CreateChannel(server, grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
    std::fprintf(stderr, "bench_client: nobody answers at %s\n", server.c_str());
    return 1;
  }
  if (const auto found = kSetModes.find(mode); found != kSetModes.end()) {
    const std::optional<std::string> json = found->second(channel, load);
    if (json) fmt::print("{{{}}}\n", *json);
    return json ? 0 : 1;
  }
  Tally tally(time);
  Weights weights;
  const auto run = mode == "run" ? &RunStream : mode == "call" ? &RunCalls : &RunSubmitWaits;
  if (!run(channel, load, tally, weights)) return 1;
  tally.Close();
  if (!tally.measured_anything()) {
    std::fprintf(stderr, "bench_client: too little ended after the warm-up; raise --seconds or --operations-max\n");
    return 1;
  }
  fmt::print("{{{}, \"request_bytes\": {:.1f}, \"response_bytes\": {:.1f}}}\n", tally.ToJson(), weights.request_bytes,
             weights.response_bytes);
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
