// What several clients did to futures, and what they were told: the input of the linearizability checker.
//
// Nothing here knows of gRPC, threads or clocks: instants are any numbers that only grow (nanoseconds of a machine,
// microseconds of a virtual clock, steps of a simulation), so real clients and a simulation record alike.
//
//   Recorder recorder;
//   const size_t settle = recorder.Invoke({.key = "p1", .call = Call::kSettle, .argument = "42"}, now);
//   ...
//   recorder.Answer(settle, Reply::kSettled, "", later);   // or recorder.Lose(settle, death of the server)
//   const Verdict verdict = Check(recorder.operations());
//
// Threading: none; clients that run at once have a recorder each, joined by Append.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace muster::linearizability {

using Instant = int64_t;
inline constexpr Instant kNever = std::numeric_limits<Instant>::max();

enum class Call : uint8_t {
  kSubmit,  // of a future under a request id: the key
  kSettle,  // of a promise
  kCancel,
  kRead,  // Get, or a Wait that says how the future stands
};

enum class Reply : uint8_t {
  kLost,         // no answer came: it may have been carried out or not
  kCreated,      // submit: a new future
  kRepeated,     // submit: the future that an earlier submit with this request id made
  kReused,       // submit: refused, as the request id stands for another spec
  kSettled,      // settle: now, or by an earlier call with the same request id
  kAlreadyDone,  // settle, cancel: nothing changed
  kCancelled,    // cancel: it is cancelled now
  kRequested,    // cancel: it has been asked to end
  kPending,      // read: not done
  kDone,         // read: done, with the outcome in `result`
  kMissing,      // settle, cancel, read: there is no such future
};

std::string_view CallName(Call call);
std::string_view ReplyName(Reply reply);

// (The braces let a call name only the fields that it gives.)
struct Operation {
  std::string key{};  // which future, in the test's words; histories of different keys are checked apart
  Call call = Call::kRead;
  int client = 0;  // for people
  // submit: the spec; settle: the outcome that it would give; cancel: the outcome of what it cancels at once, empty
  // when that is not known beforehand.
  std::string argument{};
  std::string request_id{};  // settle: makes it repeatable; empty for none
  // submit: a job, which may end by itself, with any outcome, at any time. Otherwise a promise.
  bool job = false;

  Reply reply = Reply::kLost;
  std::string result{};  // submit: the id that was answered; read: the outcome that was seen, never empty
  Instant invoked = 0;
  // When the answer came. Of a lost operation: from then on it can no longer take effect (its server is dead); kNever
  // when nobody knows.
  Instant responded = kNever;
};

// One line, for reports.
std::string ToText(const Operation& operation);

class Recorder {
 public:
  // The operation's place among `operations()`.
  size_t Invoke(Operation operation, Instant now);
  void Answer(size_t at, Reply reply, std::string result, Instant now);
  // No answer came, and none will. What was invoked and never closed is lost too.
  void Lose(size_t at, Instant no_effect_after = kNever);
  void Append(const Recorder& other);

  const std::vector<Operation>& operations() const { return operations_; }

 private:
  std::vector<Operation> operations_;
};

}  // namespace muster::linearizability
