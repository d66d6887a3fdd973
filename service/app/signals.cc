#include "service/app/signals.h"

#include <cerrno>
#include <csignal>
#include <cstdint>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "service/base/check.h"

namespace muster::app {
namespace {

sigset_t Watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = Watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalWatcher::SignalWatcher() {
  const sigset_t set = Watched();
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  MUSTER_CHECK(signal_fd_ >= 0 && stop_fd_ >= 0) << "no descriptors are left";
  thread_ = base::Thread("signals", [this] { Run(); });
}

SignalWatcher::~SignalWatcher() {
  const uint64_t one = 1;
  MUSTER_CHECK_EQ(write(stop_fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  thread_.Join();
  close(signal_fd_);
  close(stop_fd_);
}

int SignalWatcher::WaitBlocking() {
  base::MutexLock lock(mutex_);
  while (first_ == 0) came_.Wait(mutex_);
  return first_;
}

void SignalWatcher::Run() {
  for (;;) {
    pollfd ready[] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (poll(ready, 2, -1) < 0) {
      MUSTER_CHECK_EQ(errno, EINTR);
      continue;
    }
    if (ready[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) continue;
    const int number = static_cast<int>(info.ssi_signo);
    base::MutexLock lock(mutex_);
    // Whoever asks twice does not want to wait for anything, least of all for destructors.
    if (first_ != 0) _exit(128 + number);
    first_ = number;
    came_.NotifyAll();
  }
}

}  // namespace muster::app
