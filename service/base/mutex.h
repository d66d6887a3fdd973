// Locks that clang's thread-safety analysis can check: std::mutex with annotations, nothing more.
//
// Threading: that is what they are for. Hold a lock for a few lines, never across a co_await or a callback.
//
//   base::Mutex mutex_;
//   int count_ MUSTER_GUARDED_BY(mutex_) = 0;
//   ...
//   base::MutexLock lock(mutex_);
//   ++count_;
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define MUSTER_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MUSTER_THREAD_ANNOTATION(x)
#endif

#define MUSTER_CAPABILITY(x) MUSTER_THREAD_ANNOTATION(capability(x))
#define MUSTER_SCOPED_CAPABILITY MUSTER_THREAD_ANNOTATION(scoped_lockable)
#define MUSTER_GUARDED_BY(x) MUSTER_THREAD_ANNOTATION(guarded_by(x))
#define MUSTER_PT_GUARDED_BY(x) MUSTER_THREAD_ANNOTATION(pt_guarded_by(x))
#define MUSTER_REQUIRES(...) MUSTER_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define MUSTER_EXCLUDES(...) MUSTER_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define MUSTER_ACQUIRE(...) MUSTER_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MUSTER_RELEASE(...) MUSTER_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define MUSTER_NO_THREAD_SAFETY_ANALYSIS MUSTER_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace muster::base {

class MUSTER_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() MUSTER_ACQUIRE() { mutex_.lock(); }
  void Unlock() MUSTER_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class MUSTER_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MUSTER_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() MUSTER_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// The caller loops on its own condition: wake-ups may be spurious.
class CondVar {
 public:
  void Wait(Mutex& mutex) MUSTER_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Real time, not a base::Clock's: for threads that must wake by themselves. False when `timeout` ran out.
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) MUSTER_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    // wait_until on the steady clock: a step of the system's time changes nothing.
    const bool notified =
        condition_.wait_until(lock, std::chrono::steady_clock::now() + timeout) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace muster::base
