// CompletionStream: futures in the order in which they complete.
//
// A stream that breaks is taken up again behind the last message that was read, so nothing is lost; each future comes
// once (semantics 38, 42). After a cancelled Next the iteration may be taken up by another Next.
//
//   CompletionStream stream = client.AsCompleted(ids, {});
//   while (true) {
//     auto next = co_await stream.Next(token);
//     if (!next.ok() || !next->has_value()) break;   // an error, or the end
//     Use(**next);
//   }
//
// Threading: one Next at a time, on any executor. Lifetime: its own; dropping it ends the RPC and no future.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "muster/future.h"
#include "muster/options.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::client {

class CompletionStream {
 public:
  using Item = Completion;

  CompletionStream(std::shared_ptr<detail::Core> core, FutureSet set, AsCompletedOptions options);
  CompletionStream(CompletionStream&&) noexcept;
  CompletionStream& operator=(CompletionStream&&) noexcept;
  ~CompletionStream();

  // Nothing at the end: look at timed_out() then.
  coro::Task<absl::StatusOr<std::optional<Completion>>> Next(coro::CancelToken& token);

  // The timeout ran out before all were done; what was done had been given (semantics 40).
  bool timed_out() const;
  // How many were still to come after the last message, less those that wait here; nothing before the first message.
  std::optional<std::size_t> remaining() const;
  // Where another stream over the same set can go on. Behind what Next has given only once a message is used up.
  const std::string& resume_token() const;
  // What running members last reported, by id.
  const std::map<std::string, v1::Progress>& progress() const;
  // Told of each message on Next's thread, for a display: completions are still to be given.
  void OnMessage(std::function<void(const CompletionStream&)> observer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster::client
