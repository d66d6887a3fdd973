// What clients and bodies have open, by the token of whoever asked: waits, streams, attached calls, awaits.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"

#include "service/base/check.h"
#include "service/core/door/command.h"
#include "service/core/door/query.h"
#include "service/core/futures/future.h"
#include "service/core/interest/streams.h"
#include "service/core/interest/waits.h"

namespace muster::core {

struct CallOf {
  Future* future;
};
struct AwaitOf {
  Future* job;
};
using Opened = std::variant<std::unique_ptr<Wait>, std::unique_ptr<Stream>, CallOf, AwaitOf>;

class OpenTable {
 public:
  // `token` must not be open. Does nothing for kNoToken.
  void Add(Token token, Opened opened) {
    if (token == kNoToken) return;
    const auto [place, fresh] = open_.emplace(token, std::move(opened));
    MUSTER_CHECK(fresh) << "token " << token << " is open already";
    Count(place->second, 1);
  }
  // Null when it is not open.
  Opened* Find(Token token) {
    const auto found = open_.find(token);
    return found == open_.end() ? nullptr : &found->second;
  }
  Stream* FindStream(Token token) {
    Opened* found = Find(token);
    auto* stream = found == nullptr ? nullptr : std::get_if<std::unique_ptr<Stream>>(found);
    return stream == nullptr ? nullptr : stream->get();
  }
  void Erase(Token token) {
    const auto found = open_.find(token);
    if (found == open_.end()) return;
    Count(found->second, -1);
    open_.erase(found);
  }

  // Attached calls count also without a token.
  void CountCall(int by) { calls_ += static_cast<uint64_t>(by); }

  void AddTo(ShardStats& stats) const {
    stats.waits += waits_;
    stats.streams += streams_;
    stats.calls += calls_;
  }
  void CheckInvariants(ShardStats& seen) const {
    for (const auto& [token, opened] : open_) {
      if (const auto* wait = std::get_if<std::unique_ptr<Wait>>(&opened)) CheckWait(**wait, seen);
      if (const auto* stream = std::get_if<std::unique_ptr<Stream>>(&opened)) CheckStream(**stream, seen);
      if (std::holds_alternative<CallOf>(opened)) ++seen.calls;
    }
  }

 private:
  void Count(const Opened& opened, int by) {
    waits_ += std::holds_alternative<std::unique_ptr<Wait>>(opened) ? static_cast<uint64_t>(by) : 0;
    streams_ += std::holds_alternative<std::unique_ptr<Stream>>(opened) ? static_cast<uint64_t>(by) : 0;
  }

  absl::flat_hash_map<Token, Opened> open_;
  uint64_t waits_ = 0, streams_ = 0, calls_ = 0;
};

}  // namespace muster::core
