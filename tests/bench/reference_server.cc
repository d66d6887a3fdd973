// bench_reference_server: what Muster is compared with. A bare server on the same gRPC that takes the very requests of
// Call, Run and Gather and gives the very answers, and does nothing in between: no futures, no waits, no checks.
//
// It is written as well as we know: one thread that owns one completion queue, messages that are used again, polls that
// never wait before sleep is due (deadlines of gRPC round up to milliseconds, hence gpr_inf_past), and the same spin
// before sleep as musterd's loop. Killed by a signal, as it holds nothing.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpc/support/time.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include "CLI/CLI.hpp"

#include "muster/v1/future_service.grpc.pb.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;
using Service = pb::FutureService::AsyncService;

constexpr uint32_t kCredits = 10'000;  // what musterd grants a Run
constexpr int kAccepts = 4;            // as many as musterd keeps posted
constexpr size_t kGatheredBytes = 16;  // of a result of Gather

class Tag {
 public:
  virtual ~Tag() = default;
  virtual void Complete(bool ok) = 0;
};

// A member function as a tag.
template <typename Owner, void (Owner::*kOnEvent)(bool ok)>
class MemberTag final : public Tag {
 public:
  explicit MemberTag(Owner& owner) : owner_(owner) {}
  void Complete(bool ok) override { (owner_.*kOnEvent)(ok); }

 private:
  Owner& owner_;
};

// The echo of an item: as musterd's, with an id of the same length.
void Answer(const pb::FutureSpec& given, pb::Completion& completion) {
  if (completion.id().empty()) {
    completion.set_id("0123456789abcdefghjkmnpqrstv");
    completion.set_state(pb::FUTURE_STATE_SUCCEEDED);
    completion.set_attempt(1);
  }
  completion.mutable_outcome()->mutable_value()->set_data(given.call().input().data());
}

class EchoCall final : private Tag {
 public:
  EchoCall(Service& service, grpc::ServerCompletionQueue& queue, std::vector<EchoCall*>& free)
      : service_(service), queue_(queue), free_(free) {
    Arm();
  }

 private:
  void Arm() {
    context_.emplace();
    writer_.emplace(&*context_);
    answered_ = false;
    service_.RequestCall(&*context_, &request_, &*writer_, &queue_, &queue_, this);
  }

  void Complete(bool ok) override {
    if (!ok && !answered_) return;
    if (answered_) {
      free_.push_back(this);
      return;
    }
    ArmAnother();
    Answer(request_.future(), *response_.mutable_completion());
    answered_ = true;
    writer_->Finish(response_, grpc::Status::OK, this);
  }

  void ArmAnother() {
    if (free_.empty()) {
      new EchoCall(service_, queue_, free_);  // owns itself: there are as many as were ever in flight
      return;
    }
    EchoCall* next = free_.back();
    free_.pop_back();
    next->Arm();
  }

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  std::vector<EchoCall*>& free_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<pb::CallResponse>> writer_;
  pb::CallRequest request_;
  pb::CallResponse response_;
  bool answered_ = false;
};

// Reads on while it writes: one message of each may be under way.
class EchoStream {
 public:
  EchoStream(Service& service, grpc::ServerCompletionQueue& queue) : service_(service), queue_(queue) {
    service_.RequestRun(&context_, &stream_, &queue_, &queue_, &accepted_);
  }

 private:
  void OnAccepted(bool ok) {
    if (!ok) return;
    new EchoStream(service_, queue_);
    stream_.Read(&request_, &read_);
  }

  void OnRead(bool ok) {
    half_closed_ = !ok;
    unanswered_ = ok;
    Go();
  }

  // One that failed: the read under way says so as well.
  void OnWritten(bool) {
    writing_ = false;
    Go();
  }

  void Go() {
    if (writing_) return;
    if (unanswered_) {
      unanswered_ = false;
      Fill();
      writing_ = true;
      stream_.Write(response_, &written_);
      stream_.Read(&request_, &read_);
    } else if (half_closed_) {
      stream_.Finish(grpc::Status::OK, &finished_);
    }
  }

  void Fill() {
    response_.set_credits(request_.has_open() ? kCredits : 0);
    while (response_.done_size() > request_.items_size()) response_.mutable_done()->RemoveLast();
    while (response_.done_size() < request_.items_size()) response_.add_done();
    for (int index = 0; index < request_.items_size(); ++index) {
      pb::RunResponse::Done& done = *response_.mutable_done(index);
      done.set_tag(request_.items(index).tag());
      Answer(request_.items(index).future(), *done.mutable_completion());
    }
  }

  void OnFinished(bool) { delete this; }

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<pb::RunResponse, pb::RunRequest> stream_{&context_};
  pb::RunRequest request_;
  pb::RunResponse response_;
  bool unanswered_ = false;
  bool writing_ = false;
  bool half_closed_ = false;
  MemberTag<EchoStream, &EchoStream::OnAccepted> accepted_{*this};
  MemberTag<EchoStream, &EchoStream::OnRead> read_{*this};
  MemberTag<EchoStream, &EchoStream::OnWritten> written_{*this};
  MemberTag<EchoStream, &EchoStream::OnFinished> finished_{*this};
};

// Gives as many results as it was asked for, in one message that was made before, and is of the size of Muster's.
class BareGather {
 public:
  BareGather(Service& service, grpc::ServerCompletionQueue& queue, pb::GatherResponse& made)
      : service_(service), queue_(queue), made_(made) {
    service_.RequestGather(&context_, &request_, &writer_, &queue_, &queue_, &accepted_);
  }

 private:
  void OnAccepted(bool ok) {
    if (!ok) return;
    new BareGather(service_, queue_, made_);
    const int results = request_.set().ids_size();
    while (made_.outcomes_size() > results) made_.mutable_outcomes()->RemoveLast();
    while (made_.outcomes_size() < results) {
      made_.add_outcomes()->mutable_value()->set_data(std::string(kGatheredBytes, 'x'));
    }
    made_.set_total(static_cast<uint32_t>(results));
    writer_.WriteAndFinish(made_, grpc::WriteOptions(), grpc::Status::OK, &finished_);
  }

  void OnFinished(bool) { delete this; }

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  pb::GatherResponse& made_;
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<pb::GatherResponse> writer_{&context_};
  pb::GatherRequest request_;
  MemberTag<BareGather, &BareGather::OnAccepted> accepted_{*this};
  MemberTag<BareGather, &BareGather::OnFinished> finished_{*this};
};

[[noreturn]] void Serve(grpc::ServerCompletionQueue& queue, std::chrono::microseconds spin) {
  using Clock = std::chrono::steady_clock;
  const gpr_timespec at_once = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  std::optional<Clock::time_point> idle_since;
  for (;;) {
    void* tag = nullptr;
    bool ok = false;
    const bool may_sleep = spin.count() == 0 || (idle_since && Clock::now() - *idle_since >= spin);
    if (queue.AsyncNext(&tag, &ok, may_sleep ? never : at_once) == grpc::CompletionQueue::GOT_EVENT) {
      static_cast<Tag*>(tag)->Complete(ok);
      idle_since.reset();
    } else if (!idle_since) {
      idle_since = Clock::now();
    }
  }
}

int Main(int argc, char** argv) {
  std::string listen = "127.0.0.1:0";
  int64_t spin_us = 50;
  CLI::App app("Answers Call, Run and Gather of muster.v1 at once. Prints its address, serves until it is killed.");
  app.add_option("--listen", listen, "Where to serve, without TLS.");
  app.add_option("--spin-us", spin_us, "Poll for so long before sleeping.")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);

  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "bench_reference_server: cannot listen on %s\n", listen.c_str());
    return 1;
  }
  std::vector<EchoCall*> free;
  for (int i = 0; i < kAccepts; ++i) new EchoCall(service, *queue, free);
  new EchoStream(service, *queue);
  pb::GatherResponse gathered;
  new BareGather(service, *queue, gathered);
  std::printf("%s:%d\n", listen.substr(0, listen.rfind(':')).c_str(), port);
  std::fflush(stdout);
  Serve(*queue, std::chrono::microseconds(spin_us));
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
