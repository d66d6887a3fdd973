#include "service/core/kinds/shield.h"

#include <string>
#include <utility>
#include <variant>

#include "service/core/completion.h"
#include "service/core/kinds/cancel.h"
#include "service/core/kinds/combinator.h"
#include "service/core/kinds/propagate.h"
#include "service/core/kinds/submission.h"
#include "service/core/record/record.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

// semantics 55: the answer is the inner itself.
void AnswerWithInner(Turn& turn, Submit& command, Future& inner) {
  if (command.options && !command.options->request_id.empty()) {
    Remember(turn, command, command.options->request_id, command.options->request_id_ttl, inner);
    turn.changes.Mark(inner);
  }
  AnswerSubmit(turn, inner, command.token, command.attach, false);
}

void SubmitShield(Turn& turn, Submit& command) {
  const ShieldSpec& spec = std::get<ShieldSpec>(command.spec);
  MemberPlan plan;
  if (absl::Status refusal = PlanMembers(turn, command, &spec.inner, 1, plan); !refusal.ok()) {
    return RefuseSubmit(turn, command.token, std::move(refusal));
  }
  Future* const inner = plan.members[0].here;
  if (inner != nullptr && inner->done()) return AnswerWithInner(turn, command, *inner);
  MakeCombinator(turn, command, FutureKind::kShield, ShieldState(), plan);
}

void OnInnerDone(Turn& turn, Future& shield, MemberLink& inner) {
  if (shield.done()) return;
  MarkRetrieved(inner);
  if (StateOf(inner) == State::kCancelled) {
    // semantics 54. Without the inner's message, as in CPython; the origin leads to it.
    return Complete(turn, shield, State::kCancelled, Outcome::Cancelled("", inner.id));
  }
  Complete(turn, shield, StateOf(inner), Propagated(OutcomeOf(inner), inner.id));
}

// semantics 53
void CancelStep(Turn& turn, CancelWalk& walk, Future& shield, uint32_t) {
  Complete(turn, shield, State::kCancelled, Outcome::Cancelled(walk.message));
}

const char* Damage(const FutureRecord& record) {
  if (const char* damage = DamageOfCombinator(record)) return damage;
  return IsDone(record.state) || record.due == base::kNever ? nullptr : "it has no timeout, and ran into one";
}

}  // namespace

const Kind kShieldKind = {
    .name = "shield",
    .combines = true,
    .one_member = true,
    .state = ShieldState(),
    .submit = SubmitShield,
    .is_inner_when_done = true,
    .member_done = OnInnerDone,
    .cancel = CancelStep,
    .let_go = ReleaseMembers,
    .damage = Damage,
    .check = CheckCombinator,
};

}  // namespace muster::core
