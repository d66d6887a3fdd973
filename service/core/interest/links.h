// Making and releasing links, and counting them: all zero when nothing is left behind (semantics 36).
#pragma once

#include <cstdint>

#include "service/base/check.h"
#include "service/core/door/query.h"
#include "service/core/futures/future.h"
#include "service/core/futures/link.h"
#include "service/core/futures/retention.h"

namespace muster::core {

class Links {
 public:
  void Connect(Link& link, Future& member) {
    MUSTER_CHECK(link.member == nullptr);
    link.member = &member;
    ++member.pins;
    ++pins_;
    ++links_;
    if (!member.done()) member.links.PushBack(link);
  }
  // Does nothing for a link that is not connected. A member that nothing but this had held goes to `doomed`.
  void Release(Link& link, Doomed& doomed) {
    if (link.member == nullptr) return;
    Future& member = *link.member;
    link.hook.Unlink();
    link.member = nullptr;
    --links_;
    --pins_;
    MUSTER_CHECK_GT(member.pins, 0u);
    if (--member.pins == 0 && member.expired) doomed.Add(member);
  }
  // A member in another shard: a link without a pin here.
  void OpenRemote(Remote& remote) {
    remote.in_use = true;
    ++links_;
  }
  void CloseRemote(Remote& remote) {
    remote.in_use = false;
    --links_;
  }

  void AddTo(ShardStats& stats) const {
    stats.links += links_;
    stats.pins += pins_;
  }

 private:
  uint64_t links_ = 0, pins_ = 0;
};

}  // namespace muster::core
