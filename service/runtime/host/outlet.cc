#include "service/runtime/host/outlet.h"

#include <type_traits>
#include <utility>
#include <variant>

#include "service/base/reason.h"
#include "service/runtime/host/router.h"

namespace muster::runtime {
namespace {

// The same kind of answer, refused. False for a word to a call or a stream that has been answered before: those have no
// refusal of their own.
bool MakeRefused(const core::Effect& effect, core::Token token, core::Effect& refused) {
  return std::visit(
      [&]<typename E>(const E& given) {
        if constexpr (requires { given.refusal; }) {
          E answer;
          answer.token = token;
          if constexpr (requires { answer.job; }) answer.job = given.job;
          answer.refusal = StoreFailed();
          refused = std::move(answer);
          return true;
        } else {
          return false;
        }
      },
      effect);
}

}  // namespace

absl::Status StoreFailed() {
  return base::Refuse(base::Reason::kStoreFailed,
                      "the server's disk has failed, and nothing is acknowledged any more. Whether this was recorded "
                      "is not known: ask again, with the same request id, when the server is back");
}

void Outlet::LetOut(core::Effect&& effect) {
  if (auto* send = std::get_if<core::SendToShard>(&effect)) {
    return Router(hosts_.At(loop_)).Send(send->shard, std::move(send->message));
  }
  const core::Token token = TokenOf(effect);
  if (token != core::kNoToken) Answer(token, std::move(effect));
}

void Outlet::Answer(core::Token token, core::Effect&& effect) {
  const uint8_t loop = RequestTable::LoopOf(token);
  if (loop == loop_) return Deliver(token, std::move(effect));
  ShardHost& asker = hosts_.At(loop);
  asker.loop().Post(
      [&asker, token, moved = std::move(effect)]() mutable { asker.outlet().Deliver(token, std::move(moved)); });
}

void Outlet::Deliver(core::Token token, core::Effect&& effect) {
  if (Receiver* receiver = requests_.Find(token)) receiver->OnEffect(std::move(effect));
}

void Outlet::Refuse(core::Effect&& effect) {
  const core::Token token = TokenOf(effect);
  if (token == core::kNoToken) return;  // a message to another shard
  ShardHost& asker = hosts_.At(RequestTable::LoopOf(token));
  core::Effect refused;
  if (MakeRefused(effect, token, refused)) {
    asker.loop().Post(
        [&asker, token, moved = std::move(refused)]() mutable { asker.outlet().Deliver(token, std::move(moved)); });
    return;
  }
  asker.loop().Post([&asker, token] {
    if (Receiver* receiver = asker.requests().Find(token)) receiver->OnDrain(StoreFailed(), /*last_step=*/true);
  });
}

void Outlet::TellAll(const absl::Status& refusal, bool last_step) {
  requests_.ForEach([&](Receiver& receiver) { receiver.OnDrain(refusal, last_step); });
}

}  // namespace muster::runtime
