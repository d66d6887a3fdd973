#include "tests/linearizability/history.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/check.h"

namespace muster::linearizability {

std::string_view CallName(Call call) {
  switch (call) {
    case Call::kSubmit:
      return "submit";
    case Call::kSettle:
      return "settle";
    case Call::kCancel:
      return "cancel";
    case Call::kRead:
      return "read";
  }
  return "";
}

std::string_view ReplyName(Reply reply) {
  switch (reply) {
    case Reply::kLost:
      return "lost";
    case Reply::kCreated:
      return "created";
    case Reply::kRepeated:
      return "repeated";
    case Reply::kReused:
      return "reused";
    case Reply::kSettled:
      return "settled";
    case Reply::kAlreadyDone:
      return "already done";
    case Reply::kCancelled:
      return "cancelled";
    case Reply::kRequested:
      return "requested";
    case Reply::kPending:
      return "pending";
    case Reply::kDone:
      return "done";
    case Reply::kMissing:
      return "missing";
  }
  return "";
}

std::string ToText(const Operation& operation) {
  std::string text = fmt::format("[{}, {}] client {}: {} {}", operation.invoked,
                                 operation.responded == kNever ? "never" : std::to_string(operation.responded),
                                 operation.client, CallName(operation.call), operation.key);
  if (!operation.argument.empty()) text += fmt::format(" \"{}\"", operation.argument);
  if (!operation.request_id.empty()) text += fmt::format(" as {}", operation.request_id);
  text += fmt::format(" -> {}", ReplyName(operation.reply));
  if (!operation.result.empty()) text += fmt::format(" \"{}\"", operation.result);
  return text;
}

size_t Recorder::Invoke(Operation operation, Instant now) {
  operation.invoked = now;
  operation.responded = kNever;
  operation.reply = Reply::kLost;
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void Recorder::Answer(size_t at, Reply reply, std::string result, Instant now) {
  MUSTER_CHECK(at < operations_.size()) << "an operation that was not invoked is answered";
  MUSTER_CHECK(reply != Reply::kLost) << "a lost operation is recorded by Lose";
  operations_[at].reply = reply;
  operations_[at].result = std::move(result);
  operations_[at].responded = now;
}

void Recorder::Lose(size_t at, Instant no_effect_after) {
  MUSTER_CHECK(at < operations_.size()) << "an operation that was not invoked is lost";
  operations_[at].reply = Reply::kLost;
  // A call to a server that is known to be dead ends when it begins.
  operations_[at].responded = std::max(no_effect_after, operations_[at].invoked);
}

void Recorder::Append(const Recorder& other) {
  operations_.insert(operations_.end(), other.operations_.begin(), other.operations_.end());
}

}  // namespace muster::linearizability
