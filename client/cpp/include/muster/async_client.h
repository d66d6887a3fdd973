// AsyncClient: the coroutine face. The verbs of client.h as coro::Task, for programs that run an executor of their own.
//
//   auto made = co_await client.Submit(CallOf("sleep", *FromJson("1")), token);
//   MUSTER_CO_RETURN_IF_ERROR(made.status());
//
// A cancel of the token ends the RPC and never the futures (semantics 35, 98). Each task runs on the executor that
// awaits it; RPC events come from the connection's own thread and are posted there.
//
// Threading: any executor; the client may be copied freely. Lifetime: a task keeps the connection alive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/completion_stream.h"
#include "muster/future.h"
#include "muster/options.h"
#include "muster/run_stream.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::client {

class AsyncClient {
 public:
  template <typename T>
  using Result = coro::Task<absl::StatusOr<T>>;

  explicit AsyncClient(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}

  // `token` outlives the task, here and below.
  Result<Submitted> Submit(FutureSpec spec, coro::CancelToken& token) const;
  // A result an item, in input order.
  Result<std::vector<absl::StatusOr<Submitted>>> SubmitBatch(std::vector<FutureSpec> specs, JobOptions defaults,
                                                             coro::CancelToken& token) const;
  Result<Completion> Call(FutureSpec spec, CallOptions options, coro::CancelToken& token) const;
  Result<WaitResult> Wait(FutureSet set, WaitOptions options, coro::CancelToken& token) const;
  CompletionStream AsCompleted(FutureSet set, AsCompletedOptions options) const;
  Result<GatherResult> Gather(FutureSet set, GatherOptions options, coro::CancelToken& token) const;
  // Of a gather that was submitted before.
  Result<GatherResult> GatherById(std::string gather_id, GatherOptions options, coro::CancelToken& token) const;
  RunStream Run(RunOptions options) const;
  MapStream Map(std::string function, InputSource inputs, MapOptions options) const;

  Result<FutureInfo> Get(std::string id, v1::OutcomeView view, coro::CancelToken& token) const;
  // Waits for one future and brings its outcome, however large; DeadlineExceeded when `timeout` runs out.
  Result<Outcome> Await(std::string id, std::optional<Duration> timeout, coro::CancelToken& token) const;
  Result<ListPage> List(ListFilter filter, std::string page_token, coro::CancelToken& token) const;
  Result<v1::CancelResponse> Cancel(FutureSet set, std::string message, coro::CancelToken& token) const;
  Result<v1::DeleteResponse> Delete(FutureSet set, coro::CancelToken& token) const;

  Result<Future> CreatePromise(JobOptions options, coro::CancelToken& token) const;
  coro::Task<absl::Status> SetResult(std::string id, Payload value, coro::CancelToken& token) const;
  coro::Task<absl::Status> SetException(std::string id, Error error, coro::CancelToken& token) const;

  Result<v1::GetServerInfoResponse> GetServerInfo(coro::CancelToken& token) const;
  Result<std::vector<v1::Function>> ListFunctions(coro::CancelToken& token) const;
  // Whether the server says SERVING (grpc.health.v1), at once and without retries. `service` is empty or
  // "muster.v1.FutureService" for whether it takes work, "live" for whether only a restart can help it.
  Result<bool> CheckHealth(std::string service, coro::CancelToken& token) const;

  Future Handle(std::string id) const { return Future(core_, std::move(id)); }

 private:
  std::shared_ptr<detail::Core> core_;
};

}  // namespace muster::client
