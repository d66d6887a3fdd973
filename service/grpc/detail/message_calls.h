// RPCs whose messages are made by the front: unary, and server stream.
#pragma once

#include <cstddef>
#include <optional>

#include <google/protobuf/arena.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include "service/grpc/detail/call.h"
#include "service/wire/arena.h"

namespace muster::grpc_front {

// The messages of one call and all that is in them, in memory that stays with the call: for a usual one nothing has to
// be allocated. What a large one needed beyond that is freed when it has ended.
class CallMessages {
 public:
  CallMessages() : arena_(Options()) {}
  // Lives until Reset.
  template <typename Message>
  Message* Make() {
    return wire::MakeOn<Message>(arena_);
  }
  void Reset() { arena_.Reset(); }

 private:
  google::protobuf::ArenaOptions Options() {
    google::protobuf::ArenaOptions options;
    options.initial_block = first_;
    options.initial_block_size = sizeof first_;
    return options;
  }

  alignas(std::max_align_t) char first_[1536];
  google::protobuf::Arena arena_;
};

// --- Unary ----------------------------------------------------------------------------------------------------------

// `handler` is called with the Rpc, the request and the response, and gives a Task<absl::Status>.
template <typename In, typename Out, typename Handler>
struct UnaryRpc {
  using Accept = void (*)(grpc::Service&, grpc::ServerContext*, In*, grpc::ServerAsyncResponseWriter<Out>*,
                          grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  grpc::Service& service;
  const Accept accept;
  const Handler handler;
};

template <typename In, typename Out, typename Handler>
class UnaryCall final : public CallBase {
 public:
  UnaryCall(LoopCalls& loop, Method& method, const UnaryRpc<In, Out, Handler>& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  void Request(grpc::ServerContext& context, Tag* tag) override {
    in_ = messages_.Make<In>();
    out_ = messages_.Make<Out>();
    responder_.emplace(&context);
    definition_.accept(definition_.service, &context, in_, &*responder_, &loop().queue, &loop().queue, tag);
  }
  coro::Task<absl::Status> Handle(Rpc& rpc) override { return definition_.handler(rpc, *in_, *out_); }
  void Finish(const grpc::Status& status, Tag* tag) override {
    if (status.ok()) {
      responder_->Finish(*out_, status, tag);
    } else {
      responder_->FinishWithError(status, tag);
    }
  }
  void Reset() override {
    responder_.reset();
    in_ = nullptr;
    out_ = nullptr;
    messages_.Reset();
  }
  bool is_unary() const override { return true; }

  const UnaryRpc<In, Out, Handler> definition_;
  CallMessages messages_;
  In* in_ = nullptr;
  Out* out_ = nullptr;
  std::optional<grpc::ServerAsyncResponseWriter<Out>> responder_;
};

// --- Server stream --------------------------------------------------------------------------------------------------

// `handler` is called with the Rpc, the request and the StreamWriter, and gives a Task<absl::Status>.
template <typename In, typename Out, typename Handler>
struct ServerStreamRpc {
  using Accept = void (*)(grpc::Service&, grpc::ServerContext*, In*, grpc::ServerAsyncWriter<Out>*,
                          grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  grpc::Service& service;
  const Accept accept;
  const Handler handler;
};

template <typename In, typename Out, typename Handler>
class ServerStreamCall final : public CallBase, private StreamWriter<Out> {
 public:
  ServerStreamCall(LoopCalls& loop, Method& method, const ServerStreamRpc<In, Out, Handler>& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  void Request(grpc::ServerContext& context, Tag* tag) override {
    in_ = messages_.Make<In>();
    writer_.emplace(&context);
    definition_.accept(definition_.service, &context, in_, &*writer_, &loop().queue, &loop().queue, tag);
  }
  coro::Task<absl::Status> Handle(Rpc& rpc) override {
    rpc_metrics().MsgReceived();
    return definition_.handler(rpc, *in_, *this);
  }
  void StartWrite(const Out& message, Tag* tag) override {
    rpc_metrics().MsgSent();
    writer_->Write(message, tag);
  }
  void Finish(const grpc::Status& status, Tag* tag) override { writer_->Finish(status, tag); }
  void Reset() override {
    writer_.reset();
    in_ = nullptr;
    messages_.Reset();
  }
  bool is_unary() const override { return false; }

  const ServerStreamRpc<In, Out, Handler> definition_;
  CallMessages messages_;
  In* in_ = nullptr;
  std::optional<grpc::ServerAsyncWriter<Out>> writer_;
};

}  // namespace muster::grpc_front
