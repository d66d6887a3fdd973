// What an acknowledged change survives. One scale for the store, the server and the wire.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::base {

// Ordered: later is stronger.
enum class Durability : std::uint8_t {
  kNone,   // nothing: it is held in memory
  kAsync,  // a crash of the process, not of the machine: written, and synced within a second
  kSync,   // a loss of power, if the disk honours flushes: synced before it is acknowledged
};

constexpr std::string_view DurabilityName(Durability durability) {
  switch (durability) {
    case Durability::kNone:
      return "none";
    case Durability::kAsync:
      return "async";
    case Durability::kSync:
      return "sync";
  }
  return "";
}

}  // namespace muster::base
