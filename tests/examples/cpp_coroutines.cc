#include <iostream>

#include "muster/client.h"
#include "muster/coro.h"
#include "muster/run_blocking.h"
#include "muster/status_macros.h"

using namespace muster::client;
using muster::coro::CancelToken;
using muster::coro::Task;

Task<absl::StatusOr<std::string>> Greet(AsyncClient client, CancelToken& token) {
  // Under g++ 12, give aggregates a name before the line of the co_await.
  Payload input = FromText("hello");
  FutureSpec spec = CallOf("echo", std::move(input));
  MUSTER_CO_ASSIGN_OR_RETURN(Submitted made, co_await client.Submit(std::move(spec), token));
  MUSTER_CO_ASSIGN_OR_RETURN(Outcome outcome, co_await client.Await(made.future.id(), std::nullopt, token));
  MUSTER_CO_ASSIGN_OR_RETURN(Payload value, ValueOf(outcome));
  co_return value.text();
}

int main(int argc, char** argv) {
  absl::StatusOr<Client> client = Client::Connect(argc > 1 ? argv[1] : "localhost:7411");
  if (!client.ok()) return 1;
  const auto greeting = RunBlocking(*client, &Greet);
  std::cerr << (greeting.ok() ? *greeting : greeting.status().ToString()) << "\n";
  return greeting.ok() ? 0 : 1;
}
