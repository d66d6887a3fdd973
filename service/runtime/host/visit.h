// A look at the shards of a loop, the asker's own or another: there, until all that was seen is durable, and back home.
// Should that never be, it looks again: the shards are frozen then, and show only what is.
//
// Threading: made, begun and come home on `home`'s loop; Look runs on the target's. Lifetime: from Begin until OnBack
// the visit stays where it is.
#pragma once

#include "service/coro/runnable.h"
#include "service/runtime/host/release.h"

namespace muster::runtime {

class ShardHost;

class Visit : private coro::Runnable {
 public:
  Visit(ShardHost& home, ShardHost& target);
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  // True when it is over: the target is this loop, and nothing that was seen is undurable. Otherwise Begin is to come.
  bool TryAtOnce();
  // OnBack follows, never inside this call on the home loop; but the visit may be over on its way back already.
  void Begin();

 protected:
  ~Visit() = default;
  // On the target's loop; LookAgain when what Look saw will never be durable.
  virtual void Look(ShardHost& target) = 0;
  virtual void LookAgain(ShardHost& target) = 0;
  virtual void OnBack() = 0;

 private:
  struct Back final : coro::Runnable {
    explicit Back(Visit& v)
        : Runnable([](coro::Runnable& self) { static_cast<Back&>(self).visit.OnBack(); }), visit(v) {}
    Visit& visit;
  };
  struct Seen final : DurableWaiter {
    explicit Seen(Visit& v)
        : DurableWaiter([](coro::Runnable& self) { static_cast<Seen&>(self).visit.OnSeen(); }), visit(v) {}
    Visit& visit;
  };

  static void OnArrived(coro::Runnable& self);
  void OnSeen();

  ShardHost& home_;
  ShardHost& target_;
  bool looked_ = false;
  Back back_{*this};
  Seen seen_{*this};
};

}  // namespace muster::runtime
