// What stands behind the void* of a completion queue.
//
// Threading: Complete is called on the loop that owns the queue, between coroutines. It must not resume a coroutine
// itself: it schedules. Lifetime: from the begin of the operation until Complete has been called, exactly once.
#pragma once

namespace muster::api {

class Tag {
 public:
  Tag() = default;
  Tag(const Tag&) = delete;
  Tag& operator=(const Tag&) = delete;
  virtual void Complete(bool ok) = 0;

 protected:
  ~Tag() = default;
};

}  // namespace muster::api
