#include "muster/completion_stream.h"

#include <deque>
#include <unordered_set>
#include <utility>

#include "client/cpp/detail/core.h"
#include "client/cpp/detail/durations.h"
#include "client/cpp/detail/rpc.h"

namespace muster::client {
namespace {

using detail::Backoff;
using detail::Connection;
using detail::RpcEvent;
using detail::SetDuration;

// One open stream. Between two events nothing is in flight, so it may be dropped there: the context cancels the call.
struct OpenCall {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncReader<v1::AsCompletedResponse>> reader;
  base::Instant opened;
  bool accepted = false;
};

}  // namespace

struct CompletionStream::State {
  State(std::shared_ptr<detail::Core> shared_core, FutureSet futures, AsCompletedOptions wanted)
      : core(std::move(shared_core)),
        set(std::move(futures)),
        options(std::move(wanted)),
        resume_token(options.resume_token),
        backoff(core->connection->options().retry) {}

  coro::Task<absl::Status> Open(coro::CancelToken& token);
  coro::Task<absl::Status> ReadMessage(coro::CancelToken& token);
  coro::Task<absl::Status> Finish(coro::CancelToken& token);
  void Take(v1::AsCompletedResponse& message);

  const std::shared_ptr<detail::Core> core;
  const FutureSet set;
  const AsCompletedOptions options;
  std::string resume_token;
  Backoff backoff;
  std::optional<base::Instant> deadline;  // from the first Next
  bool started = false;
  std::unique_ptr<OpenCall> call;
  std::deque<Completion> ready;
  std::unordered_set<std::string> given;  // ids taken from messages: a resumed stream may repeat some
  std::optional<std::size_t> remaining;
  std::map<std::string, v1::Progress> progress;
  v1::WaitEnd end = v1::WAIT_END_UNSPECIFIED;
  std::function<void(const CompletionStream&)> observer;
};

CompletionStream::CompletionStream(std::shared_ptr<detail::Core> core, FutureSet set, AsCompletedOptions options)
    : state_(std::make_unique<State>(std::move(core), std::move(set), std::move(options))) {}
CompletionStream::CompletionStream(CompletionStream&&) noexcept = default;
CompletionStream& CompletionStream::operator=(CompletionStream&&) noexcept = default;
CompletionStream::~CompletionStream() = default;

bool CompletionStream::timed_out() const { return state_->end == v1::WAIT_END_TIMED_OUT; }
std::optional<std::size_t> CompletionStream::remaining() const { return state_->remaining; }
const std::string& CompletionStream::resume_token() const { return state_->resume_token; }
const std::map<std::string, v1::Progress>& CompletionStream::progress() const { return state_->progress; }
void CompletionStream::OnMessage(std::function<void(const CompletionStream&)> observer) {
  state_->observer = std::move(observer);
}

coro::Task<absl::Status> CompletionStream::State::Open(coro::CancelToken& token) {
  v1::AsCompletedRequest request;
  request.set_namespace_(core->name_space);
  MUSTER_CO_ASSIGN_OR_RETURN(*request.mutable_set(), set.Resolve(*core));
  request.set_resume_token(resume_token);
  request.set_view(options.view);
  if (options.progress_interval) SetDuration(*options.progress_interval, *request.mutable_progress_interval());
  const base::Instant now = coro::Executor::Current()->Now();
  call = std::make_unique<OpenCall>();
  call->opened = now;
  if (deadline) {
    const Duration left = std::max(Duration::zero(), *deadline - now);
    SetDuration(left, *request.mutable_timeout());
    // The server ends the stream in time; this is for one that does not answer.
    detail::SetDeadline(call->context, left + core->connection->options().deadline);
  }
  Connection& connection = *core->connection;
  RpcEvent opened(call->context, token);
  call->reader = connection.stub().PrepareAsyncAsCompleted(&call->context, request, &connection.queue());
  call->reader->StartCall(opened.tag());
  co_await opened;  // a failure shows in the read that follows
  if (opened.cancelled()) co_return absl::CancelledError(token.message());
  co_return absl::OkStatus();
}

void CompletionStream::State::Take(v1::AsCompletedResponse& message) {
  for (Completion& completion : *message.mutable_completions()) {
    if (given.insert(completion.id()).second) ready.push_back(std::move(completion));
  }
  if (!message.resume_token().empty()) resume_token = message.resume_token();
  remaining = message.remaining();
  progress.clear();
  for (auto& [id, one] : message.progress()) progress[id] = one;
  end = message.end();
}

// Why the stream has ended; never OK unless the server said how the wait ended.
coro::Task<absl::Status> CompletionStream::State::Finish(coro::CancelToken& token) {
  grpc::Status status;
  RpcEvent finished(call->context, token);
  call->reader->Finish(&status, finished.tag());
  co_await finished;
  if (finished.cancelled()) co_return absl::CancelledError(token.message());
  if (!status.ok()) co_return detail::FromGrpc(status);
  if (end == v1::WAIT_END_SATISFIED || end == v1::WAIT_END_TIMED_OUT) co_return absl::OkStatus();
  co_return absl::UnavailableError("the stream ended before its last message");
}

// Reads one message into `ready`, opening the stream if need be.
coro::Task<absl::Status> CompletionStream::State::ReadMessage(coro::CancelToken& token) {
  if (call == nullptr) {
    MUSTER_CO_RETURN_IF_ERROR(co_await Open(token));
  }
  v1::AsCompletedResponse message;
  RpcEvent read(call->context, token);
  call->reader->Read(&message, read.tag());
  const bool got = co_await read;
  if (read.cancelled()) co_return absl::CancelledError(token.message());
  if (!got) co_return co_await Finish(token);
  call->accepted = true;
  backoff.Accepted();
  Take(message);
  co_return absl::OkStatus();
}

coro::Task<absl::StatusOr<std::optional<Completion>>> CompletionStream::Next(coro::CancelToken& token) {
  State& state = *state_;
  const coro::Executor& executor = *coro::Executor::Current();
  if (!std::exchange(state.started, true) && state.options.timeout) {
    state.deadline = base::Later(executor.Now(), *state.options.timeout);
  }
  while (true) {
    if (!state.ready.empty()) {
      std::optional<Completion> next(std::move(state.ready.front()));
      state.ready.pop_front();
      co_return next;
    }
    if (state.end == v1::WAIT_END_SATISFIED || state.end == v1::WAIT_END_TIMED_OUT) {
      state.call.reset();
      co_return std::optional<Completion>();
    }
    absl::Status status = co_await state.ReadMessage(token);
    if (status.ok()) {
      if (state.observer) state.observer(*this);
      // The server's cap on one poll: open the next one behind it.
      if (state.end == v1::WAIT_END_POLL_AGAIN) state.call.reset();
      continue;
    }
    if (state.call != nullptr && executor.Now() - state.call->opened >= detail::kAcceptedAfter &&
        !state.call->accepted) {
      state.backoff.Accepted();
    }
    state.call.reset();
    const std::optional<Duration> pause = state.backoff.Next(status, executor.Now());
    if (!pause) co_return status;
    MUSTER_CO_RETURN_IF_ERROR(co_await coro::Sleep(token, *pause));
  }
}

}  // namespace muster::client
