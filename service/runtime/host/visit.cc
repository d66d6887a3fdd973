#include "service/runtime/host/visit.h"

#include "service/runtime/host/shard_host.h"

namespace muster::runtime {

Visit::Visit(ShardHost& home, ShardHost& target) : Runnable(&OnArrived), home_(home), target_(target) {}

bool Visit::TryAtOnce() {
  if (&home_ != &target_) return false;
  Look(target_);
  looked_ = true;
  return !target_.release().Undurable();
}

void Visit::Begin() {
  if (looked_) return target_.WhenDurable(seen_);
  target_.loop().Post(static_cast<coro::Runnable&>(*this));
}

void Visit::OnArrived(coro::Runnable& runnable) {
  auto& self = static_cast<Visit&>(runnable);
  self.Look(self.target_);
  if (self.target_.release().Undurable()) return self.target_.WhenDurable(self.seen_);
  self.home_.loop().Post(static_cast<coro::Runnable&>(self.back_));
}

void Visit::OnSeen() {
  if (!seen_.durable) LookAgain(target_);
  if (&home_ == &target_) return OnBack();
  home_.loop().Post(static_cast<coro::Runnable&>(back_));
}

}  // namespace muster::runtime
