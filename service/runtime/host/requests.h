// Who waits for an answer of a shard: the tokens that a loop has given out, and the receiver behind each.
//
// A token names its loop, so an answer made on another loop finds its way home; and a generation, so that an answer to
// somebody who has left reaches nobody. Threading: each table belongs to its loop.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "service/base/check.h"
#include "service/core/door/effect.h"

namespace muster::runtime {

class Receiver {
 public:
  virtual ~Receiver() = default;
  // An answer that carries the receiver's token. Called between coroutines, never inside the verb that asked.
  virtual void OnEffect(core::Effect&& effect) = 0;
  // The service is shutting down: `refusal` is what to answer. Calls are asked only at the last step.
  virtual void OnDrain(const absl::Status& refusal, bool last_step) {
    (void)refusal;
    (void)last_step;
  }
};

class RequestTable {
 public:
  explicit RequestTable(uint8_t loop) : loop_(loop) {}

  core::Token Add(Receiver* receiver) {
    uint32_t slot;
    if (free_ != kNone) {
      slot = free_;
      free_ = entries_[slot].next_free;
    } else {
      slot = static_cast<uint32_t>(entries_.size());
      entries_.emplace_back();
    }
    Entry& entry = entries_[slot];
    entry.receiver = receiver;
    entry.generation = (entry.generation + 1) & 0xffffff;
    if (entry.generation == 0) entry.generation = 1;
    ++size_;
    return uint64_t{loop_} << 56 | uint64_t{entry.generation} << 32 | slot;
  }

  // Null for a token that was removed.
  Receiver* Find(core::Token token) const {
    const uint32_t slot = static_cast<uint32_t>(token);
    if (slot >= entries_.size()) return nullptr;
    const Entry& entry = entries_[slot];
    return entry.generation == (token >> 32 & 0xffffff) ? entry.receiver : nullptr;
  }

  // False when it was gone already.
  bool Remove(core::Token token) {
    if (Find(token) == nullptr) return false;
    const uint32_t slot = static_cast<uint32_t>(token);
    entries_[slot].receiver = nullptr;
    entries_[slot].next_free = free_;
    free_ = slot;
    --size_;
    return true;
  }

  static uint8_t LoopOf(core::Token token) { return static_cast<uint8_t>(token >> 56); }
  size_t size() const { return size_; }

  // Receivers may remove themselves and others, and add new ones, which may or may not be visited.
  template <typename F>
  void ForEach(F&& visit) {
    for (size_t slot = 0; slot < entries_.size(); ++slot) {
      if (entries_[slot].receiver != nullptr) visit(*entries_[slot].receiver);
    }
  }

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  struct Entry {
    Receiver* receiver = nullptr;
    uint32_t generation = 0;  // 24 bits
    uint32_t next_free = kNone;
  };

  const uint8_t loop_;
  std::vector<Entry> entries_;
  uint32_t free_ = kNone;
  size_t size_ = 0;
};

// The token of an answer; kNoToken for effects that are none.
core::Token TokenOf(const core::Effect& effect);

}  // namespace muster::runtime
