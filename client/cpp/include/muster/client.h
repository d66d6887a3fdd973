// Client: Muster from C++, blocking. Futures live on the server; this submits them, waits for them, takes them as they
// complete, gathers and cancels them.
//
//   auto client = muster::client::Client::Connect("localhost:7411");
//   auto one = client->Submit("sleep", *FromJson("0.5"));
//   auto two = client->Submit("echo", *FromJson(R"({"hello": "world"})"));
//   for (const Completion& done : client->AsCompleted({one->future, two->future})) std::cout << done.id() << "\n";
//   auto value = two->future.Result();
//
// Errors are absl::Status: `ReasonOf(status)` (status.h) gives the service's reason. Only UNAVAILABLE is tried again,
// and always with the same request id, so that nothing is made twice. A blocking call that ends early, for whatever
// reason, cancels no future (semantics 98).
//
// Threading: any number of threads may use one client. A thread that runs a coro::Executor must use Async() instead.
// Lifetime: copies share one connection, which futures and streams keep open too.
#pragma once

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/async_client.h"
#include "muster/completion_stream.h"
#include "muster/future.h"
#include "muster/options.h"
#include "muster/run_stream.h"
#include "muster/status.h"
#include "muster/values.h"

namespace muster::client {

// A stream as a range, each step of which blocks:
//
//   auto range = client.AsCompleted(ids);
//   for (const Completion& completion : range) ...;
//   if (!range.status().ok()) ...;              // DeadlineExceeded when the timeout ran out
template <typename Stream>
class BlockingRange {
 public:
  using Item = typename Stream::Item;

  BlockingRange(std::shared_ptr<detail::Core> core, Stream stream)
      : core_(std::move(core)), stream_(std::make_unique<Stream>(std::move(stream))) {}

  // Blocks for the next item. Nothing at the end: status() tells which end.
  std::optional<Item> Next();
  // OK before the end and after a good one.
  const absl::Status& status() const { return status_; }
  Stream& stream() { return *stream_; }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using pointer = const Item*;
    using reference = const Item&;

    explicit Iterator(BlockingRange* range) : range_(range) { ++*this; }
    Iterator() = default;
    reference operator*() const { return *item_; }
    pointer operator->() const { return &*item_; }
    Iterator& operator++() {
      item_ = range_->Next();
      if (!item_) range_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return range_ == other.range_; }

   private:
    BlockingRange* range_ = nullptr;
    std::optional<Item> item_;
  };
  // Starts, or goes on where an earlier iteration was left (semantics 42).
  Iterator begin() { return Iterator(this); }
  Iterator end() { return Iterator(); }

 private:
  std::shared_ptr<detail::Core> core_;
  std::unique_ptr<Stream> stream_;
  absl::Status status_;
};

using CompletionRange = BlockingRange<CompletionStream>;
using MapRange = BlockingRange<MapStream>;

// A Run stream, blocking: one thread may Submit while another takes Next.
class RunRange : public BlockingRange<RunStream> {
 public:
  RunRange(std::shared_ptr<detail::Core> core, RunStream stream)
      : BlockingRange(core, std::move(stream)), core_(std::move(core)) {}

  // The item's tag: 0, 1, 2... Blocks while the window is full.
  absl::StatusOr<std::uint64_t> Submit(FutureSpec spec);
  void CloseSend() { stream().CloseSend(); }

 private:
  std::shared_ptr<detail::Core> core_;
};

class Client {
 public:
  // `address` is host:port or any gRPC target. Reads the TLS files and connects with the first call.
  static absl::StatusOr<Client> Connect(const std::string& address, const Options& options = {});

  // The coroutine face, over the same connection.
  AsyncClient Async() const { return AsyncClient(core_); }
  // The same connection, another namespace. Interrupt of the one does not reach the other.
  Client WithNamespace(const std::string& name_space) const;
  const std::string& name_space() const;

  absl::StatusOr<Submitted> Submit(FutureSpec spec) const;
  absl::StatusOr<Submitted> Submit(const std::string& function, Payload input, const JobOptions& options = {}) const;
  // A result an item, in input order.
  absl::StatusOr<std::vector<absl::StatusOr<Submitted>>> SubmitBatch(std::vector<FutureSpec> specs,
                                                                     const JobOptions& defaults = {}) const;
  // Submits and awaits in one RPC. Made again with the same request id it re-attaches to the same future.
  absl::StatusOr<Completion> Call(FutureSpec spec, const CallOptions& options = {}) const;
  // Call, and the value or the job's error as a status.
  absl::StatusOr<Payload> Call(const std::string& function, Payload input, const JobOptions& options = {}) const;

  // A timeout is a result, no error (semantics 27).
  absl::StatusOr<WaitResult> Wait(FutureSet set, const WaitOptions& options = {}) const;
  CompletionRange AsCompleted(FutureSet set, const AsCompletedOptions& options = {}) const;
  absl::StatusOr<GatherResult> Gather(FutureSet set, const GatherOptions& options = {}) const;
  absl::StatusOr<GatherResult> GatherById(const std::string& gather_id, const GatherOptions& options = {}) const;
  RunRange Run(const RunOptions& options = {}) const;
  // Calls `function` on each input, a window of them at a time.
  MapRange Map(const std::string& function, InputSource inputs, const MapOptions& options = {}) const;
  MapRange Map(const std::string& function, std::vector<Payload> inputs, const MapOptions& options = {}) const;

  absl::StatusOr<FutureInfo> Get(const std::string& id, v1::OutcomeView view = v1::OUTCOME_VIEW_FULL) const;
  absl::StatusOr<ListPage> List(const ListFilter& filter = {}, const std::string& page_token = {}) const;
  absl::StatusOr<v1::CancelResponse> Cancel(FutureSet set, const std::string& message = {}) const;
  absl::StatusOr<v1::DeleteResponse> Delete(FutureSet set) const;

  absl::StatusOr<Future> CreatePromise(const JobOptions& options = {}) const;
  absl::Status SetResult(const std::string& id, Payload value) const;
  absl::Status SetException(const std::string& id, Error error) const;

  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo() const;
  absl::StatusOr<std::vector<v1::Function>> ListFunctions() const;
  // See AsyncClient.
  absl::StatusOr<bool> CheckHealth(const std::string& service = {}) const;

  // A handle for an id that came from elsewhere. Sends nothing.
  Future Handle(const std::string& id) const { return Future(core_, id); }

  // From any thread: every blocking call of this client, its copies, futures and ranges, in progress or begun later,
  // ends with CancelledError. For a program that is asked to stop.
  void Interrupt() const;

  // For run_blocking.h.
  const std::shared_ptr<detail::Core>& core() const { return core_; }

 private:
  explicit Client(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}

  std::shared_ptr<detail::Core> core_;
};

}  // namespace muster::client
