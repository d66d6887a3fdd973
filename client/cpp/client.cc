#include "muster/client.h"

#include <type_traits>
#include <utility>

#include "client/cpp/detail/blocking.h"
#include "client/cpp/detail/connection.h"
#include "client/cpp/detail/core.h"
#include "service/base/status.h"

namespace muster::client {
namespace {

using coro::CancelToken;
using detail::Block;

constexpr char kDefaultNamespace[] = "default";

std::shared_ptr<detail::Core> MakeCore(std::shared_ptr<detail::Connection> connection, const std::string& name_space) {
  return std::make_shared<detail::Core>(std::move(connection), name_space.empty() ? kDefaultNamespace : name_space);
}

}  // namespace

template <typename Stream>
std::optional<typename Stream::Item> BlockingRange<Stream>::Next() {
  auto next = Block(*core_, [this](CancelToken& token) { return stream_->Next(token); });
  status_ = next.status();
  if (!next.ok()) return std::nullopt;
  if constexpr (std::is_same_v<Stream, CompletionStream>) {
    if (!next->has_value() && stream_->timed_out()) {
      status_ = absl::DeadlineExceededError("not all futures were done in time; they go on");
    }
  }
  return *std::move(next);
}

template class BlockingRange<CompletionStream>;
template class BlockingRange<MapStream>;
template class BlockingRange<RunStream>;

absl::StatusOr<std::uint64_t> RunRange::Submit(FutureSpec spec) {
  return Block(*core_, [&](CancelToken& token) { return stream().Submit(std::move(spec), token); });
}

absl::StatusOr<Client> Client::Connect(const std::string& address, const Options& options) {
  MUSTER_ASSIGN_OR_RETURN(auto connection, detail::Connection::Open(address, options));
  return Client(MakeCore(std::move(connection), options.name_space));
}

Client Client::WithNamespace(const std::string& name_space) const {
  return Client(MakeCore(core_->connection, name_space));
}

const std::string& Client::name_space() const { return core_->name_space; }

absl::StatusOr<Submitted> Client::Submit(FutureSpec spec) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Submit(std::move(spec), token); });
}

absl::StatusOr<Submitted> Client::Submit(const std::string& function, Payload input, const JobOptions& options) const {
  return Submit(CallOf(function, std::move(input), options));
}

absl::StatusOr<std::vector<absl::StatusOr<Submitted>>> Client::SubmitBatch(std::vector<FutureSpec> specs,
                                                                           const JobOptions& defaults) const {
  return Block(*core_, [&](CancelToken& token) { return Async().SubmitBatch(std::move(specs), defaults, token); });
}

absl::StatusOr<Completion> Client::Call(FutureSpec spec, const CallOptions& options) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Call(std::move(spec), options, token); });
}

absl::StatusOr<Payload> Client::Call(const std::string& function, Payload input, const JobOptions& options) const {
  MUSTER_ASSIGN_OR_RETURN(const Completion completion, Call(CallOf(function, std::move(input), options)));
  return ValueOf(completion.outcome());
}

absl::StatusOr<WaitResult> Client::Wait(FutureSet set, const WaitOptions& options) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Wait(std::move(set), options, token); });
}

CompletionRange Client::AsCompleted(FutureSet set, const AsCompletedOptions& options) const {
  return CompletionRange(core_, Async().AsCompleted(std::move(set), options));
}

absl::StatusOr<GatherResult> Client::Gather(FutureSet set, const GatherOptions& options) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Gather(std::move(set), options, token); });
}

absl::StatusOr<GatherResult> Client::GatherById(const std::string& gather_id, const GatherOptions& options) const {
  return Block(*core_, [&](CancelToken& token) { return Async().GatherById(gather_id, options, token); });
}

RunRange Client::Run(const RunOptions& options) const { return RunRange(core_, Async().Run(options)); }

MapRange Client::Map(const std::string& function, InputSource inputs, const MapOptions& options) const {
  return MapRange(core_, Async().Map(function, std::move(inputs), options));
}

MapRange Client::Map(const std::string& function, std::vector<Payload> inputs, const MapOptions& options) const {
  auto source = [inputs = std::move(inputs), next = std::size_t{0}]() mutable -> std::optional<Payload> {
    if (next == inputs.size()) return std::nullopt;
    return std::move(inputs[next++]);
  };
  return Map(function, InputSource(std::move(source)), options);
}

absl::StatusOr<FutureInfo> Client::Get(const std::string& id, v1::OutcomeView view) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Get(id, view, token); });
}

absl::StatusOr<ListPage> Client::List(const ListFilter& filter, const std::string& page_token) const {
  return Block(*core_, [&](CancelToken& token) { return Async().List(filter, page_token, token); });
}

absl::StatusOr<v1::CancelResponse> Client::Cancel(FutureSet set, const std::string& message) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Cancel(std::move(set), message, token); });
}

absl::StatusOr<v1::DeleteResponse> Client::Delete(FutureSet set) const {
  return Block(*core_, [&](CancelToken& token) { return Async().Delete(std::move(set), token); });
}

absl::StatusOr<Future> Client::CreatePromise(const JobOptions& options) const {
  return Block(*core_, [&](CancelToken& token) { return Async().CreatePromise(options, token); });
}

absl::Status Client::SetResult(const std::string& id, Payload value) const {
  return Block(*core_, [&](CancelToken& token) { return Async().SetResult(id, std::move(value), token); });
}

absl::Status Client::SetException(const std::string& id, Error error) const {
  return Block(*core_, [&](CancelToken& token) { return Async().SetException(id, std::move(error), token); });
}

absl::StatusOr<v1::GetServerInfoResponse> Client::GetServerInfo() const {
  return Block(*core_, [&](CancelToken& token) { return Async().GetServerInfo(token); });
}

absl::StatusOr<std::vector<v1::Function>> Client::ListFunctions() const {
  return Block(*core_, [&](CancelToken& token) { return Async().ListFunctions(token); });
}

absl::StatusOr<bool> Client::CheckHealth(const std::string& service) const {
  return Block(*core_, [&](CancelToken& token) { return Async().CheckHealth(service, token); });
}

void Client::Interrupt() const { detail::Interrupt(*core_); }

}  // namespace muster::client
