#include "service/grpc/detail/future_service.h"

#include "muster/v1/future_service.grpc.pb.h"
#include "service/grpc/detail/registrar.h"
#include "service/verbs/handlers.h"
#include "service/verbs/list.h"

namespace muster::grpc_front {
namespace {

// Puts one template of the generated code after the other around `Base`.
template <typename Base, template <typename> class... With>
struct Compose {
  using Type = Base;
};
template <typename Base, template <typename> class First, template <typename> class... Rest>
struct Compose<Base, First, Rest...> {
  using Type = First<typename Compose<Base, Rest...>::Type>;
};

// All methods by completion queue, those of bytes raw (docs/adr/0044-run-codec.md). None over `AsyncService`: gRPC
// would say at each start that a method is made raw which was not.
#define MUSTER_WITH_Unary(name) v1::FutureService::WithAsyncMethod_##name
#define MUSTER_WITH_UnaryBytes(name) v1::FutureService::WithRawMethod_##name
#define MUSTER_WITH_ServerStream(name) v1::FutureService::WithAsyncMethod_##name
#define MUSTER_WITH_StreamBytes(name) v1::FutureService::WithRawMethod_##name
#define MUSTER_WITH(name, shape) , MUSTER_WITH_##shape(name)
using Generated = Compose<v1::FutureService::Service MUSTER_FUTURE_VERBS(MUSTER_WITH)>::Type;

class FutureService final : public RpcService {
 public:
  grpc::Service& generated() override { return generated_; }
  void AddTo(LoopCalls& loop, metrics::Metrics* metrics) override {
    Registrar add(loop, generated_, "muster.v1.FutureService", metrics);
#define MUSTER_ADD(name, shape) add.shape(#name, &Accept<&Generated::Request##name>::From, &verbs::name);
    MUSTER_FUTURE_VERBS(MUSTER_ADD)
#undef MUSTER_ADD
  }

 private:
  Generated generated_;
};

}  // namespace

std::unique_ptr<RpcService> MakeFutureService() { return std::make_unique<FutureService>(); }

}  // namespace muster::grpc_front
