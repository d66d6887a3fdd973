// The functions that a server knows, and which of them somebody serves now.
//
// Functions come and go. One is *known* once it has its number, which in a store is for ever: futures name their
// function by it. It is *served* while somebody has a definition of it to run. A job of a function that is known and
// that nobody serves is not refused: it is QUEUED and waits until somebody does. A name that was never known is refused
// by whoever looks it up.
//
//   Directory directory;
//   MUSTER_RETURN_IF_ERROR(directory.ServeAll(registry));   // in memory; OpenStore does it for a server with a store
//   const Function* found = directory.Find("echo");
//
// Threading: any thread; Find, At and served take no lock. Lifetime: outlives the service. What is served outlives it
// too, or after a Withdraw the last job that runs it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "service/base/mutex.h"
#include "service/jobs/registry.h"
#include "service/values/spec.h"

namespace muster::dispatch {

// Address, number, name and kind never change.
struct Function {
  values::FunctionId id = 0;
  values::FunctionKind kind = values::FunctionKind::kAsync;
  std::string name;

  // Null while nobody serves it.
  const jobs::Function* definition() const { return definition_.load(std::memory_order_acquire); }
  bool served() const { return definition() != nullptr; }

 private:
  friend class Directory;
  // Stored (release) by Serve and Withdraw, loaded (acquire) by whoever runs it or asks.
  std::atomic<const jobs::Function*> definition_{nullptr};
  std::atomic<bool> known_{false};  // stored (release) once what stands above is set; loaded (acquire) by Knows
};

class Directory {
 public:
  // Numbers are below it.
  static constexpr values::FunctionId kFunctionsMax = 100'000;

  // Told of a function that is served from now on, or no longer: it asks which. Any thread; it must not call back.
  class Listener {
   public:
    virtual void OnServedChanged(const Function& function) = 0;

   protected:
    ~Listener() = default;
  };

  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // kAlreadyExists: the name has another number, or the number another name. kOutOfRange: a number past the last.
  absl::Status Know(values::FunctionId number, const std::string& name, values::FunctionKind kind)
      MUSTER_EXCLUDES(mutex_);
  // kNotFound: the name is not known. kFailedPrecondition: it is known as another kind. Of two who serve one function
  // the later one's definition holds.
  absl::Status Serve(const jobs::Function& definition) MUSTER_EXCLUDES(mutex_);
  // Nobody serves it any more. Jobs that run go on.
  void Withdraw(std::string_view name) MUSTER_EXCLUDES(mutex_);
  // All that is registered, numbered in that order: for a server without a store.
  absl::Status ServeAll(const jobs::Registry& registry) MUSTER_EXCLUDES(mutex_);

  // Jobs of functions that nobody serves fail instead of waiting, and Find does not find these: an operator's wish.
  // Before the service starts.
  void FailUnserved() { fail_unserved_ = true; }
  bool fails_unserved() const { return fail_unserved_; }

  // Null when no function of that name is known.
  const Function* Find(std::string_view name) const;
  bool Knows(values::FunctionId id) const;
  // One that is known.
  const Function& At(values::FunctionId id) const {
    return (*chunks_[id / kChunk].load(std::memory_order_acquire))[id % kChunk];
  }
  // By number.
  std::vector<const Function*> Known() const MUSTER_EXCLUDES(mutex_);

  // The definitions of all that is served, by name.
  std::vector<const jobs::Function*> Sorted() const;
  // Up to `max` names of served functions that resemble `name`, for error messages.
  std::vector<std::string> Resembling(std::string_view name, size_t max = 3) const;

  void Listen(Listener& listener) MUSTER_EXCLUDES(mutex_);
  void Unlisten(Listener& listener) MUSTER_EXCLUDES(mutex_);

 private:
  static constexpr size_t kChunk = 256;
  using Chunk = std::array<Function, kChunk>;

  // Finds functions by name without a lock: slots are only ever filled, in open addressing; a table that is half full
  // is replaced by one of twice the size, and kept for those who still read it.
  struct Names {
    explicit Names(size_t size) : slots(size) {}
    std::vector<std::atomic<const Function*>> slots;  // a power of two; each stored (release) once, loaded (acquire)
  };

  absl::Status KnowLocked(values::FunctionId number, const std::string& name, values::FunctionKind kind)
      MUSTER_REQUIRES(mutex_);
  absl::Status ServeLocked(const jobs::Function& definition) MUSTER_REQUIRES(mutex_);
  const Function* FindKnown(std::string_view name) const;
  Function& Entry(values::FunctionId id) MUSTER_REQUIRES(mutex_);
  void AddName(const Function& function) MUSTER_REQUIRES(mutex_);
  void Tell(const Function& function) MUSTER_REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> owned_chunks_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Names>> owned_names_ MUSTER_GUARDED_BY(mutex_);  // the last one is in use
  std::vector<const Function*> known_ MUSTER_GUARDED_BY(mutex_);
  std::vector<Listener*> listeners_ MUSTER_GUARDED_BY(mutex_);
  bool fail_unserved_ = false;
  // Stored (release) under the lock, loaded (acquire) without.
  std::array<std::atomic<Chunk*>, (kFunctionsMax + kChunk - 1) / kChunk> chunks_{};
  std::atomic<const Names*> names_;
};

}  // namespace muster::dispatch
