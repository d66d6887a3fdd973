// process_*: what /proc says of this process, read at each scrape.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "service/metrics/metrics.h"

namespace muster::metrics {
namespace {

std::string ReadSmallFile(const char* path) {
  std::string text;
  if (std::FILE* file = std::fopen(path, "re"); file != nullptr) {
    char buffer[4096];
    const std::size_t size = std::fread(buffer, 1, sizeof(buffer), file);
    text.assign(buffer, size);
    std::fclose(file);
  }
  return text;
}

// Fields 3 (state) and on of /proc/self/stat; the name before them may hold anything, brackets too.
struct Stat {
  double start_ticks = 0, virtual_bytes = 0, resident_pages = 0, threads = 0;
};

Stat ReadStat() {
  Stat stat;
  const std::string text = ReadSmallFile("/proc/self/stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return stat;
  const char* at = text.c_str() + name_end + 1;
  for (int field = 3; field <= 24 && *at != '\0'; ++field) {
    while (*at == ' ') ++at;
    const double value = std::atof(at);
    if (field == 20) stat.threads = value;
    if (field == 22) stat.start_ticks = value;
    if (field == 23) stat.virtual_bytes = value;
    if (field == 24) stat.resident_pages = value;
    while (*at != ' ' && *at != '\0') ++at;
  }
  return stat;
}

double BootTime() {
  std::FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return 0;
  char line[256];
  double boot = 0;
  while (boot == 0 && std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::strncmp(line, "btime ", 6) == 0) boot = std::atof(line + 6);
  }
  std::fclose(file);
  return boot;
}

double CountOpenFds() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -1;  // the folder's own
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

std::unique_ptr<Registry::Collector> CollectProcess(Metrics& metrics) {
  Registry& registry = metrics.registry;
  const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  registry.GetGauge(Id::kProcessStart).Set(BootTime() + ReadStat().start_ticks / ticks);
  struct Handles {
    Gauge resident, virtual_memory, fds, fds_max, threads;
    Counter cpu;
  };
  auto handles =
      std::make_unique<Handles>(Handles{registry.GetGauge(Id::kProcessResident), registry.GetGauge(Id::kProcessVirtual),
                                        registry.GetGauge(Id::kProcessFds), registry.GetGauge(Id::kProcessFdsMax),
                                        registry.GetGauge(Id::kProcessThreads), registry.GetCounter(Id::kProcessCpu)});
  return registry.OnScrape([handles = std::move(handles), page] {
    const Stat stat = ReadStat();
    handles->resident.Set(stat.resident_pages * page);
    handles->virtual_memory.Set(stat.virtual_bytes);
    handles->threads.Set(stat.threads);
    handles->fds.Set(CountOpenFds());
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) handles->fds_max.Set(static_cast<double>(limit.rlim_cur));
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) handles->cpu.Mirror(Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  });
}

}  // namespace muster::metrics
