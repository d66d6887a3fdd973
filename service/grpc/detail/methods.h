// The shapes of an RPC on a completion queue: unary, of messages or bytes; server stream; bidirectional stream of
// bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/arena.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "service/grpc/detail/call.h"
#include "service/wire/format.h"

namespace muster::grpc_front {

// The messages of one call and all that is in them, in memory that stays with the call: for a usual one nothing has to
// be allocated. What a large one needed beyond that is freed when it has ended.
class CallMessages {
 public:
  CallMessages() : arena_(Options()) {}
  // Lives until Reset.
  template <typename Message>
  Message* Make() {
    return google::protobuf::Arena::CreateMessage<Message>(&arena_);
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

template <typename Service, typename In, typename Out>
struct UnaryRpc {
  using RequestFunction = void (Service::*)(grpc::ServerContext*, In*, grpc::ServerAsyncResponseWriter<Out>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, In&, Out&);
  Service* service;
  RequestFunction request;
  Handler handler;
};

template <typename Service, typename In, typename Out>
class UnaryCall final : public CallBase {
 public:
  UnaryCall(LoopCalls& loop, Method& method, const UnaryRpc<Service, In, Out>& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  void Request(grpc::ServerContext& context, Tag* tag) override {
    in_ = messages_.Make<In>();
    out_ = messages_.Make<Out>();
    responder_.emplace(&context);
    (definition_.service->*definition_.request)(&context, in_, &*responder_, &loop().queue, &loop().queue, tag);
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

  const UnaryRpc<Service, In, Out> definition_;
  CallMessages messages_;
  In* in_ = nullptr;
  Out* out_ = nullptr;
  std::optional<grpc::ServerAsyncResponseWriter<Out>> responder_;
};

// --- Server stream --------------------------------------------------------------------------------------------------

template <typename Service, typename In, typename Out>
struct ServerStreamRpc {
  using RequestFunction = void (Service::*)(grpc::ServerContext*, In*, grpc::ServerAsyncWriter<Out>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, In&, StreamWriter<Out>&);
  Service* service;
  RequestFunction request;
  Handler handler;
};

template <typename Service, typename In, typename Out>
class ServerStreamCall final : public CallBase, private StreamWriter<Out> {
 public:
  ServerStreamCall(LoopCalls& loop, Method& method, const ServerStreamRpc<Service, In, Out>& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  void Request(grpc::ServerContext& context, Tag* tag) override {
    in_ = messages_.Make<In>();
    writer_.emplace(&context);
    (definition_.service->*definition_.request)(&context, in_, &*writer_, &loop().queue, &loop().queue, tag);
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

  const ServerStreamRpc<Service, In, Out> definition_;
  CallMessages messages_;
  In* in_ = nullptr;
  std::optional<grpc::ServerAsyncWriter<Out>> writer_;
};

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

// --- Unary, as bytes ------------------------------------------------------------------------------------------------

template <typename Service>
struct UnaryBytesRpc {
  using RequestFunction = void (Service::*)(grpc::ServerContext*, grpc::ByteBuffer*,
                                            grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*, grpc::CompletionQueue*,
                                            grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, std::string_view, wire::Buffer&);
  Service* service;
  RequestFunction request;
  Handler handler;
};

template <typename Service>
class UnaryBytesCall final : public CallBase {
 public:
  UnaryBytesCall(LoopCalls& loop, Method& method, const UnaryBytesRpc<Service>& rpc)
      : CallBase(loop, method), definition_(rpc) {}

 private:
  static constexpr size_t kKeptBytesMax = 4 << 10;

  void Request(grpc::ServerContext& context, Tag* tag) override {
    responder_.emplace(&context);
    (definition_.service->*definition_.request)(&context, &in_.buffer(), &*responder_, &loop().queue, &loop().queue,
                                                tag);
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

  const UnaryBytesRpc<Service> definition_;
  IncomingBytes in_;
  wire::Buffer out_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
};

// --- Bidirectional stream of bytes ----------------------------------------------------------------------------------

template <typename Service>
struct ByteStreamRpc {
  using RequestFunction = void (Service::*)(grpc::ServerContext*,
                                            grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  using Handler = coro::Task<absl::Status> (*)(Rpc&, verbs::ByteStream&);
  Service* service;
  RequestFunction request;
  Handler handler;
};

template <typename Service>
class ByteStreamCall final : public CallBase, private verbs::ByteStream, private Tag {
 public:
  ByteStreamCall(LoopCalls& loop, Method& method, const ByteStreamRpc<Service>& rpc)
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
    (definition_.service->*definition_.request)(&context, &*stream_, &loop().queue, &loop().queue, tag);
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

  const ByteStreamRpc<Service> definition_;
  IncomingBytes in_;
  std::optional<grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  verbs::ReadReceiver* receiver_ = nullptr;
  ReadDone read_done_{*this};
};

// --- Registration ---------------------------------------------------------------------------------------------------

template <typename CallType, typename Definition>
class MethodOf final : public Method {
 public:
  MethodOf(LoopCalls& loop, std::string_view name, metrics::RpcMetrics metrics, bool always,
           const Definition& definition)
      : Method(loop, name, metrics, always), definition_(definition) {}

 private:
  std::unique_ptr<CallBase> Make() override { return std::make_unique<CallType>(loop_, *this, definition_); }
  const Definition definition_;
};

// Adds methods to a loop: name, request function of the generated AsyncService, handler.
class Registrar {
 public:
  Registrar(LoopCalls& loop, metrics::Metrics* metrics, std::string_view service, bool always = false)
      : loop_(loop), metrics_(metrics), service_(service), always_(always) {}

  template <typename Base, typename Service, typename In, typename Out>
  void Unary(Service& service, std::string_view name,
             void (Base::*request)(grpc::ServerContext*, In*, grpc::ServerAsyncResponseWriter<Out>*,
                                   grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
             coro::Task<absl::Status> (*handler)(Rpc&, In&, Out&)) {
    const UnaryRpc<Base, In, Out> definition{&service, request, handler};
    Add<UnaryCall<Base, In, Out>>(name, metrics::RpcType::kUnary, definition);
  }
  template <typename Base, typename Service, typename In, typename Out>
  void ServerStream(Service& service, std::string_view name,
                    void (Base::*request)(grpc::ServerContext*, In*, grpc::ServerAsyncWriter<Out>*,
                                          grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                    coro::Task<absl::Status> (*handler)(Rpc&, In&, StreamWriter<Out>&)) {
    const ServerStreamRpc<Base, In, Out> definition{&service, request, handler};
    Add<ServerStreamCall<Base, In, Out>>(name, metrics::RpcType::kServerStream, definition);
  }
  // Methods that the service has raw.
  template <typename Base, typename Service>
  void UnaryBytes(Service& service, std::string_view name,
                  void (Base::*request)(grpc::ServerContext*, grpc::ByteBuffer*,
                                        grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*, grpc::CompletionQueue*,
                                        grpc::ServerCompletionQueue*, void*),
                  coro::Task<absl::Status> (*handler)(Rpc&, std::string_view, wire::Buffer&)) {
    const UnaryBytesRpc<Base> definition{&service, request, handler};
    Add<UnaryBytesCall<Base>>(name, metrics::RpcType::kUnary, definition);
  }
  template <typename Base, typename Service>
  void StreamBytes(Service& service, std::string_view name,
                   void (Base::*request)(grpc::ServerContext*,
                                         grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>*,
                                         grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                   coro::Task<absl::Status> (*handler)(Rpc&, verbs::ByteStream&)) {
    const ByteStreamRpc<Base> definition{&service, request, handler};
    Add<ByteStreamCall<Base>>(name, metrics::RpcType::kBidiStream, definition);
  }

 private:
  template <typename CallType, typename Definition>
  void Add(std::string_view name, metrics::RpcType type, const Definition& definition) {
    metrics::RpcMetrics counts;
    if (metrics_ != nullptr) counts = metrics_->Rpc(type, service_, name);
    loop_.methods.push_back(std::make_unique<MethodOf<CallType, Definition>>(loop_, name, counts, always_, definition));
  }

  LoopCalls& loop_;
  metrics::Metrics* const metrics_;
  const std::string_view service_;
  const bool always_;
};

}  // namespace muster::grpc_front
