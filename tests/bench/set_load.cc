#include "tests/bench/set_load.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/async_unary_call.h>

#include "fmt/format.h"

#include "muster/v1/future_service.grpc.pb.h"
#include "service/base/thread.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;
using Clock = std::chrono::steady_clock;
using Stub = pb::FutureService::Stub;

constexpr int kBatch = 1000;
constexpr auto kPatience = std::chrono::seconds(120);
constexpr char kGroup[] = "bench";

struct Context : grpc::ClientContext {
  Context() { set_deadline(std::chrono::system_clock::now() + kPatience); }
};

template <typename... Arguments>
std::nullopt_t Fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  std::fprintf(stderr, "bench_client: %s\n", fmt::format(format, std::forward<Arguments>(arguments)...).c_str());
  return std::nullopt;
}

std::nullopt_t FailedRpc(const char* rpc, const grpc::Status& status) {
  return Fail("{} failed with code {}: {}", rpc, static_cast<int>(status.error_code()), status.error_message());
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }
double Micros(Clock::duration duration) { return Seconds(duration) * 1e6; }

// CPU that the threads of a process have had so far, to the nanosecond; a thread that ended meanwhile is not counted.
double CpuUs(int pid) {
  double ns = 0;
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
    double on_cpu = 0;
    if (std::ifstream(thread.path() / "schedstat") >> on_cpu) ns += on_cpu;
  }
  return ns / 1000;
}

pb::FutureSpec EchoInAnHour(const LoadPlan& plan) {
  pb::FutureSpec spec = EchoSpec(plan);
  spec.mutable_options()->mutable_delay()->set_seconds(3600);
  return spec;
}

// The ids of so many futures that are all alike.
std::optional<std::vector<std::string>> Submit(Stub& stub, const pb::FutureSpec& spec, int count) {
  std::vector<std::string> ids;
  ids.reserve(static_cast<size_t>(count));
  while (static_cast<int>(ids.size()) < count) {
    pb::SubmitBatchRequest request;
    for (int i = std::min(count - static_cast<int>(ids.size()), kBatch); i > 0; --i) *request.add_futures() = spec;
    Context context;
    pb::SubmitBatchResponse response;
    if (const grpc::Status status = stub.SubmitBatch(&context, request, &response); !status.ok()) {
      return FailedRpc("SubmitBatch", status);
    }
    for (auto& item : *response.mutable_items()) {
      if (item.id().empty()) return Fail("a future was refused: {}", item.status().ShortDebugString());
      ids.push_back(std::move(*item.mutable_id()));
    }
  }
  return ids;
}

bool Cancel(Stub& stub, pb::FutureSet set) {
  Context context;
  pb::CancelRequest request;
  *request.mutable_set() = std::move(set);
  pb::CancelResponse response;
  const grpc::Status status = stub.Cancel(&context, request, &response);
  if (!status.ok()) FailedRpc("Cancel", status);
  return status.ok();
}

pb::FutureSet SetOf(const std::vector<std::string>& ids, size_t from, size_t count) {
  pb::FutureSet set;
  for (size_t at = from; at < std::min(ids.size(), from + count); ++at) set.add_ids(ids[at]);
  return set;
}

// Microseconds from before a Cancel is sent to when the job saw it.
std::optional<double> CancelOne(Stub& stub) {
  pb::SubmitRequest submit;
  submit.mutable_future()->mutable_call()->set_function("bench.cancelled_at");
  Context submit_context;
  pb::SubmitResponse submitted;
  if (const auto status = stub.Submit(&submit_context, submit, &submitted); !status.ok()) {
    return FailedRpc("Submit", status);
  }
  pb::GetRequest get;
  get.set_id(submitted.id());
  pb::GetResponse got;
  do {
    Context context;
    if (const auto status = stub.Get(&context, get, &got); !status.ok()) return FailedRpc("Get", status);
  } while (got.future().state() == pb::FUTURE_STATE_QUEUED);
  pb::FutureSet set;
  set.add_ids(submitted.id());
  const auto began = Clock::now();
  if (!Cancel(stub, std::move(set))) return std::nullopt;
  pb::WaitRequest wait;
  wait.mutable_set()->add_ids(submitted.id());
  wait.set_view(pb::OUTCOME_VIEW_FULL);
  Context context;
  pb::WaitResponse waited;
  if (const auto status = stub.Wait(&context, wait, &waited); !status.ok()) return FailedRpc("Wait", status);
  const std::string& text = waited.done_size() == 1 ? waited.done(0).outcome().value().text() : std::string();
  int64_t ns = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), ns).ec != std::errc()) {
    return Fail("a cancelled job said nothing: {}", waited.ShortDebugString());
  }
  return Micros(Clock::time_point(std::chrono::nanoseconds(ns)) - began);
}

// Microseconds of one round trip.
std::optional<double> EchoOne(Stub& stub, const LoadPlan& plan) {
  pb::CallRequest request;
  *request.mutable_future() = EchoSpec(plan);
  pb::CallResponse response;
  const auto began = Clock::now();
  Context context;
  const grpc::Status status = stub.Call(&context, request, &response);
  const double took = Micros(Clock::now() - began);
  if (!status.ok()) return FailedRpc("Call", status);
  if (response.completion().outcome().value().data() == request.future().call().input().data()) return took;
  return Fail("an answer is no echo: {}", response.ShortDebugString());
}

// Reads until `count` members of the set have come, each once.
bool ReadCompletions(grpc::ClientReader<pb::AsCompletedResponse>& stream, size_t count,
                     std::unordered_set<std::string>& seen) {
  pb::AsCompletedResponse response;
  while (seen.size() < count) {
    if (!stream.Read(&response)) return FailedRpc("AsCompleted", stream.Finish()), false;
    for (const auto& completion : response.completions()) {
      if (!seen.insert(completion.id()).second) return Fail("{} completed twice", completion.id()), false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::string> LeaveBacklog(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  if (!Submit(*stub, EchoInAnHour(plan), plan.count)) return std::nullopt;
  return fmt::format("\"operations_total\": {}", plan.count);
}

std::optional<std::string> LeaveSleeps(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  pb::FutureSpec spec;
  spec.mutable_call()->set_function("sleep");
  spec.mutable_call()->mutable_input()->set_text("3600");
  spec.mutable_options()->set_group(kGroup);
  if (!Submit(*stub, spec, plan.count)) return std::nullopt;
  return fmt::format("\"operations_total\": {}", plan.count);
}

std::optional<std::string> CancelGroup(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  pb::FutureSet group;
  group.set_group(kGroup);
  const auto began = Clock::now();
  if (!Cancel(*stub, group)) return std::nullopt;
  pb::AsCompletedRequest request;
  *request.mutable_set() = group;
  request.set_view(pb::OUTCOME_VIEW_NONE);
  Context context;
  const auto stream = stub->AsCompleted(&context, request);
  pb::AsCompletedResponse response;
  int cancelled = 0;
  while (stream->Read(&response)) {
    for (const auto& each : response.completions()) cancelled += each.state() == pb::FUTURE_STATE_CANCELLED ? 1 : 0;
  }
  if (const grpc::Status status = stream->Finish(); !status.ok()) return FailedRpc("AsCompleted", status);
  const double seconds = Seconds(Clock::now() - began);
  if (cancelled != plan.count) return Fail("{} of {} were cancelled", cancelled, plan.count);
  return fmt::format("\"operations_total\": {}, \"seconds\": {:.6f}", plan.count, seconds);
}

std::optional<std::string> CancelRunning(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  // So many of a kind in turn. The first of a block finds its server asleep, and is not counted.
  constexpr int kBlock = 32;
  const auto ours = pb::FutureService::NewStub(channel);
  const auto theirs = pb::FutureService::NewStub(grpc::CreateChannel(plan.beside, grpc::InsecureChannelCredentials()));
  std::vector<double> cancels, echoes;
  const auto end = Clock::now() + 2 * plan.measured;
  while (cancels.size() < 100 || Clock::now() < end) {
    for (int i = 0; i < kBlock; ++i) {
      const std::optional<double> took = CancelOne(*ours);
      if (!took) return std::nullopt;
      if (i > 0) cancels.push_back(*took);
    }
    for (int i = 0; i < kBlock; ++i) {
      const std::optional<double> took = EchoOne(*theirs, plan);
      if (!took) return std::nullopt;
      if (i > 0) echoes.push_back(*took);
    }
  }
  const auto json = [](std::vector<double>& latencies) {
    return fmt::format("{{\"operations_total\": {}, \"p50_us\": {:.2f}, \"p99_us\": {:.2f}}}", latencies.size(),
                       Quantile(latencies, 0.5), Quantile(latencies, 0.99));
  };
  return fmt::format("\"cancel\": {}, \"echo\": {}", json(cancels), json(echoes));
}

std::optional<std::string> DrainStream(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  constexpr int kEndedMax = 50'000;
  const auto stub = pb::FutureService::NewStub(channel);
  pb::FutureSpec spec = EchoInAnHour(plan);
  spec.mutable_options()->set_group(kGroup);
  auto ids = Submit(*stub, spec, plan.count);
  if (!ids) return std::nullopt;
  // The last one first: what is measured is the stream, not how a timer is taken out of the middle of a million.
  std::reverse(ids->begin(), ids->end());

  pb::AsCompletedRequest request;
  request.mutable_set()->set_group(kGroup);
  request.set_view(pb::OUTCOME_VIEW_NONE);
  Context context;
  const auto stream = stub->AsCompleted(&context, request);
  // The first that comes says that the stream is open.
  std::unordered_set<std::string> seen;
  if (!Cancel(*stub, SetOf(*ids, 0, 1)) || !ReadCompletions(*stream, 1, seen)) return std::nullopt;

  const size_t ended = static_cast<size_t>(std::clamp(plan.count / 2, 1, kEndedMax));
  const double before = CpuUs(plan.server_pid);
  for (size_t at = 1; at < ended; at += kBatch) {
    const size_t batch = std::min<size_t>(kBatch, ended - at);
    if (!Cancel(*stub, SetOf(*ids, at, batch)) || !ReadCompletions(*stream, at + batch, seen)) return std::nullopt;
  }
  const double spent = CpuUs(plan.server_pid) - before;
  context.TryCancel();
  return fmt::format("\"operations_total\": {}, \"server_cpu_us\": {:.4f}", ended - 1,
                     spent / static_cast<double>(ended - 1));
}

std::optional<std::string> GatherResults(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  pb::GatherRequest request;
  if (plan.bare) {  // a reference server gathers whatever it is asked for
    for (int i = 0; i < plan.count; ++i) request.mutable_set()->add_ids("0123456789abcdefghjkmnpqrstv");
  } else {
    const auto ids = Submit(*stub, EchoSpec(plan), plan.count);
    if (!ids) return std::nullopt;
    *request.mutable_set() = SetOf(*ids, 0, ids->size());
  }
  std::vector<double> times;
  const auto end = Clock::now() + plan.measured;
  // The first waits for the last of the jobs, too, and is not counted.
  for (bool first = true; first || times.size() < 3 || Clock::now() < end; first = false) {
    const auto began = Clock::now();
    Context context;
    const auto stream = stub->Gather(&context, request);
    pb::GatherResponse response;
    int results = 0;
    while (stream->Read(&response)) {
      if (static_cast<int>(response.offset()) != results) return Fail("a slice of a Gather is missing");
      for (const auto& outcome : response.outcomes()) {
        if (outcome.value().data().size() != static_cast<size_t>(plan.payload_bytes)) {
          return Fail("an outcome is no echo: {}", outcome.ShortDebugString());
        }
      }
      results += response.outcomes_size();
    }
    if (const grpc::Status status = stream->Finish(); !status.ok()) return FailedRpc("Gather", status);
    if (results != plan.count) return Fail("{} of {} results came", results, plan.count);
    if (!first) times.push_back(Seconds(Clock::now() - began));
  }
  return fmt::format("\"operations_total\": {}, \"median_seconds\": {:.6f}", times.size(), Quantile(times, 0.5));
}

namespace {

// As many waits for a set as it has members, under way.
class Waits {
 public:
  Waits(Stub& stub, const std::vector<std::string>& ids) : count_(ids.size()), waits_(ids.size()) {
    pb::WaitRequest request;
    *request.mutable_set() = SetOf(ids, 0, ids.size());
    request.set_return_when(pb::RETURN_WHEN_ALL_COMPLETED);
    request.set_view(pb::OUTCOME_VIEW_NONE);
    for (OpenWait& wait : waits_) {
      wait.reader = stub.AsyncWait(&wait.context, request, &queue_);
      wait.reader->Finish(&wait.response, &wait.status, &wait);
    }
  }

  // Says "open", and drives the transport until a line has come on stdin; false when an answer comes before.
  bool AwaitGoAhead() {
    std::atomic<bool> go_on = false;
    std::puts("open");
    std::fflush(stdout);
    base::Thread reader("stdin", [&go_on] {
      std::getchar();
      go_on = true;
    });
    bool good = true;
    while (!go_on) {
      void* tag = nullptr;
      bool ok = false;
      const auto soon = std::chrono::system_clock::now() + std::chrono::milliseconds(10);
      if (queue_.AsyncNext(&tag, &ok, soon) != grpc::CompletionQueue::GOT_EVENT) continue;
      if (Take(*static_cast<OpenWait*>(tag))) Fail("a wait did not wait");
      good = false;
    }
    reader.Join();
    return good;
  }

  // True when each has heard of all members.
  bool Finish() {
    bool good = true;
    while (ended_ < count_) {
      bool ok = false;
      auto* const wait = static_cast<OpenWait*>(NextEvent(queue_, std::chrono::microseconds(0), ok));
      if (wait == nullptr) {
        Fail("{} waits got no answer", count_ - ended_);
        std::_Exit(1);  // calls are under way: nothing can be destroyed in order
      }
      good = Take(*wait) && good;
    }
    queue_.Shutdown();
    bool ok = false;
    while (NextEvent(queue_, std::chrono::microseconds(0), ok) != nullptr) continue;
    return good;
  }

 private:
  struct OpenWait {
    Context context;
    pb::WaitResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<pb::WaitResponse>> reader;
  };

  bool Take(const OpenWait& wait) {
    ++ended_;
    if (!wait.status.ok()) return FailedRpc("Wait", wait.status), false;
    if (static_cast<size_t>(wait.response.done_size()) == count_) return true;
    return Fail("a wait heard of {} futures of {}", wait.response.done_size(), count_), false;
  }

  const size_t count_;
  size_t ended_ = 0;
  grpc::CompletionQueue queue_;
  std::vector<OpenWait> waits_;
};

}  // namespace

std::optional<std::string> WaitTogether(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  double spent = 0;
  double heard = 0;
  const auto end = Clock::now() + plan.measured;
  do {
    const auto ids = Submit(*stub, EchoInAnHour(plan), plan.count);
    if (!ids) return std::nullopt;
    Waits waits(*stub, *ids);
    const bool open = waits.AwaitGoAhead();
    const double before = CpuUs(plan.server_pid);
    const bool cancelled = Cancel(*stub, SetOf(*ids, 0, ids->size()));
    if (!waits.Finish() || !open || !cancelled) return std::nullopt;
    spent += CpuUs(plan.server_pid) - before;
    heard += static_cast<double>(plan.count) * plan.count;
  } while (Clock::now() < end);
  return fmt::format("\"operations_total\": {:.0f}, \"server_cpu_us\": {:.5f}", heard, spent / heard);
}

std::optional<std::string> CallAfterIdleness(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan) {
  const auto stub = pb::FutureService::NewStub(channel);
  pb::CallRequest request;
  *request.mutable_future() = EchoSpec(plan);
  std::vector<double> latencies;
  std::this_thread::sleep_for(plan.delay);
  for (int i = 0; i <= plan.count; ++i) {
    Context context;
    pb::CallResponse response;
    const auto began = Clock::now();
    if (const auto status = stub->Call(&context, request, &response); !status.ok()) return FailedRpc("Call", status);
    if (i > 0) latencies.push_back(Micros(Clock::now() - began));  // the first comes after no idleness
    if (i < plan.count) std::this_thread::sleep_for(plan.idle);
  }
  return fmt::format("\"operations_total\": {}, \"p50_us\": {:.2f}", plan.count, Quantile(latencies, 0.5));
}

}  // namespace muster::bench
