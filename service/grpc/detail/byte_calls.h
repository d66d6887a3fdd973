// RPCs whose messages are bytes to the front: unary, and bidirectional stream. The service has these methods raw.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "service/grpc/detail/call.h"
#include "service/wire/format.h"

namespace muster::grpc_front {

// The bytes of one message out of the transport's slices.
class IncomingBytes {
 public:
  grpc::ByteBuffer& buffer() { return buffer_; }
  // Once the buffer has been filled.
  void Join();
  std::string_view view() const { return view_; }
  void Clear();

 private:
  grpc::ByteBuffer buffer_;
  std::string joined_;     // reused; for a message of more than one slice
  std::string_view view_;  // of either
};

// One slice of their size: the transport may hold it for longer than the operation lasts.
grpc::ByteBuffer CopyOf(std::string_view bytes);

// --- Unary ----------------------------------------------------------------------------------------------------------

struct UnaryBytesRpc {
  using Accept = void (*)(grpc::Service&, grpc::ServerContext*, grpc::ByteBuffer*,
                          grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*, grpc::CompletionQueue*,
                          grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, std::string_view, wire::Buffer&);
  grpc::Service& service;
  const Accept accept;
  const Handler handler;
};

class UnaryBytesCall final : public CallBase {
 public:
  UnaryBytesCall(LoopCalls& loop, Method& method, const UnaryBytesRpc& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  static constexpr size_t kKeptBytesMax = 4 << 10;

  void Request(grpc::ServerContext& context, Tag* tag) override {
    responder_.emplace(&context);
    definition_.accept(definition_.service, &context, &in_.buffer(), &*responder_, &loop().queue, &loop().queue, tag);
  }
  coro::Task<absl::Status> Handle(Rpc& rpc) override {
    in_.Join();
    return definition_.handler(rpc, in_.view(), out_);
  }
  void Finish(const grpc::Status& status, Tag* tag) override {
    if (status.ok()) {
      responder_->Finish(CopyOf(out_.bytes()), status, tag);
    } else {
      responder_->FinishWithError(status, tag);
    }
  }
  void Reset() override {
    responder_.reset();
    in_.Clear();
    out_.Clear(kKeptBytesMax);
  }
  bool is_unary() const override { return true; }

  const UnaryBytesRpc definition_;
  IncomingBytes in_;
  wire::Buffer out_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
};

// --- Bidirectional stream -------------------------------------------------------------------------------------------

struct ByteStreamRpc {
  using Accept = void (*)(grpc::Service&, grpc::ServerContext*,
                          grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>*, grpc::CompletionQueue*,
                          grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, verbs::ByteStream&);
  grpc::Service& service;
  const Accept accept;
  const Handler handler;
};

class ByteStreamCall final : public CallBase, private verbs::ByteStream, private Tag {
 public:
  ByteStreamCall(LoopCalls& loop, Method& method, const ByteStreamRpc& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  // Runs the receiver between coroutines of a turn, not inside the poll.
  class ReadDone final : public coro::Runnable {
   public:
    explicit ReadDone(ByteStreamCall& call) : Runnable(&Run), call_(call) {}
    bool ok = false;

   private:
    static void Run(coro::Runnable& self) { static_cast<ReadDone&>(self).call_.OnReadDone(); }
    ByteStreamCall& call_;
  };

  void Request(grpc::ServerContext& context, Tag* tag) override {
    stream_.emplace(&context);
    definition_.accept(definition_.service, &context, &*stream_, &loop().queue, &loop().queue, tag);
  }
  coro::Task<absl::Status> Handle(Rpc& rpc) override { return definition_.handler(rpc, *this); }
  void StartWrite(const std::string_view& message, Tag* tag) override {
    rpc_metrics().MsgSent();
    stream_->Write(CopyOf(message), tag);
  }
  std::string_view incoming() const override { return in_.view(); }
  void StartRead(verbs::ReadReceiver& receiver) override {
    receiver_ = &receiver;
    Hold();  // the read may end after the handler, and after Finish
    in_.Clear();
    stream_->Read(&in_.buffer(), static_cast<Tag*>(this));
  }
  void LeaveReads() override { receiver_ = nullptr; }
  void Complete(bool ok) override {
    read_done_.ok = ok;
    loop().loop.Schedule(read_done_);
  }
  void OnReadDone() {
    if (read_done_.ok) {
      rpc_metrics().MsgReceived();
      in_.Join();
    }
    if (verbs::ReadReceiver* receiver = std::exchange(receiver_, nullptr)) receiver->OnRead(read_done_.ok);
    LetGo();
  }
  void Finish(const grpc::Status& status, Tag* tag) override { stream_->Finish(status, tag); }
  void Reset() override {
    stream_.reset();
    in_.Clear();
  }
  bool is_unary() const override { return false; }

  const ByteStreamRpc definition_;
  IncomingBytes in_;
  std::optional<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  verbs::ReadReceiver* receiver_ = nullptr;
  ReadDone read_done_{*this};
};

}  // namespace muster::grpc_front
