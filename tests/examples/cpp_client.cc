#include <iostream>

#include "muster/client.h"

using namespace muster::client;
using std::chrono::seconds;

absl::Status Show(const Client& client) {
  // Submit and forget, or keep the future. Its id is all that another process needs.
  absl::StatusOr<Submitted> slow = client.Submit("sleep", *FromJson(R"({"seconds": 2})"));
  if (!slow.ok()) return slow.status();
  absl::StatusOr<Submitted> quick = client.Submit("echo", *FromJson(R"({"hello": "world"})"));
  if (!quick.ok()) return quick.status();
  const std::vector<Future> both = {slow->future, quick->future};

  // As they complete; the range goes on by itself when the connection breaks.
  auto completions = client.AsCompleted(both);
  for (const Completion& done : completions) std::cout << done.id() << " is done\n";
  if (!completions.status().ok()) return completions.status();

  // Results in the order asked for. A job's failure is not an error of the call.
  absl::StatusOr<GatherResult> results = client.Gather(both);
  if (!results.ok()) return results.status();
  if (results->error) std::cout << "failed: " << results->error->message() << "\n";

  // A wait that runs out ends the wait and nothing else.
  WaitOptions until_any;
  until_any.return_when = muster::v1::RETURN_WHEN_FIRST_COMPLETED;
  until_any.timeout = seconds(1);
  absl::StatusOr<WaitResult> waited = client.Wait(both, until_any);
  if (!waited.ok()) return waited.status();
  std::cout << waited->done.size() << " done, " << waited->pending_count << " not\n";

  // One function over many inputs, a window of them at a time, results in order.
  std::vector<Payload> inputs = {FromText("a"), FromText("b"), FromText("c")};
  auto mapped = client.Map("echo", std::move(inputs));
  for (const MapResult& result : mapped) {
    if (result.completion.ok())
      std::cout << result.index << ": " << result.completion->outcome().value().text() << "\n";
  }
  return mapped.status();
}

int main(int argc, char** argv) {
  absl::StatusOr<Client> client = Client::Connect(argc > 1 ? argv[1] : "localhost:7411");
  const absl::Status status = client.ok() ? Show(*client) : client.status();
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  if (ReasonOf(status) == muster::v1::ERROR_REASON_UNKNOWN_FUNCTION) std::cerr << "see client.ListFunctions()\n";
  return 1;
}
