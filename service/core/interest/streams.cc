#include "service/core/interest/streams.h"

#include <algorithm>
#include <utility>

#include "service/base/check.h"
#include "service/core/completion.h"
#include "service/core/turn.h"

namespace muster::core {
namespace {

// Once, until the reader has found nothing again.
void TellReader(Turn& turn, Stream& stream) {
  if (stream.reader_told) return;
  stream.reader_told = true;
  StreamReady ready;
  ready.token = stream.token;
  turn.Emit(std::move(ready));
}

}  // namespace

void Apply(Turn& turn, const core::AttachStream& command) {
  Resolved resolved = turn.futures.Resolve(command.ns, command.set, command.resume_after.has_value());
  StreamAttached attached;
  attached.token = command.token;
  if (!resolved.refusal.ok()) {
    attached.refusal = std::move(resolved.refusal);
    return turn.Emit(std::move(attached));
  }
  MUSTER_CHECK(command.token != kNoToken) << "a stream needs a token";
  std::vector<Future*>& members = resolved.members;
  attached.members = members.size() + resolved.vanished.size();
  if (command.resume_after) {
    std::erase_if(members, [&](const Future* member) {
      return member->done() && member->completion_sequence <= *command.resume_after;
    });
  }
  auto made = std::make_unique<Stream>();
  Stream& stream = *made;
  stream.token = command.token;
  stream.vanished = std::move(resolved.vanished);
  stream.count = static_cast<uint32_t>(members.size());
  stream.remaining = stream.count + stream.vanished.size();
  stream.links.reset(new StreamLink[stream.count]);
  for (uint32_t at = 0; at < stream.count; ++at) {
    StreamLink& link = stream.links[at];
    link.stream = &stream;
    turn.interest.links.Connect(link, *members[at]);
    if (members[at]->done()) {
      stream.ready.push_back(&link);
    } else {
      ++stream.undone;
    }
  }
  std::sort(stream.ready.begin(), stream.ready.end(), [](const StreamLink* a, const StreamLink* b) {
    return a->member->completion_sequence < b->member->completion_sequence;
  });
  turn.interest.open.Add(command.token, std::move(made));
  turn.Emit(std::move(attached));
  if (stream.undone > 0 && command.deadline <= turn.now) return StreamTimedOut(turn, stream);
  if (stream.undone > 0 && command.deadline != base::kNever) turn.timers.Add(stream, command.deadline);
  if (stream.undone == 0 || !stream.ready.empty() || !stream.vanished.empty()) TellReader(turn, stream);
}

void StreamMemberDone(Turn& turn, StreamLink& link) {
  Stream& stream = *link.stream;
  stream.ready.push_back(&link);
  if (--stream.undone == 0) turn.timers.Remove(stream);
  TellReader(turn, stream);
}

// semantics 40, 41: what was done is still delivered; the rest is let go, not cancelled.
void StreamTimedOut(Turn& turn, Stream& stream) {
  stream.timed_out = true;
  for (uint32_t at = 0; at < stream.count; ++at) {
    StreamLink& link = stream.links[at];
    if (link.member != nullptr && link.hook.linked()) turn.interest.links.Release(link, turn.doomed);
  }
  TellReader(turn, stream);
}

TakenCompletions TakeFrom(Turn& turn, const core::TakeCompletions& query) {
  TakenCompletions taken;
  StreamStatus& status = taken.status;
  Stream* const found = turn.interest.open.FindStream(query.token);
  if (found == nullptr) {
    status.ended = true;
    return taken;
  }
  Stream& stream = *found;
  size_t max = query.max;
  for (; max > 0 && stream.vanished_at < stream.vanished.size(); --max, --stream.remaining) {
    Completion completion;
    completion.id = stream.vanished[stream.vanished_at++];
    completion.state = State::kExpired;
    taken.completions.push_back(std::move(completion));
  }
  for (; max > 0 && stream.ready_at < stream.ready.size(); --max, --stream.remaining) {
    StreamLink& link = *stream.ready[stream.ready_at];
    if (turn.frozen.Hides(*link.member)) break;
    ++stream.ready_at;
    taken.completions.push_back(CompletionOf(turn, *link.member, query.take_outcomes));
    turn.interest.links.Release(link, turn.doomed);
  }
  status.remaining = stream.remaining;
  const bool drained = stream.vanished_at == stream.vanished.size() && stream.ready_at == stream.ready.size();
  if (!drained) return taken;
  status.ended = stream.remaining == 0;
  status.timed_out = stream.timed_out && !status.ended;
  if (status.ended || status.timed_out) {
    CloseStream(turn, stream);
  } else {
    stream.reader_told = false;
    stream.ready.clear();
    stream.ready_at = 0;
  }
  return taken;
}

void CloseStream(Turn& turn, Stream& stream) {
  for (uint32_t at = 0; at < stream.count; ++at) turn.interest.links.Release(stream.links[at], turn.doomed);
  turn.timers.Remove(stream);
  turn.interest.open.Erase(Token(stream.token));
}

void CheckStream(const Stream& stream, ShardStats& seen) {
  for (uint32_t at = 0; at < stream.count; ++at) seen.links += stream.links[at].member != nullptr;
  ++seen.streams;
  seen.timers += stream.armed();
}

}  // namespace muster::core
