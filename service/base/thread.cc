#include "service/base/thread.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <utility>

#include <pthread.h>
#include <sched.h>

#include "service/base/check.h"

namespace muster::base {

Thread::Thread(std::string name, UniqueFunction<void()> body) {
  // Signals are the main thread's business: a new thread starts with all of them blocked, save those that report
  // a fault of its own.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  thread_ = std::thread([name = std::move(name), body = std::move(body)]() mutable {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    Join();
    thread_ = std::move(other.thread_);
  }
  return *this;
}

Thread::~Thread() { Join(); }

void Thread::Join() {
  if (!thread_.joinable()) return;
  MUSTER_CHECK(thread_.get_id() != std::this_thread::get_id()) << "a thread must not join itself";
  thread_.join();
}

std::optional<int> CpuQuota(std::string_view cpu_max) {
  long quota = 0;
  long period = 0;
  // sscanf wants a terminated string; "max" for the quota does not scan.
  if (std::sscanf(std::string(cpu_max).c_str(), "%ld %ld", &quota, &period) != 2) return std::nullopt;
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::min<long>((quota + period - 1) / period, 1 << 20));
}

int UsableCpuCount() {
  int count = 1;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) count = std::max(1, CPU_COUNT(&cpus));
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string text;
  if (std::getline(file, text)) {
    if (const std::optional<int> quota = CpuQuota(text)) count = std::min(count, *quota);
  }
  return count;
}

}  // namespace muster::base
