// Adds the methods of a generated service to a loop: for each its name, how the service is asked for the next call of
// it, and what answers.
//
//   Registrar add(loop, service, "muster.v1.FutureService", metrics);
//   add.Unary("Get", &Accept<&Service::RequestGet>::From, &verbs::Get);
#pragma once

#include <memory>
#include <string_view>

#include "service/grpc/detail/byte_calls.h"
#include "service/grpc/detail/call.h"
#include "service/grpc/detail/message_calls.h"

namespace muster::grpc_front {

// A member function Request... of a generated service as a function of any service. So the types of calls do not carry
// the service's type, whose name is made of all its methods' names.
template <auto kRequest>
struct Accept;
template <typename Base, typename... Args, void (Base::*kRequest)(Args...)>
struct Accept<kRequest> {
  static void From(grpc::Service& service, Args... args) { (static_cast<Base&>(service).*kRequest)(args...); }
};

template <typename CallType, typename Definition>
class MethodOf final : public Method {
 public:
  MethodOf(LoopCalls& loop, std::string_view name, metrics::RpcMetrics metrics, Answers answers,
           const Definition& definition)
      : Method(loop, name, metrics, answers), definition_(definition) {}

 private:
  std::unique_ptr<CallBase> Make() override { return std::make_unique<CallType>(loop_, *this, definition_); }
  const Definition definition_;
};

class Registrar {
 public:
  // `metrics` may be null: nothing is counted. Names are literals.
  Registrar(LoopCalls& loop, grpc::Service& service, std::string_view name, metrics::Metrics* metrics,
            Answers answers = Answers::kWhenOpen)
      : loop_(loop), service_(service), name_(name), metrics_(metrics), answers_(answers) {}

  template <typename In, typename Out, typename Handler>
  void Unary(std::string_view name,
             void (*accept)(grpc::Service&, grpc::ServerContext*, In*, grpc::ServerAsyncResponseWriter<Out>*,
                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
             Handler handler) {
    const UnaryRpc<In, Out, Handler> definition{service_, accept, handler};
    Add<UnaryCall<In, Out, Handler>>(name, metrics::RpcType::kUnary, definition);
  }
  template <typename In, typename Out, typename Handler>
  void ServerStream(std::string_view name,
                    void (*accept)(grpc::Service&, grpc::ServerContext*, In*, grpc::ServerAsyncWriter<Out>*,
                                   grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                    Handler handler) {
    const ServerStreamRpc<In, Out, Handler> definition{service_, accept, handler};
    Add<ServerStreamCall<In, Out, Handler>>(name, metrics::RpcType::kServerStream, definition);
  }
  void UnaryBytes(std::string_view name, UnaryBytesRpc::Accept accept, UnaryBytesRpc::Handler handler) {
    const UnaryBytesRpc definition{service_, accept, handler};
    Add<UnaryBytesCall>(name, metrics::RpcType::kUnary, definition);
  }
  void StreamBytes(std::string_view name, ByteStreamRpc::Accept accept, ByteStreamRpc::Handler handler) {
    const ByteStreamRpc definition{service_, accept, handler};
    Add<ByteStreamCall>(name, metrics::RpcType::kBidiStream, definition);
  }

 private:
  template <typename CallType, typename Definition>
  void Add(std::string_view name, metrics::RpcType type, const Definition& definition) {
    metrics::RpcMetrics counts;
    if (metrics_ != nullptr) counts = metrics_->Rpc(type, name_, name);
    loop_.methods.push_back(
        std::make_unique<MethodOf<CallType, Definition>>(loop_, name, counts, answers_, definition));
  }

  LoopCalls& loop_;
  grpc::Service& service_;
  const std::string_view name_;
  metrics::Metrics* const metrics_;
  const Answers answers_;
};

}  // namespace muster::grpc_front
