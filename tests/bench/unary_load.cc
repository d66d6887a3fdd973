// Unary calls, N in flight: one thread, one queue, messages and slots that are used again and again.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include "fmt/format.h"

#include "muster/v1/future_service.grpc.pb.h"
#include "tests/bench/load.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;

constexpr int kPatienceSeconds = 30;

struct Shared {
  const LoadPlan& plan;
  Tally& tally;
  Weights& weights;
  pb::FutureService::Stub& stub;
  grpc::CompletionQueue& queue;
  uint64_t next_number = 1;
  int live = 0;
  std::string failure;  // the first
};

// One operation at a time, over and over.
class Slot {
 public:
  explicit Slot(Shared& shared) : shared_(shared) { ++shared.live; }
  virtual ~Slot() = default;

  void Begin() {
    began_ = Tally::Now();
    if (!shared_.failure.empty() || !shared_.tally.Start(1, began_)) {
      --shared_.live;
      return;
    }
    StartOperation();
  }
  // The RPC under way has ended.
  virtual void Complete() = 0;

 protected:
  virtual void StartOperation() = 0;

  bool Failed(const grpc::Status& status) {
    if (status.ok()) return false;
    Fail(fmt::format("RPC failed with code {}: {}", static_cast<int>(status.error_code()), status.error_message()));
    return true;
  }
  void Fail(std::string why) {
    if (shared_.failure.empty()) shared_.failure = std::move(why);
    --shared_.live;
  }
  void Ended() {
    shared_.tally.Done(began_, 1, Tally::Now());
    Begin();
  }
  bool IsEcho(const pb::Completion& completion) const {
    return completion.state() == pb::FUTURE_STATE_SUCCEEDED &&
           completion.outcome().value().data().size() == static_cast<size_t>(shared_.plan.payload_bytes);
  }
  // A new one for each operation, of one length.
  void SetRequestId(pb::FutureSpec& spec) {
    if (!shared_.plan.request_ids) return;
    spec.mutable_options()->set_request_id(fmt::format("{}-{:010}", shared_.plan.name, shared_.next_number++));
  }

  Shared& shared_;
  std::optional<grpc::ClientContext> context_;
  grpc::Status status_;

 private:
  Tally::Instant began_;
};

class CallSlot final : public Slot {
 public:
  explicit CallSlot(Shared& shared) : Slot(shared) { *request_.mutable_future() = EchoSpec(shared.plan); }

  void Complete() override {
    if (Failed(status_)) return;
    if (!IsEcho(response_.completion())) return Fail("an answer is no echo: " + response_.ShortDebugString());
    if (shared_.weights.request_bytes == 0) {
      shared_.weights.request_bytes = static_cast<double>(request_.ByteSizeLong());
      shared_.weights.response_bytes = static_cast<double>(response_.ByteSizeLong());
    }
    Ended();
  }

 private:
  void StartOperation() override {
    SetRequestId(*request_.mutable_future());
    context_.emplace();
    reader_ = shared_.stub.AsyncCall(&*context_, request_, &shared_.queue);
    reader_->Finish(&response_, &status_, this);
  }

  pb::CallRequest request_;
  pb::CallResponse response_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<pb::CallResponse>> reader_;
};

// Submit, then Wait for its end: one operation of two RPCs.
class SubmitWaitSlot final : public Slot {
 public:
  explicit SubmitWaitSlot(Shared& shared) : Slot(shared) { *submit_.mutable_future() = EchoSpec(shared.plan); }

  void Complete() override {
    if (Failed(status_)) return;
    if (!waiting_) return StartWait();
    waiting_ = false;
    if (waited_.done_size() != 1 || !IsEcho(waited_.done(0))) {
      return Fail("a Wait did not end with the echo: " + waited_.ShortDebugString());
    }
    if (shared_.weights.request_bytes == 0) {
      shared_.weights.request_bytes = static_cast<double>(submit_.ByteSizeLong() + wait_.ByteSizeLong());
      shared_.weights.response_bytes = static_cast<double>(submitted_.ByteSizeLong() + waited_.ByteSizeLong());
    }
    Ended();
  }

 private:
  void StartOperation() override {
    SetRequestId(*submit_.mutable_future());
    context_.emplace();
    submit_reader_ = shared_.stub.AsyncSubmit(&*context_, submit_, &shared_.queue);
    submit_reader_->Finish(&submitted_, &status_, this);
  }
  void StartWait() {
    waiting_ = true;
    if (wait_.set().ids_size() == 0) wait_.mutable_set()->add_ids();
    wait_.mutable_set()->set_ids(0, submitted_.id());
    context_.emplace();
    wait_reader_ = shared_.stub.AsyncWait(&*context_, wait_, &shared_.queue);
    wait_reader_->Finish(&waited_, &status_, this);
  }

  bool waiting_ = false;
  pb::SubmitRequest submit_;
  pb::SubmitResponse submitted_;
  pb::WaitRequest wait_;
  pb::WaitResponse waited_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<pb::SubmitResponse>> submit_reader_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<pb::WaitResponse>> wait_reader_;
};

template <typename Kind>
bool RunSlots(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally, Weights& weights) {
  const auto stub = pb::FutureService::NewStub(channel);
  grpc::CompletionQueue queue;
  Shared shared{.plan = plan, .tally = tally, .weights = weights, .stub = *stub, .queue = queue, .failure = ""};
  std::vector<std::unique_ptr<Kind>> slots;
  for (int i = 0; i < plan.in_flight; ++i) slots.push_back(std::make_unique<Kind>(shared));
  for (const auto& slot : slots) slot->Begin();
  while (shared.live > 0) {
    bool ok = false;
    void* tag = NextEvent(queue, plan.spin, ok);
    if (tag == nullptr) {
      std::fprintf(stderr, "bench_client: no answer came for %d s\n", kPatienceSeconds);
      std::_Exit(1);  // calls are under way: nothing can be destroyed in order
    }
    static_cast<Slot*>(tag)->Complete();
  }
  queue.Shutdown();
  bool ok = false;
  while (NextEvent(queue, plan.spin, ok) != nullptr) continue;
  if (!shared.failure.empty()) std::fprintf(stderr, "bench_client: %s\n", shared.failure.c_str());
  return shared.failure.empty();
}

}  // namespace

pb::FutureSpec EchoSpec(const LoadPlan& plan) {
  pb::FutureSpec spec;
  spec.mutable_call()->set_function("echo");
  spec.mutable_call()->mutable_input()->set_data(std::string(static_cast<size_t>(plan.payload_bytes), 'x'));
  return spec;
}

void* NextEvent(grpc::CompletionQueue& queue, std::chrono::microseconds spin, bool& ok) {
  void* tag = nullptr;
  if (spin.count() > 0) {
    const auto end = Tally::Now() + spin;
    do {
      const auto got = queue.AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC));
      if (got != grpc::CompletionQueue::TIMEOUT) return got == grpc::CompletionQueue::GOT_EVENT ? tag : nullptr;
    } while (Tally::Now() < end);
  }
  const auto got = queue.AsyncNext(&tag, &ok, gpr_time_from_seconds(kPatienceSeconds, GPR_TIMESPAN));
  return got == grpc::CompletionQueue::GOT_EVENT ? tag : nullptr;
}

bool RunCalls(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally, Weights& weights) {
  return RunSlots<CallSlot>(channel, plan, tally, weights);
}

bool RunSubmitWaits(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally,
                    Weights& weights) {
  return RunSlots<SubmitWaitSlot>(channel, plan, tally, weights);
}

}  // namespace muster::bench
