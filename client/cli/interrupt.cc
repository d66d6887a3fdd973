#include "client/cli/interrupt.h"

#include <csignal>
#include <cstdint>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/cli/exit_code.h"
#include "service/base/check.h"

namespace muster::cli {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

void Raise(int fd) {
  const std::uint64_t one = 1;
  MUSTER_CHECK_EQ(write(fd, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
}

}  // namespace

void Interrupt::BlockSignals() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Interrupt::Interrupt() {
  const sigset_t signals = Signals();
  raised_fd_ = eventfd(0, EFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  MUSTER_CHECK(raised_fd_ >= 0 && stop_fd_ >= 0 && signal_fd_ >= 0) << "no file descriptors left";
  thread_ = base::Thread("muster-signals", [this] { Loop(); });
}

Interrupt::~Interrupt() {
  Raise(stop_fd_);
  thread_.Join();
  for (const int fd : {raised_fd_, stop_fd_, signal_fd_}) close(fd);
}

void Interrupt::OnRaise(std::function<void()> action) {
  base::MutexLock lock(mutex_);
  if (raised()) return action();
  action_ = std::move(action);
}

void Interrupt::Loop() {
  pollfd fds[] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  while (true) {
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) continue;
    if (raised_.exchange(true, std::memory_order_acq_rel)) _exit(kInterrupted);
    Raise(raised_fd_);
    base::MutexLock lock(mutex_);
    if (action_) action_();
  }
}

}  // namespace muster::cli
