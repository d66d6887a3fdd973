#include "service/base/thread.h"

#include <csignal>
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

int UsableCpuCount() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 1;
  const int count = CPU_COUNT(&cpus);
  return count < 1 ? 1 : count;
}

}  // namespace muster::base
