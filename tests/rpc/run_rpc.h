// What tests that open a Run share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tests/rpc/rpc_test.h"

namespace muster::test {

class RunRpc : public RpcTest {
 protected:
  using Stream = grpc::ClientReaderWriter<pb::RunRequest, pb::RunResponse>;

  static pb::RunRequest Opening(const std::string& session = "", bool acknowledge = false) {
    pb::RunRequest request;
    request.mutable_open()->set_session(session);
    request.mutable_open()->set_acknowledge(acknowledge);
    return request;
  }
  static pb::RunRequest One(uint64_t tag, const pb::FutureSpec& spec) {
    pb::RunRequest request;
    request.add_items()->set_tag(tag);
    *request.mutable_items(0)->mutable_future() = spec;
    return request;
  }
  // Opens and takes the first credits.
  std::unique_ptr<Stream> Open(grpc::ClientContext& context, const pb::RunRequest& opening,
                               uint32_t* credits = nullptr) {
    auto stream = stub_->Run(&context);
    EXPECT_TRUE(stream->Write(opening));
    pb::RunResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_GT(response.credits(), 0u);
    if (credits != nullptr) *credits = response.credits();
    return stream;
  }
  // Reads until the stream ends.
  static std::map<uint64_t, pb::RunResponse::Done> Drain(Stream& stream) {
    std::map<uint64_t, pb::RunResponse::Done> done;
    pb::RunResponse response;
    while (stream.Read(&response)) {
      for (const auto& each : response.done()) EXPECT_TRUE(done.emplace(each.tag(), each).second) << each.tag();
    }
    return done;
  }
};

}  // namespace muster::test
