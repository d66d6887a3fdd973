#include "service/core/record/damage.h"

#include "service/core/completion.h"
#include "service/core/kinds/kind.h"

namespace muster::core {

std::vector<std::string> DamageOf(const FutureRecord& record) {
  std::vector<std::string> damage;
  const Kind& kind = KindOf(record.kind);
  const bool done = IsDone(record.state);
  // A gather that succeeded has its members' outcomes, which lie with them.
  const bool told_by_members = kind.keeps_members && record.state == State::kSucceeded;
  if (record.state == State::kExpired) damage.emplace_back("its state does not fit its kind");
  if ((record.outcome != nullptr) != (done && !told_by_members)) damage.emplace_back("state and outcome disagree");
  if (record.outcome != nullptr && done && StateFor(*record.outcome) != record.state) {
    damage.emplace_back("it ended otherwise than its outcome says");
  }
  if (done != (record.completion_sequence != 0)) damage.emplace_back("its end has no number");
  if (!done && (record.hidden || record.expired)) damage.emplace_back("it is not done, and gone");
  if (record.combinator.has_value() != kind.combines) {
    damage.emplace_back("its members do not fit its kind");
  } else if (const char* of_kind = kind.damage(record)) {
    damage.emplace_back(of_kind);
  }
  return damage;
}

std::vector<std::string> DamageOf(const RequestRecord& record) {
  std::vector<std::string> damage;
  if (IsDone(record.elsewhere_state) != (record.elsewhere_outcome != nullptr)) {
    damage.emplace_back("a shield's state and outcome disagree");
  }
  return damage;
}

std::vector<std::string> DamageOf(const FutureRecord& record, const MembersRecord& members) {
  std::vector<std::string> damage;
  const Kind& kind = KindOf(record.kind);
  if (!kind.combines) {
    damage.emplace_back("members belong to no combinator");
    return damage;
  }
  const bool none = members.members.empty();  // such a gather has ended at once (semantics 43)
  if ((kind.one_member && members.members.size() != 1) ||
      (none && (!members.positions.empty() || !IsDone(record.state)))) {
    damage.emplace_back("it has a wrong number of members");
  }
  for (const uint32_t position : members.positions) {
    if (position < members.members.size()) continue;
    damage.emplace_back("it gathers a member that it does not have");
    break;
  }
  return damage;
}

}  // namespace muster::core
