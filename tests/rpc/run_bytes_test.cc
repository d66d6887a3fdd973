// Run as bytes: what is no message, inputs of all sizes on the way that plain calls take, and refusals on both ways.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/generic/generic_stub.h>

#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

// One stream whose client writes bytes, one operation at a time.
class ByteClient {
 public:
  ByteClient(const std::shared_ptr<grpc::Channel>& channel, Context& context) : stub_(channel) {
    stream_ = stub_.PrepareCall(&context, "/muster.v1.FutureService/Run", &queue_);
    stream_->StartCall(this);
    EXPECT_TRUE(Next());
  }
  ~ByteClient() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) continue;
  }
  // Cut into so many slices.
  bool Write(std::string_view bytes, size_t slices = 1) {
    std::vector<grpc::Slice> parts;
    for (size_t part = 0; part < slices; ++part) {
      const size_t begin = bytes.size() * part / slices;
      const size_t end = bytes.size() * (part + 1) / slices;
      parts.emplace_back(bytes.data() + begin, end - begin);
    }
    stream_->Write(grpc::ByteBuffer(parts.data(), parts.size()), this);
    return Next();
  }
  bool Read(pb::RunResponse& response) {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, this);
    return Next() && grpc::SerializationTraits<pb::RunResponse>::Deserialize(&buffer, &response).ok();
  }
  void WritesDone() {
    stream_->WritesDone(this);
    Next();
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, this);
    Next();
    return status;
  }

 private:
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

class RunBytesRpc : public RpcTest {
 protected:
  static std::string Opening() {
    pb::RunRequest request;
    request.mutable_open();
    return request.SerializeAsString();
  }
  static void AddItem(uint64_t tag, const std::string& function, const std::string& data, pb::RunRequest& request) {
    pb::RunRequest::Item& item = *request.add_items();
    item.set_tag(tag);
    item.mutable_future()->mutable_call()->set_function(function);
    item.mutable_future()->mutable_call()->mutable_input()->set_data(data);
  }
  static std::string One(uint64_t tag, const std::string& function, const std::string& data) {
    pb::RunRequest request;
    AddItem(tag, function, data, request);
    return request.SerializeAsString();
  }
  // Reads until so many items are over.
  static std::map<uint64_t, pb::RunResponse::Done> Take(size_t items, ByteClient& client) {
    std::map<uint64_t, pb::RunResponse::Done> done;
    pb::RunResponse response;
    while (done.size() < items && client.Read(response)) {
      for (const auto& each : response.done()) EXPECT_TRUE(done.emplace(each.tag(), each).second) << each.tag();
    }
    return done;
  }
};
MUSTER_WITH_LOOPS(RunBytesRpc);

TEST_P(RunBytesRpc, WhatIsNoMessageEndsTheStreamAndSubmitsNothing) {
  Context context;
  ByteClient client(channel_, context);
  ASSERT_TRUE(client.Write(Opening()));
  ASSERT_TRUE(client.Write(One(1, "hold", "d") + "\x12\x05zzz"));
  client.WritesDone();
  EXPECT_TRUE(Take(1, client).empty());
  const grpc::Status status = client.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_NE(status.error_message().find("message 2 of the stream is no RunRequest"), std::string::npos)
      << status.error_message();
  EXPECT_EQ(server_->Stats().shards.futures, 0u);
}

TEST_P(RunBytesRpc, AFirstMessageThatIsNoneOpensNothing) {
  for (const std::string& bytes :
       {std::string("\x0a"), std::string("\x00", 1), std::string("\x12\x04\x12\x02\x0a\x01")}) {
    Context context;
    ByteClient client(channel_, context);
    ASSERT_TRUE(client.Write(bytes));
    pb::RunResponse response;
    EXPECT_FALSE(client.Read(response));
    const grpc::Status status = client.Finish();
    EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
    EXPECT_NE(status.error_message().find("message 1 of the stream"), std::string::npos) << status.error_message();
  }
}

TEST_P(RunBytesRpc, AnEmptyMessageSaysNothing) {
  Context context;
  ByteClient client(channel_, context);
  ASSERT_TRUE(client.Write(Opening()));
  ASSERT_TRUE(client.Write(""));
  ASSERT_TRUE(client.Write(One(1, "echo", "d")));
  EXPECT_EQ(Take(1, client)[1].completion().outcome().value().data(), "d");
  client.WritesDone();
  EXPECT_TRUE(Take(1, client).empty());
  EXPECT_TRUE(client.Finish().ok());
}

TEST_P(RunBytesRpc, InputsOfAllSizesComeBackHoweverTheyAreCut) {
  Context context;
  ByteClient client(channel_, context);
  ASSERT_TRUE(client.Write(Opening()));
  uint64_t tag = 1;
  for (const size_t size : {0, 1, 15, 16, 127, 128, 5'000, 16'384, 70'000, 300'000, 1'000'000}) {
    for (const size_t slices : {1, 2, 7}) {
      std::string data(size, '\0');
      for (size_t at = 0; at < size; ++at) data[at] = static_cast<char>(at * 31 + size);
      ASSERT_TRUE(client.Write(One(tag, "echo", data), slices));
      const auto done = Take(1, client);
      ASSERT_EQ(done.count(tag), 1u);
      const pb::Completion& completion = done.at(tag).completion();
      EXPECT_EQ(completion.state(), pb::FUTURE_STATE_SUCCEEDED);
      EXPECT_EQ(completion.attempt(), 1u);
      EXPECT_TRUE(completion.outcome().value().has_data());
      EXPECT_EQ(completion.outcome().value().data(), data) << size;
      ++tag;
    }
  }
  client.WritesDone();
  EXPECT_TRUE(Take(1, client).empty());
  EXPECT_TRUE(client.Finish().ok());
}

TEST_P(RunBytesRpc, OneMessageHoldsPlainCallsAndOthersAndEachRefusalNamesItsPlace) {
  Context context;
  ByteClient client(channel_, context);
  ASSERT_TRUE(client.Write(Opening()));
  pb::RunRequest request;
  AddItem(10, "echo", "plain", request);
  AddItem(11, "unheard.of", "d", request);
  AddItem(12, "echo", "with a name", request);
  request.mutable_items(2)->mutable_future()->mutable_options()->set_name("n");
  AddItem(13, "echo", std::string(values::Limits().payload_bytes_max + 1, 'x'), request);
  AddItem(14, "upper", "", request);
  request.mutable_items(4)->mutable_future()->mutable_call()->mutable_input()->set_text("text");
  AddItem(15, "fail", "", request);
  request.mutable_items(5)->mutable_future()->mutable_call()->clear_input();
  AddItem(16, "hold", "", request);
  AddItem(16, "echo", "twin", request);
  request.add_cancel_tags(10);  // over already, or cancelled before it was accepted
  ASSERT_TRUE(client.Write(request.SerializeAsString()));
  auto done = Take(7, client);  // of tag 16 the twin
  EXPECT_TRUE(done[10].has_completion());
  EXPECT_EQ(done[11].rejected().reason(), pb::ERROR_REASON_UNKNOWN_FUNCTION);
  EXPECT_EQ(done[11].rejected().message().rfind("items[1].future.call.function: ", 0), 0u);
  EXPECT_EQ(done[12].completion().outcome().value().data(), "with a name");
  EXPECT_EQ(done[13].rejected().reason(), pb::ERROR_REASON_PAYLOAD_TOO_LARGE);
  EXPECT_EQ(done[13].rejected().message().rfind("items[3].future.call.input: ", 0), 0u);
  EXPECT_EQ(done[14].completion().outcome().value().text(), "TEXT");
  EXPECT_EQ(done[15].completion().state(), pb::FUTURE_STATE_FAILED);
  EXPECT_TRUE(done[15].completion().outcome().has_error());
  EXPECT_EQ(done[16].rejected().message().rfind("items[7].tag: ", 0), 0u);
  pb::RunRequest cancel;
  cancel.add_cancel_tags(16);
  ASSERT_TRUE(client.Write(cancel.SerializeAsString()));
  EXPECT_EQ(Take(1, client)[16].completion().state(), pb::FUTURE_STATE_CANCELLED);
  client.WritesDone();
  EXPECT_TRUE(Take(1, client).empty());
  EXPECT_TRUE(client.Finish().ok());
}

TEST_P(RunBytesRpc, DefaultsHoldForPlainCallsToo) {  // semantics 98
  {
    Context context;
    ByteClient client(channel_, context);
    pb::RunRequest opening;
    opening.mutable_open()->mutable_defaults()->set_cancel_on_disconnect(true);
    ASSERT_TRUE(client.Write(opening.SerializeAsString()));
    ASSERT_TRUE(client.Write(One(1, "hold", "d")));
    EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.calls == 1; }));
    context.TryCancel();
    client.Finish();
  }
  EXPECT_TRUE(Eventually([&] { return server_->Stats().shards.pending == 0; }));
  Context context;
  ByteClient client(channel_, context);
  pb::RunRequest opening;
  opening.mutable_open()->mutable_defaults()->set_name("of all");
  opening.mutable_open()->set_acknowledge(true);
  ASSERT_TRUE(client.Write(opening.SerializeAsString()));
  ASSERT_TRUE(client.Write(One(1, "hold", "d")));
  pb::RunResponse response;
  while (response.accepted_size() == 0 && client.Read(response)) continue;
  ASSERT_EQ(response.accepted_size(), 1);
  EXPECT_EQ(Get(response.accepted(0).id()).name(), "of all");
  context.TryCancel();
  client.Finish();
}

}  // namespace
}  // namespace muster::test
