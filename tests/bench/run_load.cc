// One Run stream: items in messages of `batch`, at most `in_flight` under way, one write at a time.
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "fmt/format.h"

#include "muster/v1/future_service.grpc.pb.h"
#include "tests/bench/load.h"
#include "tests/bench/run_scan.h"

namespace muster::bench {
namespace {

namespace pb = muster::v1;

class Stream {
 public:
  Stream(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally)
      : plan_(plan), tally_(tally), stub_(channel) {
    // Completions may overtake each other: a longer list than what is in flight, or times would be taken for others'.
    began_.resize(static_cast<size_t>(plan.in_flight) * 16);
    for (int i = 0; i < plan.batch; ++i) {
      pb::FunctionCall& call = *request_.add_items()->mutable_future()->mutable_call();
      call.set_function("echo");
      call.mutable_input()->set_data(std::string(static_cast<size_t>(plan.payload_bytes), 'x'));
    }
  }

  // False when the stream is stuck: then nothing can be destroyed in order.
  bool Run();
  const std::string& failure() const { return failure_; }
  Weights weights() const;

 private:
  enum Tag : intptr_t { kStarted = 1, kRead, kWritten, kClosed, kFinished };

  void OnEvent(Tag tag, bool ok);
  void OnRead(bool ok);
  void WriteOn();
  void Write(const pb::RunRequest& message);
  void Close();
  void* AsTag(Tag tag) {
    ++events_due_;
    return reinterpret_cast<void*>(tag);
  }
  void Fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
    context_.TryCancel();
  }

  const LoadPlan& plan_;
  Tally& tally_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::Status status_;
  pb::RunRequest request_;  // reused
  grpc::ByteBuffer incoming_;
  std::vector<uint8_t> bytes_;
  RunScan scan_;

  int events_due_ = 0;
  bool writing_ = false;
  bool closing_ = false;
  std::string failure_;
  int credits_ = 0;
  int in_flight_ = 0;
  uint64_t next_tag_ = 1;
  std::vector<Tally::Instant> began_;  // by tag, modulo its size

  uint64_t items_done_ = 0;
  uint64_t bytes_out_ = 0;
  uint64_t bytes_in_ = 0;
};

bool Stream::Run() {
  stream_ = stub_.PrepareCall(&context_, "/muster.v1.FutureService/Run", &queue_);
  stream_->StartCall(AsTag(kStarted));
  while (events_due_ > 0) {
    bool ok = false;
    void* tag = NextEvent(queue_, plan_.spin, ok);
    if (tag == nullptr) return false;
    --events_due_;
    OnEvent(static_cast<Tag>(reinterpret_cast<intptr_t>(tag)), ok);
  }
  queue_.Shutdown();
  bool ok = false;
  while (NextEvent(queue_, plan_.spin, ok) != nullptr) continue;
  if (failure_.empty() && !status_.ok()) {
    failure_ =
        fmt::format("Run failed with code {}: {}", static_cast<int>(status_.error_code()), status_.error_message());
  }
  if (failure_.empty() && in_flight_ > 0) failure_ = fmt::format("Run ended with {} items in flight", in_flight_);
  return true;
}

void Stream::OnEvent(Tag tag, bool ok) {
  switch (tag) {
    case kStarted: {
      if (!ok) return stream_->Finish(&status_, AsTag(kFinished));
      stream_->Read(&incoming_, AsTag(kRead));
      pb::RunRequest opening;
      opening.mutable_open();
      if (plan_.session) opening.mutable_open()->set_session(plan_.name);
      return Write(opening);
    }
    case kRead:
      return OnRead(ok);
    case kWritten:
      writing_ = false;
      if (ok) WriteOn();  // otherwise the read says so as well
      return;
    case kClosed:
    case kFinished:
      return;
  }
}

void Stream::OnRead(bool ok) {
  if (!ok) return stream_->Finish(&status_, AsTag(kFinished));
  // Slices are copied together: a frame of HTTP/2 seldom holds the whole of a large message.
  std::vector<grpc::Slice> slices;
  const grpc::Status dumped = incoming_.Dump(&slices);
  if (!dumped.ok()) Fail("cannot read an answer's bytes");
  bytes_.clear();
  for (const grpc::Slice& slice : slices) bytes_.insert(bytes_.end(), slice.begin(), slice.end());
  incoming_.Clear();
  stream_->Read(&incoming_, AsTag(kRead));
  ScanRunResponse(bytes_, scan_);
  if (!scan_.failure.empty()) return Fail(scan_.failure);
  credits_ += static_cast<int>(scan_.credits);
  const auto now = Tally::Now();
  for (const uint64_t tag : scan_.done_tags) tally_.Done(began_[tag % began_.size()], 1, now);
  in_flight_ -= static_cast<int>(scan_.done_tags.size());
  items_done_ += scan_.done_tags.size();
  bytes_in_ += bytes_.size();
  WriteOn();
}

void Stream::WriteOn() {
  if (writing_ || closing_ || !failure_.empty()) return;
  if (in_flight_ + plan_.batch > std::min(plan_.in_flight, credits_)) return;
  const auto now = Tally::Now();
  if (!tally_.Start(static_cast<uint64_t>(plan_.batch), now)) {
    if (in_flight_ == 0) Close();
    return;
  }
  for (auto& item : *request_.mutable_items()) {
    began_[next_tag_ % began_.size()] = now;
    item.set_tag(next_tag_++);
  }
  in_flight_ += plan_.batch;
  bytes_out_ += request_.ByteSizeLong();
  Write(request_);
}

void Stream::Write(const pb::RunRequest& message) {
  grpc::ByteBuffer buffer;
  bool owns = false;
  const grpc::Status made = grpc::SerializationTraits<pb::RunRequest>::Serialize(message, &buffer, &owns);
  if (!made.ok()) return Fail("cannot serialize a request");
  writing_ = true;
  stream_->Write(buffer, AsTag(kWritten));
}

void Stream::Close() {
  closing_ = true;
  stream_->WritesDone(AsTag(kClosed));
}

Weights Stream::weights() const {
  const double items = static_cast<double>(std::max<uint64_t>(items_done_, 1));
  return {.request_bytes = static_cast<double>(bytes_out_) / items,
          .response_bytes = static_cast<double>(bytes_in_) / items};
}

}  // namespace

bool RunStream(const std::shared_ptr<grpc::Channel>& channel, const LoadPlan& plan, Tally& tally, Weights& weights) {
  Stream stream(channel, plan, tally);
  if (!stream.Run()) {
    std::fprintf(stderr, "bench_client: the Run stream gave no answer\n");
    std::_Exit(1);
  }
  weights = stream.weights();
  if (!stream.failure().empty()) std::fprintf(stderr, "bench_client: %s\n", stream.failure().c_str());
  return stream.failure().empty();
}

}  // namespace muster::bench
