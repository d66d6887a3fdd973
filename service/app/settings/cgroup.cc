#include "service/app/settings/cgroup.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "service/base/thread.h"

namespace muster::app {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

template <typename T>
void Lower(std::optional<T>& limit, T value) {
  limit = limit.has_value() ? std::min(*limit, value) : value;
}

// "max 100000" or "150000 100000".
std::optional<double> ParseCpuMax(const std::string& line) {
  std::istringstream words(line);
  double quota = 0, period = 0;
  if (words >> quota >> period && quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

std::optional<uint64_t> ParseMemory(const std::string& line) {
  if (line.empty() || line.front() < '0' || line.front() > '9') return std::nullopt;  // "max"
  const uint64_t bytes = std::strtoull(line.c_str(), nullptr, 10);
  // v1 says "no limit" with the largest number of whole pages.
  return bytes == 0 || bytes >= (1ull << 62) ? std::nullopt : std::optional<uint64_t>(bytes);
}

// `path` and every folder above it, up to the root of the hierarchy: a limit of any of them holds.
std::vector<std::string> WithParents(std::string path) {
  std::vector<std::string> all;
  while (path.size() > 1) {
    all.push_back(path);
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  all.emplace_back();
  return all;
}

}  // namespace

CgroupLimits ReadCgroupLimits(const std::string& root) {
  CgroupLimits limits;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "0::/path" is v2; "4:cpu,cpuacct:/path" is v1.
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    for (const std::string& path : WithParents(line.substr(second + 1))) {
      if (controllers == ",,") {
        const std::string folder = fmt::format("{}/sys/fs/cgroup{}", root, path);
        if (const auto cpus = ParseCpuMax(ReadLine(folder + "/cpu.max"))) Lower(limits.cpus, *cpus);
        if (const auto bytes = ParseMemory(ReadLine(folder + "/memory.max"))) Lower(limits.memory_bytes, *bytes);
      } else if (controllers.find(",cpu,") != std::string::npos) {
        const std::string folder = fmt::format("{}/sys/fs/cgroup/cpu{}", root, path);
        const std::string both = ReadLine(folder + "/cpu.cfs_quota_us") + " " + ReadLine(folder + "/cpu.cfs_period_us");
        if (const auto cpus = ParseCpuMax(both)) Lower(limits.cpus, *cpus);
      } else if (controllers.find(",memory,") != std::string::npos) {
        const std::string folder = fmt::format("{}/sys/fs/cgroup/memory{}", root, path);
        if (const auto bytes = ParseMemory(ReadLine(folder + "/memory.limit_in_bytes"))) {
          Lower(limits.memory_bytes, *bytes);
        }
      }
    }
  }
  return limits;
}

int UsableCpus(const CgroupLimits& limits) {
  int cpus = base::UsableCpuCount();
  if (limits.cpus.has_value()) cpus = std::min(cpus, static_cast<int>(std::ceil(*limits.cpus)));
  return std::max(cpus, 1);
}

uint32_t DefaultBlockingThreads(int cpus) { return static_cast<uint32_t>(std::clamp(cpus + 4, 4, 32)); }

}  // namespace muster::app
