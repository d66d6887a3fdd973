// RunStream: many submissions in and completions out as they complete, over one stream; and MapStream, which feeds it
// from a source of inputs.
//
// The library keeps to the server's credits, sends in batches, and takes a broken stream up again under the same
// session so that nothing runs twice or gets lost. `window` bounds what is submitted and not yet taken: whoever submits
// without taking results waits once it is full.
//
// Threading: one thread (or coroutine) may submit while another takes results. Lifetime: dropping the stream ends it;
// what still runs goes on or not as JobOptions::cancel_on_disconnect says.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/options.h"
#include "muster/values.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::client {

namespace detail {
struct Core;
class RunSession;
}  // namespace detail

struct RunResult {
  std::uint64_t tag = 0;
  // An error when the item was not accepted. A job's own failure is in the completion's outcome.
  absl::StatusOr<Completion> completion;
};

class RunStream {
 public:
  using Item = RunResult;

  RunStream(std::shared_ptr<detail::Core> core, RunOptions options);
  RunStream(RunStream&&) noexcept = default;
  RunStream& operator=(RunStream&& other) noexcept;
  ~RunStream();

  // The item's tag: 0, 1, 2... Waits while the window is full.
  coro::Task<absl::StatusOr<std::uint64_t>> Submit(FutureSpec spec, coro::CancelToken& token);
  bool HasRoom() const;
  // Nothing when the window is full.
  absl::StatusOr<std::optional<std::uint64_t>> TrySubmit(FutureSpec spec);
  // Asks for a cancel; unknown tags and those that are over are ignored.
  void Cancel(std::uint64_t tag);
  // Nothing more will be submitted; what is in flight still comes.
  void CloseSend();

  // In order of completion. Nothing at the end, which comes after CloseSend only.
  coro::Task<absl::StatusOr<std::optional<RunResult>>> Next(coro::CancelToken& token);

 private:
  std::shared_ptr<detail::Core> core_;
  std::shared_ptr<detail::RunSession> session_;
};

// Gives the next input, or nothing at the end. Called on the thread of MapStream::Next; must not block an executor.
using InputSource = std::function<std::optional<Payload>()>;

struct MapResult {
  std::size_t index = 0;  // of its input
  absl::StatusOr<Completion> completion;
};

class MapStream {
 public:
  using Item = MapResult;

  MapStream(std::shared_ptr<detail::Core> core, std::string function, InputSource inputs, MapOptions options);

  // In input order, or with `ordered = false` as they complete. Nothing at the end.
  coro::Task<absl::StatusOr<std::optional<MapResult>>> Next(coro::CancelToken& token);

 private:
  // Takes inputs while the window has room.
  absl::Status Feed();

  std::string function_;
  InputSource inputs_;
  MapOptions options_;
  RunStream stream_;
  std::size_t taken_ = 0;  // inputs
  std::size_t given_ = 0;  // results
  bool exhausted_ = false;
  std::map<std::size_t, absl::StatusOr<Completion>> early_;  // ordered: results whose turn has not come
};

}  // namespace muster::client
