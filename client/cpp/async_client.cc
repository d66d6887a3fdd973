#include "muster/async_client.h"

#include <algorithm>
#include <utility>

#include "client/cpp/detail/core.h"
#include "client/cpp/detail/durations.h"
#include "client/cpp/detail/health.h"
#include "client/cpp/detail/rpc.h"
#include "muster/status.h"

namespace muster::client {
namespace {

using detail::Attempt;
using detail::Core;
using detail::SetDuration;
using detail::Stub;
using detail::Unary;
using std::shared_ptr;

// The verbs are functions that own a reference to the core, so that a task may outlive the client it came from.

coro::Task<absl::StatusOr<Submitted>> SubmitTask(shared_ptr<Core> core, FutureSpec spec, coro::CancelToken& token) {
  v1::SubmitRequest request;
  request.set_namespace_(core->name_space);
  *request.mutable_future() = std::move(spec);
  auto* options = request.mutable_future()->mutable_options();
  if (options->request_id().empty()) options->set_request_id(NewRequestId());
  v1::SubmitResponse response;
  MUSTER_CO_RETURN_IF_ERROR(co_await Unary(*core->connection, &Stub::PrepareAsyncSubmit, request, response, token));
  Submitted submitted;
  submitted.future = Future(core, response.id());
  submitted.state = response.state();
  submitted.deduplicated = response.deduplicated();
  co_return submitted;
}

using BatchResult = std::vector<absl::StatusOr<Submitted>>;

coro::Task<absl::StatusOr<BatchResult>> SubmitBatchTask(shared_ptr<Core> core, std::vector<FutureSpec> specs,
                                                        JobOptions defaults, coro::CancelToken& token) {
  v1::SubmitBatchRequest request;
  request.set_namespace_(core->name_space);
  const v1::FutureOptions default_options = ToMessage(defaults);
  for (FutureSpec& spec : specs) {
    FutureSpec& item = *request.add_futures() = std::move(spec);
    if (!item.has_options()) *item.mutable_options() = default_options;
    if (item.options().request_id().empty()) item.mutable_options()->set_request_id(NewRequestId());
  }
  v1::SubmitBatchResponse response;
  MUSTER_CO_RETURN_IF_ERROR(
      co_await Unary(*core->connection, &Stub::PrepareAsyncSubmitBatch, request, response, token));
  if (response.items_size() != request.futures_size()) {
    co_return absl::InternalError("the server answered for another number of items than were submitted");
  }
  BatchResult results;
  for (const auto& item : response.items()) {
    if (item.status().code() != 0) {
      results.emplace_back(FromItemStatus(item.status()));
      continue;
    }
    Submitted submitted;
    submitted.future = Future(core, item.id());
    submitted.deduplicated = item.deduplicated();
    results.emplace_back(std::move(submitted));
  }
  co_return results;
}

// What the verbs that wait have in common: a time that runs out, and outages that are sat out.
class Patience {
 public:
  Patience(const Core& core, std::optional<Duration> timeout)
      : executor_(*coro::Executor::Current()),
        slack_(core.connection->options().deadline),
        backoff_(core.connection->options().retry) {
    if (timeout) deadline_ = base::Later(executor_.Now(), std::max(Duration::zero(), *timeout));
  }

  // What is left of the timeout; nothing when there is none.
  std::optional<Duration> left() const {
    if (!deadline_) return std::nullopt;
    return std::max(Duration::zero(), *deadline_ - executor_.Now());
  }
  // For an RPC that the server ends itself when time runs out: its deadline is for a server that does not answer.
  std::optional<Duration> left_and_slack() const {
    if (!deadline_) return std::nullopt;
    return *left() + slack_;
  }
  void Begin() { began_ = executor_.Now(); }
  void Accepted() { backoff_.Accepted(); }
  // After a failed try: the pause before the next one, or nothing.
  std::optional<Duration> Pause(const absl::Status& failure) {
    const base::Instant now = executor_.Now();
    if (now - began_ >= detail::kAcceptedAfter) backoff_.Accepted();
    auto pause = backoff_.Next(failure, now);
    if (pause && deadline_ && base::Later(now, *pause) >= *deadline_) return std::nullopt;
    return pause;
  }

 private:
  const coro::Executor& executor_;
  const Duration slack_;
  detail::Backoff backoff_;
  std::optional<base::Instant> deadline_;
  base::Instant began_{};
};

coro::Task<absl::StatusOr<Completion>> CallTask(shared_ptr<Core> core, FutureSpec spec, CallOptions options,
                                                coro::CancelToken& token) {
  v1::CallRequest request;
  request.set_namespace_(core->name_space);
  *request.mutable_future() = std::move(spec);
  auto* future_options = request.mutable_future()->mutable_options();
  if (future_options->request_id().empty()) future_options->set_request_id(NewRequestId());
  v1::CallResponse response;
  Patience patience(*core, options.timeout);
  while (true) {
    patience.Begin();
    const std::optional<Duration> timeout = patience.left();
    absl::Status status =
        co_await Attempt(*core->connection, &Stub::PrepareAsyncCall, request, response, timeout, token);
    if (status.ok()) co_return std::move(*response.mutable_completion());
    const std::optional<Duration> pause = patience.Pause(status);
    if (!pause) co_return status;
    MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, *pause));
  }
}

coro::Task<absl::StatusOr<WaitResult>> WaitTask(shared_ptr<Core> core, FutureSet set, WaitOptions options,
                                                coro::CancelToken& token) {
  v1::WaitRequest request;
  request.set_namespace_(core->name_space);
  MUSTER_CO_ASSIGN_OR_RETURN(*request.mutable_set(), set.Resolve(*core));
  request.set_return_when(options.return_when);
  request.set_view(options.view);
  v1::WaitResponse response;
  Patience patience(*core, options.timeout);
  while (true) {
    patience.Begin();
    if (options.timeout) SetDuration(*patience.left(), *request.mutable_timeout());
    const std::optional<Duration> timeout = patience.left_and_slack();
    response.Clear();
    absl::Status status =
        co_await Attempt(*core->connection, &Stub::PrepareAsyncWait, request, response, timeout, token);
    if (!status.ok()) {
      const std::optional<Duration> pause = patience.Pause(status);
      if (!pause) co_return status;
      MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, *pause));
      continue;
    }
    patience.Accepted();
    if (response.end() == v1::WAIT_END_POLL_AGAIN && patience.left().value_or(Duration(1)) > Duration::zero()) continue;
    WaitResult result;
    result.timed_out = response.end() != v1::WAIT_END_SATISFIED;
    result.done.assign(std::make_move_iterator(response.mutable_done()->begin()),
                       std::make_move_iterator(response.mutable_done()->end()));
    result.pending_ids.assign(response.pending_ids().begin(), response.pending_ids().end());
    result.pending_count = response.pending_count();
    co_return result;
  }
}

// One stream of slices from its beginning to its end.
coro::Task<absl::Status> GatherOnce(Core& core, const v1::GatherRequest& request, std::optional<Duration> timeout,
                                    GatherResult& result, coro::CancelToken& token) {
  result = GatherResult();
  grpc::ClientContext context;
  if (timeout) detail::SetDeadline(context, *timeout);
  detail::RpcEvent opened(context, token);
  auto reader = core.connection->stub().PrepareAsyncGather(&context, request, &core.connection->queue());
  reader->StartCall(opened.tag());
  co_await opened;
  bool cancelled = opened.cancelled();
  std::size_t total = 0;
  while (true) {
    v1::GatherResponse slice;
    detail::RpcEvent read(context, token);
    reader->Read(&slice, read.tag());
    const bool got = co_await read;
    cancelled = cancelled || read.cancelled();
    if (!got) break;
    total = slice.total();
    if (slice.has_error()) {
      result.error = std::move(*slice.mutable_error());
      result.error_index = slice.error_index();
    }
    for (auto& outcome : *slice.mutable_outcomes()) result.outcomes.push_back(std::move(outcome));
  }
  grpc::Status status;
  detail::RpcEvent finished(context, token);
  reader->Finish(&status, finished.tag());
  co_await finished;
  if (cancelled || finished.cancelled()) co_return absl::CancelledError(token.message());
  if (status.ok() && !result.error && result.outcomes.size() != total) {
    co_return absl::UnavailableError("the stream of results ended before its end");
  }
  co_return detail::FromGrpc(status);
}

coro::Task<absl::StatusOr<GatherResult>> GatherTask(shared_ptr<Core> core, std::optional<FutureSet> set,
                                                    std::string gather_id, GatherOptions options,
                                                    coro::CancelToken& token) {
  v1::GatherRequest request;
  request.set_namespace_(core->name_space);
  if (set) {
    MUSTER_CO_ASSIGN_OR_RETURN(*request.mutable_set(), set->Resolve(*core));
    request.set_return_exceptions(options.return_exceptions);
  } else {
    request.set_gather_id(std::move(gather_id));
  }
  GatherResult result;
  Patience patience(*core, options.timeout);
  while (true) {
    patience.Begin();
    const std::optional<Duration> timeout = patience.left();
    absl::Status status = co_await GatherOnce(*core, request, timeout, result, token);
    if (status.ok()) co_return result;
    const std::optional<Duration> pause = patience.Pause(status);
    if (!pause) co_return status;
    MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, *pause));
  }
}

coro::Task<absl::StatusOr<FutureInfo>> GetTask(shared_ptr<Core> core, std::string id, v1::OutcomeView view,
                                               coro::CancelToken& token) {
  v1::GetRequest request;
  request.set_namespace_(core->name_space);
  request.set_id(std::move(id));
  request.set_view(view);
  v1::GetResponse response;
  MUSTER_CO_RETURN_IF_ERROR(co_await Unary(*core->connection, &Stub::PrepareAsyncGet, request, response, token));
  co_return std::move(*response.mutable_future());
}

// A gather's outcome that is too large for one message, slice by slice.
coro::Task<absl::StatusOr<Outcome>> GatheredTask(shared_ptr<Core> core, std::string id, coro::CancelToken& token) {
  GatherOptions options;
  MUSTER_CO_ASSIGN_OR_RETURN(GatherResult result, co_await GatherTask(core, std::nullopt, id, options, token));
  Outcome outcome;
  if (result.error) {
    *outcome.mutable_error() = *std::move(result.error);
  } else {
    auto* list = outcome.mutable_gathered()->mutable_outcomes();
    for (Outcome& one : result.outcomes) *list->Add() = std::move(one);
  }
  co_return outcome;
}

coro::Task<absl::StatusOr<Outcome>> AwaitTask(shared_ptr<Core> core, std::string id, std::optional<Duration> timeout,
                                              coro::CancelToken& token) {
  WaitOptions options;
  options.timeout = timeout;
  std::vector<std::string> ids{id};
  FutureSet set(std::move(ids));
  MUSTER_CO_ASSIGN_OR_RETURN(WaitResult waited, co_await WaitTask(core, std::move(set), options, token));
  if (waited.timed_out) co_return absl::DeadlineExceededError("the future is not done; it goes on");
  if (waited.done.size() != 1) co_return absl::InternalError("the server's answer to Wait names no future");
  if (!waited.done.front().outcome_omitted()) co_return std::move(*waited.done.front().mutable_outcome());
  MUSTER_CO_ASSIGN_OR_RETURN(FutureInfo info, co_await GetTask(core, id, v1::OUTCOME_VIEW_FULL, token));
  if (!info.outcome_omitted()) co_return std::move(*info.mutable_outcome());
  co_return co_await GatheredTask(core, id, token);
}

coro::Task<absl::StatusOr<ListPage>> ListTask(shared_ptr<Core> core, ListFilter filter, std::string page_token,
                                              coro::CancelToken& token) {
  v1::ListRequest request;
  request.set_namespace_(core->name_space);
  for (const v1::FutureState state : filter.states) request.add_states(state);
  request.set_function(std::move(filter.function));
  request.set_group(std::move(filter.group));
  request.mutable_labels()->insert(filter.labels.begin(), filter.labels.end());
  request.set_page_size(filter.page_size);
  request.set_page_token(std::move(page_token));
  v1::ListResponse response;
  MUSTER_CO_RETURN_IF_ERROR(co_await Unary(*core->connection, &Stub::PrepareAsyncList, request, response, token));
  ListPage page;
  page.futures.assign(std::make_move_iterator(response.mutable_futures()->begin()),
                      std::make_move_iterator(response.mutable_futures()->end()));
  page.next_page_token = response.next_page_token();
  co_return page;
}

coro::Task<absl::StatusOr<v1::CancelResponse>> CancelTask(shared_ptr<Core> core, FutureSet set, std::string message,
                                                          coro::CancelToken& token) {
  v1::CancelRequest request;
  request.set_namespace_(core->name_space);
  MUSTER_CO_ASSIGN_OR_RETURN(*request.mutable_set(), set.Resolve(*core));
  request.set_message(std::move(message));
  v1::CancelResponse response;
  MUSTER_CO_RETURN_IF_ERROR(co_await Unary(*core->connection, &Stub::PrepareAsyncCancel, request, response, token));
  co_return response;
}

coro::Task<absl::StatusOr<v1::DeleteResponse>> DeleteTask(shared_ptr<Core> core, FutureSet set,
                                                          coro::CancelToken& token) {
  v1::DeleteRequest request;
  request.set_namespace_(core->name_space);
  MUSTER_CO_ASSIGN_OR_RETURN(*request.mutable_set(), set.Resolve(*core));
  v1::DeleteResponse response;
  MUSTER_CO_RETURN_IF_ERROR(co_await Unary(*core->connection, &Stub::PrepareAsyncDelete, request, response, token));
  co_return response;
}

coro::Task<absl::StatusOr<Future>> CreatePromiseTask(shared_ptr<Core> core, JobOptions options,
                                                     coro::CancelToken& token) {
  v1::CreatePromiseRequest request;
  request.set_namespace_(core->name_space);
  *request.mutable_options() = ToMessage(options);
  if (options.request_id.empty()) request.mutable_options()->set_request_id(NewRequestId());
  v1::CreatePromiseResponse response;
  MUSTER_CO_RETURN_IF_ERROR(
      co_await Unary(*core->connection, &Stub::PrepareAsyncCreatePromise, request, response, token));
  co_return Future(core, response.id());
}

coro::Task<absl::Status> SetResultTask(shared_ptr<Core> core, std::string id, Payload value, coro::CancelToken& token) {
  v1::SetResultRequest request;
  request.set_namespace_(core->name_space);
  request.set_id(std::move(id));
  *request.mutable_value() = std::move(value);
  request.set_request_id(NewRequestId());
  v1::SetResultResponse response;
  co_return co_await Unary(*core->connection, &Stub::PrepareAsyncSetResult, request, response, token);
}

coro::Task<absl::Status> SetExceptionTask(shared_ptr<Core> core, std::string id, Error error,
                                          coro::CancelToken& token) {
  v1::SetExceptionRequest request;
  request.set_namespace_(core->name_space);
  request.set_id(std::move(id));
  *request.mutable_error() = std::move(error);
  request.set_request_id(NewRequestId());
  v1::SetExceptionResponse response;
  co_return co_await Unary(*core->connection, &Stub::PrepareAsyncSetException, request, response, token);
}

coro::Task<absl::StatusOr<v1::GetServerInfoResponse>> ServerInfoTask(shared_ptr<Core> core, coro::CancelToken& token) {
  v1::GetServerInfoRequest request;
  v1::GetServerInfoResponse response;
  MUSTER_CO_RETURN_IF_ERROR(
      co_await Unary(*core->connection, &Stub::PrepareAsyncGetServerInfo, request, response, token));
  co_return response;
}

coro::Task<absl::StatusOr<std::vector<v1::Function>>> FunctionsTask(shared_ptr<Core> core, coro::CancelToken& token) {
  std::vector<v1::Function> functions;
  v1::ListFunctionsRequest request;
  do {
    v1::ListFunctionsResponse response;
    MUSTER_CO_RETURN_IF_ERROR(
        co_await Unary(*core->connection, &Stub::PrepareAsyncListFunctions, request, response, token));
    for (auto& function : *response.mutable_functions()) functions.push_back(std::move(function));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  co_return functions;
}

}  // namespace

template <typename T>
using Result = AsyncClient::Result<T>;

Result<Submitted> AsyncClient::Submit(FutureSpec spec, coro::CancelToken& token) const {
  return SubmitTask(core_, std::move(spec), token);
}
Result<BatchResult> AsyncClient::SubmitBatch(std::vector<FutureSpec> specs, JobOptions defaults,
                                             coro::CancelToken& token) const {
  return SubmitBatchTask(core_, std::move(specs), std::move(defaults), token);
}
Result<Completion> AsyncClient::Call(FutureSpec spec, CallOptions options, coro::CancelToken& token) const {
  return CallTask(core_, std::move(spec), options, token);
}
Result<WaitResult> AsyncClient::Wait(FutureSet set, WaitOptions options, coro::CancelToken& token) const {
  return WaitTask(core_, std::move(set), options, token);
}
CompletionStream AsyncClient::AsCompleted(FutureSet set, AsCompletedOptions options) const {
  return CompletionStream(core_, std::move(set), std::move(options));
}
Result<GatherResult> AsyncClient::Gather(FutureSet set, GatherOptions options, coro::CancelToken& token) const {
  return GatherTask(core_, std::move(set), std::string(), options, token);
}
Result<GatherResult> AsyncClient::GatherById(std::string gather_id, GatherOptions options,
                                             coro::CancelToken& token) const {
  return GatherTask(core_, std::nullopt, std::move(gather_id), options, token);
}
RunStream AsyncClient::Run(RunOptions options) const { return RunStream(core_, std::move(options)); }
MapStream AsyncClient::Map(std::string function, InputSource inputs, MapOptions options) const {
  return MapStream(core_, std::move(function), std::move(inputs), std::move(options));
}
Result<FutureInfo> AsyncClient::Get(std::string id, v1::OutcomeView view, coro::CancelToken& token) const {
  return GetTask(core_, std::move(id), view, token);
}
Result<Outcome> AsyncClient::Await(std::string id, std::optional<Duration> timeout, coro::CancelToken& token) const {
  return AwaitTask(core_, std::move(id), timeout, token);
}
Result<ListPage> AsyncClient::List(ListFilter filter, std::string page_token, coro::CancelToken& token) const {
  return ListTask(core_, std::move(filter), std::move(page_token), token);
}
Result<v1::CancelResponse> AsyncClient::Cancel(FutureSet set, std::string message, coro::CancelToken& token) const {
  return CancelTask(core_, std::move(set), std::move(message), token);
}
Result<v1::DeleteResponse> AsyncClient::Delete(FutureSet set, coro::CancelToken& token) const {
  return DeleteTask(core_, std::move(set), token);
}
Result<Future> AsyncClient::CreatePromise(JobOptions options, coro::CancelToken& token) const {
  return CreatePromiseTask(core_, std::move(options), token);
}
coro::Task<absl::Status> AsyncClient::SetResult(std::string id, Payload value, coro::CancelToken& token) const {
  return SetResultTask(core_, std::move(id), std::move(value), token);
}
coro::Task<absl::Status> AsyncClient::SetException(std::string id, Error error, coro::CancelToken& token) const {
  return SetExceptionTask(core_, std::move(id), std::move(error), token);
}
Result<v1::GetServerInfoResponse> AsyncClient::GetServerInfo(coro::CancelToken& token) const {
  return ServerInfoTask(core_, token);
}
Result<std::vector<v1::Function>> AsyncClient::ListFunctions(coro::CancelToken& token) const {
  return FunctionsTask(core_, token);
}
Result<bool> AsyncClient::CheckHealth(std::string service, coro::CancelToken& token) const {
  return detail::CheckHealth(core_->connection, std::move(service), token);
}

}  // namespace muster::client
