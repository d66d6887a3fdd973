// Where a reader of as_completed stands: for each shard the last completion it was given, and which set it was.
//
// Stateless and not secret: a token that was tampered with can only skip or repeat completions of ids that its bearer
// could ask for anyway.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/door/command.h"
#include "service/values/id.h"

namespace muster::runtime {

struct ResumeToken {
  uint64_t set_hash = 0;
  std::map<values::ShardIndex, uint64_t> positions;  // completion sequence by shard

  std::string ToText() const;
  // nullopt for what ToText did not make.
  static std::optional<ResumeToken> Parse(std::string_view text);
};

// The same for the same ids in any order and number, or for the same group.
uint64_t HashOfSet(const core::FutureSet& set);

}  // namespace muster::runtime
