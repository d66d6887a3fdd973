// What the container allows: the CPU and memory limits of the process' control groups (v2, else v1).
//
// Threading: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace muster::app {

struct CgroupLimits {
  std::optional<double> cpus;            // quota over period, the least on the way up
  std::optional<uint64_t> memory_bytes;  // likewise
};

// `root` stands before /proc and /sys; tests give a folder of their own.
CgroupLimits ReadCgroupLimits(const std::string& root = "");

// CPUs that this process may use, by affinity and quota: at least 1.
int UsableCpus(const CgroupLimits& limits);
// Threads of the blocking pool when none were configured: for waiting more than for computing, so more than there are
// CPUs, as the default executor of asyncio has.
uint32_t DefaultBlockingThreads(int cpus);

}  // namespace muster::app
