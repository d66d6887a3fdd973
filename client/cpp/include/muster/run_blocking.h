// RunBlocking: runs a coroutine that uses the client to its end on the calling thread, for programs that have no
// executor of their own.
//
//   Task<absl::StatusOr<int>> Work(AsyncClient client, coro::CancelToken& token);
//   absl::StatusOr<int> result = RunBlocking(client, &Work);
//
// Client::Interrupt cancels the token. Threading: any thread that runs no executor. Lifetime: none of its own.
#pragma once

#include "client/cpp/detail/blocking.h"
#include "muster/client.h"

namespace muster::client {

// `function` is a coroutine function; it may await anything that runs on the executor of the calling thread.
template <typename Function>
auto RunBlocking(const Client& client, Function function) {
  return detail::Block(*client.core(), [&](coro::CancelToken& token) { return function(client.Async(), token); });
}

}  // namespace muster::client
