#include "tests/crash/judge.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace muster::crash {
namespace {

using Kind = Record::Kind;

constexpr size_t kViolationsMax = 200;
constexpr char kInterrupted[] = "error INTERRUPTED";

std::set<std::string> KeysOf(const std::string& text) {
  std::set<std::string> keys;
  size_t from = 0;
  while (from < text.size()) {
    const size_t to = std::min(text.find(',', from), text.size());
    keys.insert(text.substr(from, to - from));
    from = to + 1;
  }
  return keys;
}

}  // namespace

void Judge::Violation(const Record& record, const std::string& what) {
  if (violations_.size() < kViolationsMax) {
    violations_.push_back(fmt::format("record {}, server {}: {}: {}", now_, record.incarnation, record.key, what));
  }
}

Judge::Fact* Judge::FactOf(const Record& record) {
  const auto found = facts_.find(record.key);
  if (found != facts_.end()) return &found->second;
  Violation(record, fmt::format("a record '{}' of a future that nobody submitted: the ledger is broken",
                                static_cast<char>(record.kind)));
  return nullptr;
}

void Judge::Take(const Record& record) {
  ++now_;
  switch (record.kind) {
    case Kind::kUp:
      incarnation_ = record.number;
      return;
    case Kind::kDown:
      return;
    case Kind::kSubmit:
      return OnSubmit(record);
    case Kind::kAcknowledged:
      return OnAcknowledged(record);
    case Kind::kOther:
      return OnOther(record);
    case Kind::kRefused:
      return Violation(record, "was refused: " + record.a);
    case Kind::kSettle:
      if (Fact* fact = FactOf(record)) fact->settles[record.a] = record.b;
      return;
    case Kind::kSettled:
      return OnSettled(record);
    case Kind::kAlreadyDone:
      return OnAlreadyDone(record);
    case Kind::kCancel:
      if (Fact* fact = FactOf(record)) fact->cancel_tried = true;
      return;
    case Kind::kCancelAnswered:
      return OnCancelAnswered(record);
    case Kind::kSeen:
      return OnSeen(record);
    case Kind::kMissing:
      return OnMissing(record);
    case Kind::kDelete:
      if (Fact* fact = FactOf(record)) {
        fact->delete_tried = true;
        if (fact->unchecked) Violation(record, "is deleted, and nobody saw its members: the test is broken");
      }
      return;
    case Kind::kDeleted:
      if (Fact* fact = FactOf(record)) OnDeleted(record, *fact);
      return;
    case Kind::kForget:
      facts_.erase(record.key);
      streams_.erase(record.key);
      return;
    case Kind::kRan:
      return OnRan(record);
    case Kind::kOpened:
    case Kind::kItem:
    case Kind::kEnded:
      return OnStream(record);
    case Kind::kHistory:
      return Violation(record, "not linearizable: " + record.a);
    case Kind::kOverdue:
      return Violation(record, "has not ended: " + record.a);
  }
  Violation(record, "a record of no known kind: the ledger is broken");
}

void Judge::OnSubmit(const Record& record) {
  const std::optional<Spec> spec = ParseSpec(record.a);
  if (!spec.has_value()) return Violation(record, "a spec that cannot be read: the ledger is broken");
  const auto [at, added] = facts_.try_emplace(record.key);
  Fact& fact = at->second;
  if (added) {
    fact.spec = *spec;
    fact.first_incarnation = incarnation_;
  } else if (fact.spec != *spec) {
    Violation(record, "submitted again with another spec: the test is broken");
  }
}

void Judge::OnAcknowledged(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  if (record.number == 1) ++counts_.repetitions;
  if (!fact->id.empty()) {
    if (fact->id != record.a) {
      Violation(record, fmt::format("one request id gave two futures: {}, then {}", fact->id, record.a));
    } else if (record.number == 0 && fact->acknowledged_at <= record.since) {
      Violation(record, "the same id was said to be new once more");
    }
    return;
  }
  fact->id = record.a;
  fact->acknowledged_at = now_;
  ++counts_.acknowledged;
  if (!ids_.insert(std::hash<std::string>()(record.a)).second) {
    Violation(record, fmt::format("the id {} was given before, to another future", record.a));
  }
}

void Judge::OnOther(const Record& record) {
  const Fact* fact = FactOf(record);
  if (fact == nullptr || fact->id.empty()) return;
  if (record.a != "REQUEST_ID_REUSED") {
    Violation(record, fmt::format("its request id with another spec was answered {}, not REQUEST_ID_REUSED", record.a));
  } else {
    ++counts_.reuses_refused;
  }
}

void Judge::OnSettled(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  if (!fact->settled_by.empty() && fact->settled_by != record.a) {
    Violation(record, fmt::format("settled twice: acknowledged to {}, then to {}", fact->settled_by, record.a));
  }
  if (fact->cancelled && fact->cancelled_at <= record.since) {
    Violation(record, "a settle was acknowledged after a cancel had been");
  }
  if (fact->settled_by.empty()) {
    ++counts_.settles;
    fact->settled_by = record.a;
    fact->settled_at = now_;
  }
  if (fact->outcome.has_value() && *fact->outcome != "value text:" + fact->settles[record.a]) {
    Violation(record, fmt::format("settled by {}, but it had been seen as {}", record.a, *fact->outcome));
  }
}

void Judge::OnAlreadyDone(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  if (fact->settled_by == record.a) {
    Violation(record, fmt::format("the settle {} was acknowledged, and its repetition is refused", record.a));
  }
  const bool other_settle = std::any_of(fact->settles.begin(), fact->settles.end(),
                                        [&](const auto& settle) { return settle.first != record.a; });
  if (!other_settle && !fact->cancel_tried) {
    Violation(record, fmt::format("the settle {} is refused as done already, and nobody else ended it", record.a));
  }
}

void Judge::OnCancelAnswered(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  const bool done_before = fact->state != State::kUnspecified && fact->done_at <= record.since;
  if (record.a == "NOT_FOUND") return OnMissing(record);
  if (record.a == "ALREADY_DONE") {
    const bool promise = fact->spec.body == Spec::Body::kPromise;
    // The cancel itself may have been carried out before, its answer lost: that is a try as well, and they are not told
    // apart here; who tried exactly once and got an answer is checked by the linearizability histories.
    if (promise && fact->settles.empty() && !fact->cancel_tried) {
      Violation(record, "a cancel says that it is done, and nobody ended it");
    }
    return;
  }
  ++counts_.cancels;
  if (done_before) {
    Violation(record,
              fmt::format("a cancel was answered {} after it had been seen {}", record.a, StateName(fact->state)));
  }
  if (record.a != "CANCELLED") return;
  if (!fact->settled_by.empty() && fact->settled_at <= record.since) {
    Violation(record, "a cancel was acknowledged after a settle had been");
  }
  if (fact->cancelled && fact->cancelled_at <= record.since) Violation(record, "cancelled twice");
  if (!fact->cancelled) {
    fact->cancelled = true;
    fact->cancelled_at = now_;
  }
  if (fact->state != State::kUnspecified && fact->state != State::kCancelled) {
    Violation(record, fmt::format("acknowledged as cancelled, and seen {}", StateName(fact->state)));
  }
}

void Judge::OnSeen(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  ++counts_.sights;
  if (fact->deleted && fact->deleted_at <= record.since) {
    return Violation(record, "was deleted, and is there again");
  }
  if (!record.a.empty() && record.a != NameOf(record.key)) {
    Violation(record, fmt::format("its name and label are \"{}\"", record.a));
  }
  OnAttempt(record, *fact);
  if (IsDone(record.state)) return OnSeenDone(record, *fact);
  const auto refuse = [&](std::string_view what) {
    Violation(record, fmt::format("{}, and now it is {}", what, StateName(record.state)));
  };
  if (fact->state != State::kUnspecified && fact->done_at <= record.since) {
    return refuse(fmt::format("was seen {}", StateName(fact->state)));
  }
  if (fact->cancelled && fact->cancelled_at <= record.since) return refuse("its cancel was acknowledged");
  if (!fact->settled_by.empty() && fact->settled_at <= record.since) refuse("its settle was acknowledged");
}

void Judge::OnSeenDone(const Record& record, Fact& fact) {
  if (fact.state == State::kUnspecified) {
    fact.state = record.state;
    fact.done_at = now_;
    ++counts_.outcomes;
    if (record.b.starts_with(kInterrupted)) ++counts_.interrupted;
    if (fact.spec.body == Spec::Body::kGather) ++counts_.gathers;
  } else if (fact.state != record.state) {
    return Violation(record, fmt::format("was seen {}, and now {}", StateName(fact.state), StateName(record.state)));
  }
  if (record.b.empty()) return;
  if (fact.outcome.has_value() && *fact.outcome != record.b) {
    Violation(record, fmt::format("its outcome was \"{}\", and now it is \"{}\"", *fact.outcome, record.b));
  }
  if (!fact.outcome.has_value() || fact.unchecked) {
    fact.unchecked = !MembersSeen(fact);
    const std::string why = fact.unchecked ? "" : WhyNot(record, fact);
    if (!why.empty()) Violation(record, why);
  }
  if (!fact.outcome.has_value()) fact.outcome = record.b;
}

std::string Judge::WhyNot(const Record& record, const Fact& fact) const {
  const std::string wrong = fmt::format("{} with \"{}\"", StateName(record.state), record.b);
  if (record.state == State::kCancelled) {
    if (!fact.settled_by.empty()) return wrong + ", and its settle was acknowledged";
    return fact.cancel_tried ? "" : wrong + ", and nobody cancelled it";
  }
  if (fact.cancelled) return wrong + ", and its cancel was acknowledged";
  if (fact.spec.at_most_once && record.b.starts_with(kInterrupted)) {
    return incarnation_ > fact.first_incarnation ? "" : wrong + ", and no server died meanwhile";
  }
  bool good = false;
  switch (fact.spec.body) {
    case Spec::Body::kEcho:
      good = record.b == "value text:" + fact.spec.value;
      break;
    case Spec::Body::kSleep:
    case Spec::Body::kFile:
    case Spec::Body::kChecksum:
      good = record.state == State::kSucceeded && record.b.starts_with("value ");
      break;
    case Spec::Body::kFail:
      good = record.b.starts_with(fmt::format("error APPLICATION Planned \"{}\"", fact.spec.value));
      break;
    case Spec::Body::kPromise:
      if (!fact.settled_by.empty()) {
        good = record.b == "value text:" + fact.settles.at(fact.settled_by);
      } else {
        good = std::any_of(fact.settles.begin(), fact.settles.end(),
                           [&](const auto& settle) { return record.b == "value text:" + settle.second; });
      }
      break;
    case Spec::Body::kGather:
      return WhyNotGathered(record, fact);
  }
  return good ? "" : wrong + ", which it cannot have come to";
}

bool Judge::MembersSeen(const Fact& fact) const {
  return std::all_of(fact.spec.members.begin(), fact.spec.members.end(), [this](const std::string& key) {
    const auto member = facts_.find(key);
    return member != facts_.end() && member->second.outcome.has_value();
  });
}

std::string Judge::WhyNotGathered(const Record& record, const Fact& fact) const {
  std::string expected = "gathered";
  for (const std::string& key : fact.spec.members) expected += fmt::format(" [{}]", *facts_.at(key).outcome);
  if (record.b == expected) return "";
  return fmt::format("{} with \"{}\", and its members came to \"{}\"", StateName(record.state), record.b, expected);
}

void Judge::OnAttempt(const Record& record, Fact& fact) {
  if (record.attempt == 0 || !fact.spec.is_job()) return;
  if (record.attempt > 1 && fact.attempt <= 1) ++counts_.second_attempts;
  if (fact.spec.at_most_once && record.attempt > 1) {
    Violation(record, fmt::format("may not run twice, and is at attempt {}", record.attempt));
  }
  const uint64_t most = 1 + record.incarnation - fact.first_incarnation;
  if (record.attempt > most) {
    Violation(record, fmt::format("is at attempt {}, and {} servers have lived since", record.attempt, most));
  }
  if (record.attempt < fact.attempt && fact.attempt_at <= record.since) {
    Violation(record, fmt::format("went back from attempt {} to {}", fact.attempt, record.attempt));
  }
  if (record.attempt >= fact.attempt) {
    fact.attempt = record.attempt;
    fact.attempt_at = now_;
  }
  if (record.state != State::kRunning) return;
  if (record.incarnation > fact.running_incarnation && fact.running_incarnation != 0 &&
      record.attempt <= fact.running_attempt) {
    Violation(record, fmt::format("ran as attempt {} when server {} died, and runs as attempt {} now",
                                  fact.running_attempt, fact.running_incarnation, record.attempt));
  }
  if (record.incarnation >= fact.running_incarnation) {
    fact.running_incarnation = record.incarnation;
    fact.running_attempt = record.attempt;
  }
}

void Judge::OnMissing(const Record& record) {
  const Fact* fact = FactOf(record);
  if (fact == nullptr || fact->delete_tried) return;
  if (fact->id.empty()) return Violation(record, "was asked for before it was acknowledged: the test is broken");
  Violation(record, fmt::format("LOST: {} was acknowledged, and is NOT_FOUND now ({})", fact->id, record.a));
}

void Judge::OnDeleted(const Record&, Fact& fact) {
  ++counts_.deletes;
  fact.delete_tried = true;
  if (!fact.deleted) fact.deleted_at = now_;
  fact.deleted = true;
}

void Judge::OnRan(const Record& record) {
  Fact* fact = FactOf(record);
  if (fact == nullptr) return;
  fact->runs = record.number;
  if (fact->spec.at_most_once && fact->runs > 1) {
    Violation(record, fmt::format("may not run twice, and ran {} times", fact->runs));
  }
  if (fact->state == State::kSucceeded && fact->runs == 0) Violation(record, "succeeded, and never ran");
}

void Judge::OnStream(const Record& record) {
  if (record.kind == Kind::kOpened) {
    Stream& stream = streams_[record.key];
    stream.members = KeysOf(record.a);
    stream.delivered_here.clear();
    if (record.number != 0) ++counts_.streams_resumed;
    return;
  }
  const auto found = streams_.find(record.key);
  if (found == streams_.end()) return Violation(record, "a stream that nobody opened: the ledger is broken");
  Stream& stream = found->second;
  if (record.kind == Kind::kItem) {
    if (!stream.members.contains(record.a)) {
      Violation(record, fmt::format("delivered {}, which is not in its set", record.a));
    }
    stream.delivered.insert(record.a);
    if (!stream.delivered_here.insert(record.a).second) {
      Violation(record, fmt::format("delivered {} twice within one stream", record.a));
    }
    return;
  }
  for (const std::string& member : stream.members) {
    if (!stream.delivered.contains(member)) Violation(record, fmt::format("ended and never delivered {}", member));
  }
}

std::vector<Judge::Live> Judge::LiveFutures() const {
  std::vector<Live> live;
  for (const auto& [key, fact] : facts_) {
    if (fact.id.empty() || fact.delete_tried) continue;
    live.push_back({key, fact.id, fact.spec, fact.state != State::kUnspecified});
  }
  std::sort(live.begin(), live.end(), [](const Live& a, const Live& b) { return a.key < b.key; });
  return live;
}

}  // namespace muster::crash
