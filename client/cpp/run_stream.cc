#include "muster/run_stream.h"

#include <utility>

#include "client/cpp/detail/core.h"
#include "client/cpp/detail/run_session.h"
#include "service/base/status.h"

namespace muster::client {
namespace {

using detail::RunSession;
using detail::RunSignal;

// Waits until the session has changed since `seen`.
coro::Task<absl::Status> NextChange(std::shared_ptr<RunSession> session, std::uint64_t seen, coro::CancelToken& token) {
  auto signal = std::make_shared<RunSignal>(*coro::Executor::Current());
  if (!session->Listen(seen, signal)) co_return absl::OkStatus();
  absl::Status status = co_await signal->event.Wait(token);
  session->Forget(signal);
  co_return status;
}

}  // namespace

RunStream::RunStream(std::shared_ptr<detail::Core> core, RunOptions options)
    : core_(std::move(core)),
      session_(std::make_shared<RunSession>(*core_->connection, core_->name_space, std::move(options))) {
  session_->Open();
}

RunStream& RunStream::operator=(RunStream&& other) noexcept {
  if (this != &other) {
    if (session_ != nullptr) session_->Abandon();
    session_ = std::move(other.session_);
    core_ = std::move(other.core_);
  }
  return *this;
}

RunStream::~RunStream() {
  if (session_ != nullptr) session_->Abandon();
}

bool RunStream::HasRoom() const { return session_->HasRoom(); }

absl::StatusOr<std::optional<std::uint64_t>> RunStream::TrySubmit(FutureSpec spec) { return session_->TrySubmit(spec); }

void RunStream::Cancel(std::uint64_t tag) { session_->Cancel(tag); }
void RunStream::CloseSend() { session_->CloseSend(); }

coro::Task<absl::StatusOr<std::uint64_t>> RunStream::Submit(FutureSpec spec, coro::CancelToken& token) {
  const std::shared_ptr<RunSession> session = session_;
  while (true) {
    const std::uint64_t seen = session->version();
    MUSTER_CO_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> tag, session->TrySubmit(spec));
    if (tag) co_return *tag;
    MUSTER_CO_RETURN_IF_ERROR(co_await NextChange(session, seen, token));
  }
}

coro::Task<absl::StatusOr<std::optional<RunResult>>> RunStream::Next(coro::CancelToken& token) {
  const std::shared_ptr<RunSession> session = session_;
  while (true) {
    const std::uint64_t seen = session->version();
    MUSTER_CO_ASSIGN_OR_RETURN(std::optional<RunSession::Taken> taken, session->TryTake());
    if (taken) co_return std::move(taken->result);
    MUSTER_CO_RETURN_IF_ERROR(co_await NextChange(session, seen, token));
  }
}

MapStream::MapStream(std::shared_ptr<detail::Core> core, std::string function, InputSource inputs, MapOptions options)
    : function_(std::move(function)),
      inputs_(std::move(inputs)),
      options_(std::move(options)),
      stream_(std::move(core), [this] {
        RunOptions run = options_.run;
        run.window = std::max<std::size_t>(1, options_.window);
        return run;
      }()) {}

absl::Status MapStream::Feed() {
  while (!exhausted_ && taken_ - given_ < std::max<std::size_t>(1, options_.window) && stream_.HasRoom()) {
    std::optional<Payload> input = inputs_();
    if (!input) {
      exhausted_ = true;
      stream_.CloseSend();
      break;
    }
    FutureSpec spec;
    spec.mutable_call()->set_function(function_);
    *spec.mutable_call()->mutable_input() = *std::move(input);
    MUSTER_RETURN_IF_ERROR(stream_.TrySubmit(std::move(spec)).status());
    ++taken_;
  }
  return absl::OkStatus();
}

coro::Task<absl::StatusOr<std::optional<MapResult>>> MapStream::Next(coro::CancelToken& token) {
  while (true) {
    const auto early = early_.find(given_);
    if (options_.ordered && early != early_.end()) {
      std::optional<MapResult> result(MapResult{given_, std::move(early->second)});
      early_.erase(early);
      ++given_;
      co_return result;
    }
    // When the stream has failed, what it gave before still comes, and then its error.
    if (const absl::Status fed = Feed(); !fed.ok()) exhausted_ = true;
    MUSTER_CO_ASSIGN_OR_RETURN(std::optional<RunResult> next, co_await stream_.Next(token));
    if (!next) co_return std::optional<MapResult>();
    if (options_.ordered) {
      early_.emplace(next->tag, std::move(next->completion));
      continue;
    }
    ++given_;
    std::optional<MapResult> result(MapResult{next->tag, std::move(next->completion)});
    co_return result;
  }
}

}  // namespace muster::client
