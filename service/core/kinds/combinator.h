// What gather, shield and wait_for share: finding their members, here and in other shards, answering the submit once
// all of those are known, and letting go of them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/core/door/message.h"
#include "service/core/futures/combinator.h"
#include "service/core/futures/future.h"
#include "service/core/kinds/kind.h"

namespace muster::core {

// --- What a combinator sees of its members, wherever they live

inline State StateOf(const MemberLink& member) {
  return member.member != nullptr ? member.member->state : member.remote.state;
}
inline const OutcomeRef& OutcomeOf(const MemberLink& member) {
  return member.member != nullptr ? member.member->outcome : member.remote.outcome;
}
// Another shard marks its own when it sends the outcome.
inline void MarkRetrieved(MemberLink& member) {
  if (member.member != nullptr) member.member->retrieved = true;
}

// --- Making one

// The members of a combinator to be, duplicates collapsed.
struct MemberPlan {
  struct Member {
    FutureId id;
    Future* here = nullptr;  // null: in another shard
    uint32_t times = 1;
  };
  std::vector<Member> members;
  std::vector<uint32_t> positions;  // of the input; empty when it is the identity
  uint32_t depth = 1;
};
// Refused when one is not there, or they would nest too deep.
absl::Status PlanMembers(Turn& turn, const Submit& command, const FutureId* input, size_t count, MemberPlan& plan);
// The submit is answered when every shard has said whether its members are there.
void MakeCombinator(Turn& turn, Submit& command, FutureKind kind, CombinatorState state, const MemberPlan& plan);
// A submit, or its repetition, that waits for the other shards.
void AddAsker(Turn& turn, Future& combinator, Token token, bool attach);

// --- What members say

// A member is done.
void MemberDone(Turn& turn, MemberLink& member);
void OnMemberSubscribed(Turn& turn, MemberLink& member, Subscribed& message);
void OnMemberSettled(Turn& turn, MemberLink& member, TargetState& target);

// --- The end of one

void ReleaseMembers(Turn& turn, Future& combinator);
// What the members count for in the namespace's quota.
int64_t SizeOfMembers(const Combinator& combinator);
// What is wrong with the record of any combinator; null when nothing is.
const char* DamageOfCombinator(const FutureRecord& record);
void CheckCombinator(const Future& combinator);

}  // namespace muster::core
