// What a combinator sees of its members, wherever they live.
#pragma once

#include "service/core/detail/future.h"

namespace muster::core {

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

inline State StateFor(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kError:
      return State::kFailed;
    case Outcome::Kind::kCancelled:
      return State::kCancelled;
    default:
      return State::kSucceeded;
  }
}

// `outcome` as it arrives at whoever awaits `from`: an error or a cancellation names the future where it arose.
OutcomeRef Propagated(const OutcomeRef& outcome, const FutureId& from);

// A failure that is a timeout, with what the timeout's cancel brought about as its cause (semantics 57).
OutcomeRef TimedOut(ErrorKind kind, std::string message, std::shared_ptr<const Error> cause, Payload details = {});

// "1.5 s", as messages say it.
std::string InSeconds(base::Duration duration);

}  // namespace muster::core
