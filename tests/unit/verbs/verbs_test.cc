// Verbs behind a front that is no transport at all: messages are arguments, writes end at the next turn of the loop.
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <link.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/values/bounds.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/verbs/page.h"
#include "tests/unit/runtime/service_fixture.h"

namespace muster::verbs {
namespace {

using base::Reason;
using runtime::Setting;

template <typename Message>
class Written final : public StreamWriter<Message> {
 public:
  std::vector<Message> messages;

 private:
  void StartWrite(const Message& message, OperationEnd* end) override {
    messages.push_back(message);
    coro::Executor::Current()->Post([end] { end->Complete(true); });
  }
};

// What comes in is decided before; what goes out is kept.
class Stream final : public ByteStream {
 public:
  explicit Stream(std::vector<std::string> incoming) : incoming_(std::move(incoming)) {}
  std::vector<std::string> outgoing;

  std::string_view incoming() const override { return incoming_[at_ - 1]; }
  void StartRead(ReadReceiver& receiver) override {
    coro::Executor::Current()->Post([this, &receiver] {
      const bool more = at_ < incoming_.size();
      if (more) ++at_;
      receiver.OnRead(more);
    });
  }
  void LeaveReads() override {}

 private:
  void StartWrite(const std::string_view& message, OperationEnd* end) override {
    outgoing.emplace_back(message);
    coro::Executor::Current()->Post([end] { end->Complete(true); });
  }

  const std::vector<std::string> incoming_;
  size_t at_ = 0;
};

class VerbsTest : public runtime::ServiceFixture {
 protected:
  void SetUp() override {
    runtime::Service::Options options;
    options.limits.streams_max = 2;
    Start(options);
    shared_ = std::make_unique<Shared>(info_, nullptr);
  }

  // One call, from its first turn to its status.
  template <typename... Args>
  absl::Status Serve(coro::Task<absl::Status> (*verb)(Rpc&, Args&...), Args&... args) {
    Rpc rpc(*service_, *shared_, per_loop_, token_);
    return On(0, verb(rpc, args...));
  }
  // On the loop, where verbs run.
  template <typename Function>
  void OnLoop(Function function) {
    On(0, Invoke(std::move(function)));
  }
  template <typename Function>
  static coro::Task<void> Invoke(Function function) {
    function();
    co_return;
  }
  std::string SubmitEcho(const std::string& text) {
    pb::SubmitRequest request;
    request.mutable_future()->mutable_call()->set_function("echo");
    request.mutable_future()->mutable_call()->mutable_input()->set_text(text);
    pb::SubmitResponse response;
    const absl::Status status = Serve(&verbs::Submit, request, response);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return response.id();
  }

  const ServerInfo info_;
  std::unique_ptr<Shared> shared_;
  PerLoop per_loop_;
  coro::CancelToken token_;
};

INSTANTIATE_TEST_SUITE_P(Loops, VerbsTest, testing::Values(Setting{1, false}, Setting{3, false}),
                         runtime::NameOfSetting);

TEST_P(VerbsTest, UnaryVerbsAreFunctionsOfMessages) {
  const std::string id = SubmitEcho("hello");
  pb::GetRequest request;
  request.set_id(id);
  pb::GetResponse response;
  ASSERT_TRUE(Serve(&verbs::Get, request, response).ok());
  EXPECT_EQ(response.future().state(), pb::FUTURE_STATE_SUCCEEDED);
  EXPECT_EQ(response.future().namespace_(), "default");
  EXPECT_EQ(response.future().outcome().value().text(), "hello");
}

TEST_P(VerbsTest, AServerStreamIsWrittenToWhoeverListens) {
  pb::AsCompletedRequest request;
  for (const char* text : {"a", "b", "c"}) request.mutable_set()->add_ids(SubmitEcho(text));
  Written<pb::AsCompletedResponse> out;
  StreamWriter<pb::AsCompletedResponse>& writer = out;
  ASSERT_TRUE(Serve(&verbs::AsCompleted, request, writer).ok());
  std::vector<std::string> texts;
  for (const auto& message : out.messages) {
    for (const auto& completion : message.completions()) texts.push_back(completion.outcome().value().text());
  }
  EXPECT_THAT(texts, testing::ElementsAre("a", "b", "c"));
  EXPECT_EQ(out.messages.back().end(), pb::WAIT_END_SATISFIED);
}

TEST_P(VerbsTest, VerbsOfBytesTakeAndGiveWhatIsOnTheWire) {
  pb::CallRequest call;
  call.mutable_future()->mutable_call()->set_function("echo");
  call.mutable_future()->mutable_call()->mutable_input()->set_data("bytes");
  const std::string bytes = call.SerializeAsString();
  Rpc rpc(*service_, *shared_, per_loop_, token_);
  wire::Buffer answer;
  ASSERT_TRUE(On(0, verbs::Call(rpc, bytes, answer)).ok());
  pb::CallResponse response;
  ASSERT_TRUE(response.ParseFromString(std::string(answer.bytes())));
  EXPECT_EQ(response.completion().outcome().value().data(), "bytes");

  pb::RunRequest open;
  open.mutable_open();
  open.add_items()->set_tag(7);
  *open.mutable_items(0)->mutable_future() = call.future();
  Stream stream({open.SerializeAsString()});
  ByteStream& run = stream;
  ASSERT_TRUE(Serve(&verbs::Run, run).ok());
  pb::RunResponse all;
  for (const std::string& message : stream.outgoing) ASSERT_TRUE(all.MergeFromString(message));
  ASSERT_EQ(all.done_size(), 1);
  EXPECT_EQ(all.done(0).tag(), 7u);
  EXPECT_EQ(all.done(0).completion().outcome().value().data(), "bytes");
}

TEST_P(VerbsTest, EnterGivesWhoWhereAndHowMuch) {
  Rpc rpc(*service_, *shared_, per_loop_, token_);
  OnLoop([&] {
    const absl::StatusOr<Entry> entry = Enter(rpc, "");
    ASSERT_TRUE(entry.ok()) << entry.status().ToString();
    EXPECT_EQ(entry->identity, Identity(Anonymous()));
    EXPECT_EQ(entry->ns.id, ns_.id);
    EXPECT_EQ(rpc.name_space, "default");
    EXPECT_EQ(&entry->limits, &service_->limits());
    EXPECT_EQ(entry->quota.bytes_max(), service_->limits().namespace_bytes_max);
    EXPECT_EQ(entry->quota.bytes_held(), 0);
    EXPECT_EQ(Enter(rpc).identity, Identity(Anonymous()));
  });
  SubmitEcho(std::string(1000, 'x'));
  OnLoop([&] {
    EXPECT_GE(Enter(rpc, "default")->quota.bytes_held(), 1000);
    EXPECT_EQ(Enter(rpc, "other")->quota.bytes_held(), 0) << "each namespace has an account of its own";
    EXPECT_EQ(rpc.name_space, "other");
    EXPECT_EQ(base::ReasonOf(Enter(rpc, "No Name").status()), Reason::kInvalidField);
  });
}

TEST_P(VerbsTest, EveryVerbOfANamespaceRefusesABadName) {
  pb::ListRequest list;
  list.set_namespace_("-");
  pb::ListResponse listed;
  EXPECT_EQ(base::ReasonOf(Serve(&verbs::List, list, listed)), Reason::kInvalidField);
  pb::SetResultRequest settle;
  settle.set_namespace_("-");
  pb::SetResultResponse settled;
  EXPECT_EQ(base::FieldOf(Serve(&verbs::SetResult, settle, settled)), "namespace");
}

TEST_P(VerbsTest, StreamsTakeEveryPlaceThereIsAndGiveItBack) {
  Rpc rpc(*service_, *shared_, per_loop_, token_);
  OnLoop([&] {
    absl::StatusOr<runtime::StreamPermit> first = rpc.service.admission().TryStream();
    EXPECT_TRUE(first.ok());
    {
      const absl::StatusOr<runtime::StreamPermit> last = rpc.service.admission().TryStream();
      EXPECT_TRUE(last.ok()) << "a limit can be used up to its last unit";
      EXPECT_EQ(base::ReasonOf(rpc.service.admission().TryStream().status()), Reason::kTooManyStreams);
      EXPECT_EQ(base::ReasonOf(rpc.service.admission().TryStream().status()), Reason::kTooManyStreams);
    }
    EXPECT_TRUE(rpc.service.admission().TryStream().ok());
    const runtime::StreamPermit moved = *std::move(first);
    EXPECT_TRUE(rpc.service.admission().TryStream().ok()) << "a place that was moved on is one place";
  });
}

// The stream ends with its front's call, and leaves nothing behind.
TEST_P(VerbsTest, ACancelledStreamEnds) {
  pb::CreatePromiseRequest request;
  pb::CreatePromiseResponse promise;
  ASSERT_TRUE(Serve(&verbs::CreatePromise, request, promise).ok());
  pb::AsCompletedRequest wait;
  wait.mutable_set()->add_ids(promise.id());
  Written<pb::AsCompletedResponse> out;
  StreamWriter<pb::AsCompletedResponse>& writer = out;
  LoopAt(0).Post([this] { token_.Cancel("the client went away"); });
  EXPECT_TRUE(absl::IsCancelled(Serve(&verbs::AsCompleted, wait, writer)));
  EXPECT_TRUE(out.messages.empty());
  EXPECT_EQ(Stats().shards.streams, 0u);
}

TEST(PageSize, IsBounded) {
  EXPECT_EQ(*PageSize(0), values::kPageDefault);
  EXPECT_EQ(*PageSize(1), 1u);
  EXPECT_EQ(*PageSize(values::kPageMax), values::kPageMax);
  EXPECT_EQ(base::FieldOf(PageSize(values::kPageMax + 1).status()), "page_size");
}

// What the arrows say, seen in the program: a front may be something else than gRPC.
TEST(Verbs, NeedNoGrpc) {
  std::vector<std::string> libraries;
  const auto collect = [](dl_phdr_info* info, size_t, void* all) {
    static_cast<std::vector<std::string>*>(all)->push_back(info->dlpi_name);
    return 0;
  };
  dl_iterate_phdr(collect, &libraries);
  EXPECT_THAT(libraries, testing::Not(testing::Contains(testing::HasSubstr("libgrpc"))));
}

}  // namespace
}  // namespace muster::verbs
