// Call as bytes: what is no message, and one call in all the encodings that writers may choose.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/generic/generic_stub.h>

#include "tests/rpc/rpc_test.h"

namespace muster::test {
namespace {

// A field of bytes; all lengths here are below 128.
std::string Field(int number, std::string_view bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + std::string(bytes);
}

class CallBytesRpc : public RpcTest {
 protected:
  grpc::Status Send(const std::string& bytes, pb::CallResponse& response) {
    Context context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    grpc::GenericStub stub(channel_);
    const auto call =
        stub.PrepareUnaryCall(&context, "/muster.v1.FutureService/Call", grpc::ByteBuffer(&slice, 1), &queue);
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->StartCall();
    call->Finish(&answer, &status, this);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) continue;
    if (status.ok()) {
      EXPECT_TRUE(grpc::SerializationTraits<pb::CallResponse>::Deserialize(&answer, &response).ok());
    }
    return status;
  }
};
MUSTER_WITH_LOOPS(CallBytesRpc);

TEST_P(CallBytesRpc, WhatIsNoMessageIsRefusedAndSubmitsNothing) {
  for (const std::string& bytes : {std::string("\x12"), std::string("\x00", 1),
                                   Field(2, Field(1,
                                                  "\x0a\x09"
                                                  "echo")),
                                   Field(1, "\xff\xfe") + Field(2, Field(1, Field(1, "hold")))}) {
    pb::CallResponse response;
    const grpc::Status status = Send(bytes, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
    EXPECT_NE(status.error_message().find("is no CallRequest"), std::string::npos) << status.error_message();
  }
  EXPECT_EQ(server_->Stats().shards.futures, 0u);
}

TEST_P(CallBytesRpc, ACallIsOneHoweverItIsWritten) {
  const std::string function = Field(1, "echo");
  const std::string input = Field(2, Field(3, "sixteen bytes, x"));
  const std::string call = Field(1, function + input);
  const std::string unknown = "\xc0\x3e\x07";  // field 1000, a number
  const std::vector<std::pair<std::string, std::string>> encodings = {
      {"usual", Field(2, call)},
      {"namespace", Field(1, "default") + Field(2, call)},
      {"namespace last", Field(2, call) + Field(1, "default")},
      {"empty namespace", Field(1, "") + Field(2, call)},
      {"input first", Field(2, Field(1, input + function))},
      {"unknown field", Field(2, call) + unknown},
      {"unknown field inside", Field(2, call + unknown)},
      {"in two parts", Field(2, Field(1, function)) + Field(2, Field(1, input))},
      {"in two parts, input first", Field(2, Field(1, input)) + Field(2, Field(1, function))},
      {"namespace twice", Field(1, "other") + Field(1, "default") + Field(2, call)},
      {"length in two bytes", "\x12" + std::string{static_cast<char>(call.size() | 0x80), '\0'} + call},
      {"empty options", Field(2, call + Field(5, ""))},
  };
  for (const auto& [name, bytes] : encodings) {
    pb::CallResponse response;
    const grpc::Status status = Send(bytes, response);
    ASSERT_TRUE(status.ok()) << name << ": " << status.error_message();
    EXPECT_EQ(response.completion().state(), pb::FUTURE_STATE_SUCCEEDED) << name;
    EXPECT_EQ(response.completion().outcome().value().data(), "sixteen bytes, x") << name;
    EXPECT_EQ(response.completion().id().size(), 28u) << name;
    EXPECT_EQ(response.completion().attempt(), 1u) << name;
    EXPECT_FALSE(response.completion().outcome_omitted()) << name;
  }
}

TEST_P(CallBytesRpc, WithoutAFunctionItIsRefusedByName) {
  for (const auto& [bytes, field] :
       std::vector<std::pair<std::string, std::string>>{{"", "future"},
                                                        {Field(2, ""), "future"},
                                                        {Field(2, Field(1, "")), "future.call.function"},
                                                        {Field(2, Field(1, Field(1, "none.such"))), "none.such"}}) {
    pb::CallResponse response;
    const grpc::Status status = Send(bytes, response);
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.error_message().find(field), std::string::npos) << status.error_message();
  }
}

TEST_P(CallBytesRpc, NamespacesAreKeptApart) {
  const std::string spec = Field(2, Field(1, Field(1, "echo")));
  pb::CallResponse response;
  for (const char* name : {"one", "two", "one", "default"}) {
    EXPECT_TRUE(Send(Field(1, name) + spec, response).ok()) << name;
  }
  const grpc::Status status = Send(Field(1, "Not a name") + spec, response);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_NE(status.error_message().find("Not a name"), std::string::npos) << status.error_message();
}

// A loop remembers the namespace that was opened last: what is submitted still goes where it was sent.
TEST_P(CallBytesRpc, AFutureIsFoundInItsOwnNamespaceAlone) {
  std::map<std::string, std::string> ids;
  for (const char* name : {"one", "two", "one", "", "two"}) {
    pb::SubmitRequest submit;
    submit.set_namespace_(name);
    *submit.mutable_future() = CallOf("echo");
    pb::SubmitResponse submitted;
    ASSERT_TRUE(Rpc(&Stub::Submit, submit, &submitted).ok());
    ids[name] = submitted.id();
  }
  for (const auto& [name, id] : ids) {
    for (const auto& [asked, other] : ids) {
      pb::GetRequest get;
      get.set_namespace_(asked);
      get.set_id(id);
      pb::GetResponse got;
      EXPECT_EQ(Rpc(&Stub::Get, get, &got).ok(), asked == name) << "a future of " << name << " asked for in " << asked;
    }
  }
}

TEST_P(CallBytesRpc, InputsOfAllSizesComeBack) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{127}, size_t{5000}, size_t{300'000}}) {
    pb::CallRequest request;
    request.mutable_future()->mutable_call()->set_function("echo");
    request.mutable_future()->mutable_call()->mutable_input()->set_data(std::string(size, 'x'));
    pb::CallResponse response;
    ASSERT_TRUE(Send(request.SerializeAsString(), response).ok()) << size;
    EXPECT_EQ(response.completion().outcome().value().data(), std::string(size, 'x'));
  }
}

// Whether the server asks the client to connect anew within `patience`; what is under way goes on.
bool AsksToConnectAnew(base::Duration age, std::chrono::seconds patience) {
  TestServerOptions options;
  options.connection_age_max = age;
  TestServer server(std::move(options));
  const auto channel = grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials());
  EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + kDeadline));
  const auto stub = pb::FutureService::NewStub(channel);
  Context context;
  pb::CallRequest request;
  *request.mutable_future() = CallOf("hold", "h");
  grpc::Status status;
  pb::CallResponse response;
  base::Thread caller("caller", [&] { status = stub->Call(&context, request, &response); });
  EXPECT_TRUE(Eventually([&] { return server.Stats().shards.futures == 1; }));
  const bool asked = channel->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + patience);
  EXPECT_EQ(server.Stats().shards.futures, 1u) << "the call under way was cut";
  context.TryCancel();
  caller.Join();
  return asked;
}

TEST(ConnectionAge, ConnectionsStayUnlessAnAgeIsSet) {
  EXPECT_FALSE(AsksToConnectAnew(base::Duration(0), std::chrono::seconds(2)));
  EXPECT_TRUE(AsksToConnectAnew(std::chrono::seconds(1), std::chrono::seconds(10)));
}

}  // namespace
}  // namespace muster::test
