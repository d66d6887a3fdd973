// Decides from the records of a run alone whether the server kept its word.
//
// It knows each future by what clients did and were told. Promises that it holds the server to, with the number of
// their sentence in docs/reference/semantics.md: a request id stands for one future (102), an acknowledged submit,
// settle or cancel survives (102), an outcome that was seen never changes (101), a body that must not run twice does
// not, and the others are told how often they were started (103), a gather's results are its members', a stream that is
// taken up again loses nobody.
//
// Threading: none; who records from several threads holds a lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/crash/record.h"

namespace muster::crash {

class Judge {
 public:
  struct Counts {
    uint64_t acknowledged = 0;  // futures whose submit was acknowledged
    uint64_t repetitions = 0;   // submits that the server recognised as such
    uint64_t outcomes = 0;      // futures seen done
    uint64_t sights = 0;        // times that anything was seen of any
    uint64_t settles = 0, cancels = 0, deletes = 0;
    uint64_t interrupted = 0;  // at-most-once jobs that a kill ended
    uint64_t second_attempts = 0;
    uint64_t gathers = 0;
    uint64_t streams_resumed = 0;
    uint64_t reuses_refused = 0;
  };

  // Everything happens in the order of the calls.
  void Take(const Record& record);
  // Records so far: what a call that starts now writes into Record::since.
  uint64_t now() const { return now_; }

  const std::vector<std::string>& violations() const { return violations_; }
  const Counts& counts() const { return counts_; }
  // Of acknowledged futures that were not deleted: what a store must still hold.
  struct Live {
    std::string key;
    std::string id;
    Spec spec;
    bool done = false;
  };
  std::vector<Live> LiveFutures() const;

 private:
  struct Fact {
    Spec spec;
    std::string id;  // empty: never acknowledged
    uint64_t acknowledged_at = 0;
    uint64_t first_incarnation = 0;
    bool cancel_tried = false;
    bool cancelled = false;  // acknowledged as CANCELLED
    uint64_t cancelled_at = 0;
    std::map<std::string, std::string> settles;  // tried: value by request id
    std::string settled_by;                      // acknowledged
    uint64_t settled_at = 0;
    State state = State::kUnspecified;  // once done: how
    std::optional<std::string> outcome;
    uint64_t done_at = 0;
    bool unchecked = false;  // a gather that was seen done before its members were
    uint32_t attempt = 0;
    uint64_t attempt_at = 0;
    uint32_t running_attempt = 0;
    uint64_t running_incarnation = 0;
    uint64_t runs = 0;
    bool delete_tried = false;
    bool deleted = false;
    uint64_t deleted_at = 0;
  };
  struct Stream {
    std::set<std::string> members;
    std::set<std::string> delivered;       // over all that continue each other
    std::set<std::string> delivered_here;  // by the present one
  };

  void Violation(const Record& record, const std::string& what);
  Fact* FactOf(const Record& record);
  void OnSubmit(const Record& record);
  void OnAcknowledged(const Record& record);
  void OnOther(const Record& record);
  void OnSettled(const Record& record);
  void OnAlreadyDone(const Record& record);
  void OnCancelAnswered(const Record& record);
  void OnSeen(const Record& record);
  void OnSeenDone(const Record& record, Fact& fact);
  void OnAttempt(const Record& record, Fact& fact);
  void OnMissing(const Record& record);
  void OnRan(const Record& record);
  void OnStream(const Record& record);
  void OnDeleted(const Record& record, Fact& fact);
  // Empty when `record` may be how the future ended, else why not.
  std::string WhyNot(const Record& record, const Fact& fact) const;
  std::string WhyNotGathered(const Record& record, const Fact& fact) const;
  bool MembersSeen(const Fact& fact) const;

  uint64_t now_ = 0;
  uint64_t incarnation_ = 0;
  std::unordered_map<std::string, Fact> facts_;
  std::unordered_map<std::string, Stream> streams_;
  std::unordered_set<uint64_t> ids_;  // hashes of all ids ever; texts of millions would fill the memory
  std::vector<std::string> violations_;
  Counts counts_;
};

}  // namespace muster::crash
