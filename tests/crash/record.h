// What the ledger of a crash run holds: one line for each thing that a client was about to do, was answered, or saw.
//
// A line is written before the call that it announces is made and before anything follows from the answer that it
// reports, so whatever a client knew at any instant is in the file. A later reader, the judge, needs nothing else.
//
// Threading: none; values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::crash {

// What a future is to be. Its key is its request id; name and label follow from the key, so that a future that comes
// back with another's spec is noticed.
struct Spec {
  enum class Body : uint8_t { kEcho, kSleep, kFail, kFile, kChecksum, kPromise, kGather };
  Body body = Body::kEcho;
  bool at_most_once = false;
  bool return_exceptions = false;
  uint32_t delay_ms = 0;
  std::string
      value{};  // echo: the text; sleep: seconds; fail: the message; file: what is written; checksum: KiB of input
  std::vector<std::string> members{};  // keys

  bool is_job() const { return body != Body::kPromise && body != Body::kGather; }
  friend bool operator==(const Spec&, const Spec&) = default;
};

std::string ToText(const Spec& spec);
std::optional<Spec> ParseSpec(std::string_view text);
std::string NameOf(std::string_view key);

// The wire's FutureState.
enum class State : uint8_t {
  kUnspecified = 0,
  kPending = 1,
  kDelayed = 2,
  kQueued = 3,
  kRunning = 4,
  kSucceeded = 5,
  kFailed = 6,
  kCancelled = 7,
};
constexpr bool IsDone(State state) { return state >= State::kSucceeded; }
std::string_view StateName(State state);

struct Record {
  enum class Kind : char {
    kUp = 'U',              // a server answers; `number`: its incarnation, counted from 1
    kDown = 'D',            // it is dead
    kSubmit = 's',          // about to submit `key`; a: the spec
    kAcknowledged = 'a',    // a: the id; number: 0 new, 1 a repetition, 2 not said
    kOther = 'v',           // a submit of `key` with another spec was answered; a: the reason of the refusal or "OK"
    kRefused = 'r',         // a submit, settle or other call on `key` was refused as it must not be; a: why
    kSettle = 't',          // about to settle; a: the request id, b: the value
    kSettled = 'T',         // a: the request id
    kAlreadyDone = 'f',     // the settle was refused: done already; a: its request id
    kCancel = 'c',          // about to cancel
    kCancelAnswered = 'C',  // a: CANCELLED, REQUESTED, ALREADY_DONE or NOT_FOUND
    kSeen = 'o',     // state, attempt; a: name and label, b: the outcome, both empty when they were not in the answer
    kMissing = 'm',  // NOT_FOUND; a: the reason
    kDelete = 'd',   // about to delete
    kDeleted = 'x',
    kForget = 'z',   // nobody will ask for `key` any more
    kRan = 'n',      // number: how often the body is known to have run to its end
    kOpened = 'p',   // an AsCompleted stream; a: the keys of its set, by commas; number: 1 when it resumes
    kItem = 'i',     // the stream `key` delivered a
    kEnded = 'e',    // it said that all were delivered
    kHistory = 'h',  // a: why the history of `key` is not linearizable
    kOverdue = 'w',  // `key` should have ended long ago; a: what was waited for
  };
  Kind kind = Kind::kUp;
  std::string key{};
  std::string a{};
  std::string b{};
  uint64_t number = 0;
  State state = State::kUnspecified;
  uint32_t attempt = 0;
  // Of an answer: which server gave it, and how many records there were when the call was made. What was recorded later
  // happened beside the call, and proves nothing against its answer.
  uint64_t incarnation = 0;
  uint64_t since = 0;

  friend bool operator==(const Record&, const Record&) = default;
};

// Without the line's end.
std::string ToLine(const Record& record);
std::optional<Record> ParseLine(std::string_view line);

}  // namespace muster::crash
