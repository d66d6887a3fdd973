// Progress: one line on stderr that lives while something is waited for: a spinner, done of total, the time it took.
//
// Nothing is drawn when stderr is no terminal or the user asked for quiet. Whatever else is printed meanwhile goes
// through Hidden, which takes the line away first.
//
// Threading: any thread may Set and Hide; a thread of its own redraws. Lifetime: the line is gone after destruction.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "client/cli/terminal.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::cli {

class Progress {
 public:
  // Draws nothing unless `enabled`.
  Progress(const Terminal& terminal, bool enabled, std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool enabled() const { return enabled_; }
  void Set(std::size_t done, std::optional<std::size_t> total, std::string note = {});
  // Runs `print` with the line out of the way.
  void Hidden(const std::function<void()>& print);

 private:
  void Loop();
  void DrawLocked() MUSTER_REQUIRES(mutex_);
  void EraseLocked() MUSTER_REQUIRES(mutex_);

  const Terminal terminal_;
  const bool enabled_;
  const std::string what_;
  const base::SystemClock clock_;
  const base::Instant began_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stop_ MUSTER_GUARDED_BY(mutex_) = false;
  bool drawn_ MUSTER_GUARDED_BY(mutex_) = false;
  std::size_t frame_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t done_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::optional<std::size_t> total_ MUSTER_GUARDED_BY(mutex_);
  std::string note_ MUSTER_GUARDED_BY(mutex_);
  base::Thread thread_;
};

}  // namespace muster::cli
