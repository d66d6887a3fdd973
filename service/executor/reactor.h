// Reactor: one epoll thread that watches the sockets of other libraries (curl, hiredis, libpq) and posts what happens
// to the executor where their code runs.
//
//   std::unique_ptr<executor::Reactor::Watch> watch;
//   MUSTER_ASSIGN_OR_RETURN(watch, reactor.Add(fd, Reactor::kReadable, *coro::Executor::Current(),
//                                              [this](unsigned ready) { Drive(ready); }));
//   watch->SetInterest(Reactor::kReadable | Reactor::kWritable);
//   watch.reset();                                        // before the fd is closed
//
// The callback runs on the home executor, as a post of its own, never on the reactor's thread. It may read, write,
// change the interest, destroy its Watch and add others; it must not block. Interest is level-triggered as the callback
// sees it: what is still ready after the callback returned is reported again. Events of one epoll_wait reach each
// executor as one list. Errors and hang-ups are reported always, whatever the interest. For time use the executor's own
// timers.
//
// Threading: a Watch belongs to its home executor's thread, Add included; stats from any.
// Lifetime: watches die before the reactor, and the executors outlive both. A watch must go before its fd is closed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/base/function.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/coro/executor.h"

namespace muster::executor {

struct ReactorStats {
  std::size_t watched = 0;   // now
  std::uint64_t events = 0;  // posted to executors
  std::uint64_t polls = 0;   // epoll_wait calls that brought some
};

class Reactor {
 public:
  enum : unsigned { kNone = 0, kReadable = 1, kWritable = 2, kError = 4 };
  using Callback = base::UniqueFunction<void(unsigned ready)>;

  struct Options {
    std::string name = "reactor";
    std::size_t watches_max = 65536;
  };

  class Watch;

  // FailedPrecondition when the kernel refuses to make an epoll set or an eventfd.
  static absl::StatusOr<std::unique_ptr<Reactor>> Create(Options options);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // On `home`'s thread. ResourceExhausted past watches_max; InvalidArgument for an fd that epoll does not take or that
  // is watched already. kNone is legal: errors and hang-ups only.
  absl::StatusOr<std::unique_ptr<Watch>> Add(int fd, unsigned interest, coro::Executor& home, Callback callback);

  ReactorStats stats() const;

 private:
  class State;

  Reactor(Options options, int epoll_fd, int wake_fd);
  void ThreadMain();

  const Options options_;
  const int epoll_fd_;
  const int wake_fd_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> polls_{0};
  mutable base::Mutex mutex_;
  // By a number that is never used again: an event that was under way when its watch died finds nothing here.
  std::unordered_map<std::uint64_t, std::shared_ptr<State>> states_ MUSTER_GUARDED_BY(mutex_);
  std::uint64_t next_id_ MUSTER_GUARDED_BY(mutex_) = 1;
  base::Thread thread_;
};

class Reactor::Watch {
 public:
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Errors cannot happen on a live fd; on one that was closed the watch stays silent.
  void SetInterest(unsigned interest);
  int fd() const;

 private:
  friend class Reactor;
  Watch(Reactor& reactor, std::shared_ptr<State> state);

  Reactor& reactor_;
  const std::shared_ptr<State> state_;
};

}  // namespace muster::executor
