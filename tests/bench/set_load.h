// The measurements of sets that bench_client can make of a musterd: many futures, waited for, gathered and cancelled at
// once. Each is one thing that is done some times and timed, not a load that goes on.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <grpcpp/channel.h>

#include "tests/bench/load.h"

namespace muster::bench {

// Each returns what it measured as the body of a JSON object, or nothing: then it was said on stderr why.

// Leaves `plan.count` jobs that start in an hour.
std::optional<std::string> LeaveBacklog(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// Leaves `plan.count` sleeps of an hour running, in the group "bench".
std::optional<std::string> LeaveSleeps(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// Cancels the group "bench" of `plan.count` futures, and waits until all of it has ended: `seconds`.
std::optional<std::string> CancelGroup(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// From before a Cancel is sent to when the job saw it, over and over, in turns with the round trip of an echo of
// `plan.beside`: `cancel` and `echo`, each with p50_us and p99_us. The server has the function bench.cancelled_at
// (musterd.cc).
std::optional<std::string> CancelRunning(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// AsCompleted over a group of `plan.count`, of which some end: server_cpu_us of one that does.
std::optional<std::string> DrainStream(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// Gathers `plan.count` results over and over: median_seconds.
std::optional<std::string> GatherResults(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// `plan.count` waits for the same `plan.count` futures, over and over. Says "open" on stdout each time that they are
// under way, and goes on with the next line on stdin. server_cpu_us of one future that one wait hears of.
std::optional<std::string> WaitTogether(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);
// A Call after each of `plan.count` idle times of `plan.idle`: p50_us.
std::optional<std::string> CallAfterIdleness(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan);

}  // namespace muster::bench
