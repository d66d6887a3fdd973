#include "service/executor/reactor.h"

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fmt/format.h"

#include "service/base/check.h"

namespace muster::executor {
namespace {

constexpr std::uint64_t kWakeId = 0;
constexpr int kEventsPerPoll = 256;

// One shot: reported once, then silent until the callback has run and the watch is armed again. So a socket that its
// owner has not served yet does not make the reactor's thread turn in circles.
std::uint32_t EpollBits(unsigned interest) {
  std::uint32_t bits = EPOLLONESHOT;
  if (interest & Reactor::kReadable) bits |= EPOLLIN | EPOLLRDHUP;
  if (interest & Reactor::kWritable) bits |= EPOLLOUT;
  return bits;
}

unsigned ReadyBits(std::uint32_t events) {
  unsigned ready = Reactor::kNone;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) ready |= Reactor::kReadable;
  if (events & EPOLLOUT) ready |= Reactor::kWritable;
  if (events & (EPOLLERR | EPOLLHUP)) ready |= Reactor::kError;
  return ready;
}

absl::Status SystemError(const char* what, int error) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", what, std::strerror(error)));
}

}  // namespace

// Shared by its Watch, the reactor's table and a post that is under way.
class Reactor::State final : public coro::Runnable {
 public:
  State(std::uint64_t id, int epoll_fd, int fd, unsigned interest, coro::Executor& home, Callback callback)
      : Runnable(&OnHome),
        id_(id),
        epoll_fd_(epoll_fd),
        fd_(fd),
        home_(home),
        interest_(interest),
        callback_(std::move(callback)) {}

  std::uint64_t id() const { return id_; }
  int fd() const { return fd_; }
  coro::Executor& home() const { return home_; }

  // Reactor's thread: one post at a time, since one shot means that no event follows before Arm.
  void MakeReady(std::uint32_t events, std::shared_ptr<State> self) {
    ready_ = ReadyBits(events);
    posted_ = std::move(self);
  }

  // Home executor from here on.
  void SetInterest(unsigned interest) {
    interest_ = interest;
    if (!in_flight()) Arm();  // otherwise OnHome does it
  }
  void Close() {
    closed_ = true;
    callback_ = nullptr;
  }
  // A report may be on its way: arming now could bring a second one, whose post would use the same links.
  bool in_flight() const { return in_flight_.load(std::memory_order_acquire); }
  void set_in_flight(bool in_flight) { in_flight_.store(in_flight, std::memory_order_release); }

  int Control(int operation) {
    epoll_event event = {};
    event.events = EpollBits(interest_);
    event.data.u64 = id_;
    return epoll_ctl(epoll_fd_, operation, fd_, &event);
  }

 private:
  static void OnHome(coro::Runnable& runnable) {
    const std::shared_ptr<State> self = std::move(static_cast<State&>(runnable).posted_);
    if (self->closed_) return;
    // The callback may destroy the watch, and with it callback_.
    Callback callback = std::move(self->callback_);
    callback(self->ready_);
    if (self->closed_) return;
    self->callback_ = std::move(callback);
    self->set_in_flight(false);
    self->Arm();
  }
  void Arm() { Control(EPOLL_CTL_MOD); }

  const std::uint64_t id_;
  const int epoll_fd_;
  const int fd_;
  coro::Executor& home_;
  std::atomic<bool> in_flight_{false};
  unsigned interest_;
  bool closed_ = false;
  Callback callback_;
  unsigned ready_ = kNone;         // handed over by the post
  std::shared_ptr<State> posted_;  // keeps this alive while it is in a list
};

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Create(Options options) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return SystemError("epoll_create1", errno);
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  if (wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    const int error = errno;
    if (wake_fd >= 0) close(wake_fd);
    close(epoll_fd);
    return SystemError("eventfd", error);
  }
  return std::unique_ptr<Reactor>(new Reactor(std::move(options), epoll_fd, wake_fd));
}

Reactor::Reactor(Options options, int epoll_fd, int wake_fd)
    : options_(std::move(options)), epoll_fd_(epoll_fd), wake_fd_(wake_fd) {
  thread_ = base::Thread(options_.name, [this] { ThreadMain(); });
}

Reactor::~Reactor() {
  {
    base::MutexLock lock(mutex_);
    MUSTER_CHECK(states_.empty()) << states_.size() << " watches outlive their reactor";
  }
  stop_.store(true, std::memory_order_release);
  eventfd_write(wake_fd_, 1);
  thread_.Join();
  close(wake_fd_);
  close(epoll_fd_);
}

absl::StatusOr<std::unique_ptr<Reactor::Watch>> Reactor::Add(int fd, unsigned interest, coro::Executor& home,
                                                             Callback callback) {
  std::shared_ptr<State> state;
  {
    base::MutexLock lock(mutex_);
    if (states_.size() >= options_.watches_max) {
      return absl::ResourceExhaustedError(fmt::format("{} sockets are watched, as many as may", states_.size()));
    }
    state = std::make_shared<State>(next_id_++, epoll_fd_, fd, interest, home, std::move(callback));
    states_.emplace(state->id(), state);
  }
  if (state->Control(EPOLL_CTL_ADD) != 0) {
    const int error = errno;
    base::MutexLock lock(mutex_);
    states_.erase(state->id());
    return absl::InvalidArgumentError(fmt::format("fd {} cannot be watched: {}", fd, std::strerror(error)));
  }
  return std::unique_ptr<Watch>(new Watch(*this, std::move(state)));
}

void Reactor::ThreadMain() {
  epoll_event events[kEventsPerPoll];
  std::vector<std::pair<coro::Executor*, coro::RunnableList>> lists;  // a handful of executors at most
  while (!stop_.load(std::memory_order_acquire)) {
    const int count = epoll_wait(epoll_fd_, events, kEventsPerPoll, -1);
    if (count < 0) {
      MUSTER_CHECK_EQ(errno, EINTR) << "epoll_wait failed";
      continue;
    }
    polls_.fetch_add(1, std::memory_order_relaxed);
    {
      base::MutexLock lock(mutex_);
      for (int i = 0; i < count; ++i) {
        const auto found = states_.find(events[i].data.u64);
        if (found == states_.end()) continue;  // stop_, or its watch died meanwhile
        State& state = *found->second;
        // A change of interest may have armed it between two reports: the post under way will arm it again.
        if (state.in_flight()) continue;
        state.set_in_flight(true);
        state.MakeReady(events[i].events, found->second);
        std::size_t at = 0;
        while (at < lists.size() && lists[at].first != &state.home()) ++at;
        if (at == lists.size()) lists.emplace_back(&state.home(), coro::RunnableList());
        lists[at].second.PushBack(state);
        events_.fetch_add(1, std::memory_order_relaxed);
      }
    }
    for (auto& [home, list] : lists) home->Post(std::move(list));
    lists.clear();
  }
}

ReactorStats Reactor::stats() const {
  ReactorStats stats;
  stats.events = events_.load(std::memory_order_relaxed);
  stats.polls = polls_.load(std::memory_order_relaxed);
  base::MutexLock lock(mutex_);
  stats.watched = states_.size();
  return stats;
}

Reactor::Watch::Watch(Reactor& reactor, std::shared_ptr<State> state) : reactor_(reactor), state_(std::move(state)) {}

Reactor::Watch::~Watch() {
  state_->Close();
  {
    base::MutexLock lock(reactor_.mutex_);
    reactor_.states_.erase(state_->id());
  }
  state_->Control(EPOLL_CTL_DEL);  // fails harmlessly when the fd was closed first
}

void Reactor::Watch::SetInterest(unsigned interest) { state_->SetInterest(interest); }
int Reactor::Watch::fd() const { return state_->fd(); }

}  // namespace muster::executor
