// asyncio.as_completed: each member once, in order of completion (semantics 37-42).
#include <algorithm>

#include "service/base/check.h"
#include "service/core/detail/shard_impl.h"

namespace muster::core {

void Shard::Impl::AttachStream(const core::AttachStream& command) {
  Resolved resolved = Resolve(command.ns, command.set, command.resume_after.has_value());
  StreamAttached attached;
  attached.token = command.token;
  if (!resolved.refusal.ok()) {
    attached.refusal = std::move(resolved.refusal);
    return Emit(std::move(attached));
  }
  MUSTER_CHECK(command.token != kNoToken) << "a stream needs a token";
  std::vector<Future*>& members = resolved.members;
  attached.members = members.size() + resolved.vanished.size();
  if (command.resume_after) {
    std::erase_if(members, [&](const Future* member) {
      return member->done() && member->completion_sequence <= *command.resume_after;
    });
  }
  auto* stream = new Stream;
  stream->token = command.token;
  stream->vanished = std::move(resolved.vanished);
  stream->count = static_cast<uint32_t>(members.size());
  stream->remaining = stream->count + stream->vanished.size();
  stream->links.reset(new StreamLink[stream->count]);
  for (uint32_t at = 0; at < stream->count; ++at) {
    StreamLink& link = stream->links[at];
    link.stream = stream;
    Connect(link, *members[at]);
    if (members[at]->done()) {
      stream->ready.push_back(&link);
    } else {
      ++stream->undone;
    }
  }
  std::sort(stream->ready.begin(), stream->ready.end(), [](const StreamLink* a, const StreamLink* b) {
    return a->member->completion_sequence < b->member->completion_sequence;
  });
  ++streams_;
  Open(command.token, Opened::Kind::kStream, stream);
  Emit(std::move(attached));
  if (stream->undone > 0 && command.deadline <= now_) return StreamTimedOut(*stream);
  if (stream->undone > 0 && command.deadline != base::kNever) timers_.Add(stream->timer, command.deadline);
  if (stream->undone == 0 || !stream->ready.empty() || !stream->vanished.empty()) TellReader(*stream);
}

void Shard::Impl::StreamMemberDone(StreamLink& link) {
  Stream& stream = *link.stream;
  stream.ready.push_back(&link);
  if (--stream.undone == 0) timers_.Remove(stream.timer);
  TellReader(stream);
}

// semantics 40, 41: what was done is still delivered; the rest is let go, not cancelled.
void Shard::Impl::StreamTimedOut(Stream& stream) {
  stream.timed_out = true;
  for (uint32_t at = 0; at < stream.count; ++at) {
    StreamLink& link = stream.links[at];
    if (link.member != nullptr && link.hook.linked()) Release(link);
  }
  TellReader(stream);
}

// Once, until the reader has found nothing again.
void Shard::Impl::TellReader(Stream& stream) {
  if (stream.reader_told) return;
  stream.reader_told = true;
  StreamReady ready;
  ready.token = stream.token;
  Emit(std::move(ready));
}

StreamStatus Shard::Impl::TakeCompletions(Token token, size_t max, bool take_outcomes, std::vector<Completion>& out) {
  StreamStatus status;
  const auto found = open_.find(token);
  if (found == open_.end() || found->second.kind != Opened::Kind::kStream) {
    status.ended = true;
    return status;
  }
  Stream& stream = *static_cast<Stream*>(found->second.what);
  for (; max > 0 && stream.vanished_at < stream.vanished.size(); --max, --stream.remaining) {
    Completion completion;
    completion.id = stream.vanished[stream.vanished_at++];
    completion.state = State::kExpired;
    out.push_back(std::move(completion));
  }
  for (; max > 0 && stream.ready_at < stream.ready.size(); --max, --stream.remaining) {
    StreamLink& link = *stream.ready[stream.ready_at];
    if (frozen() && Unsaved(*link.member)) break;
    ++stream.ready_at;
    out.push_back(CompletionOf(*link.member, take_outcomes));
    Release(link);
  }
  status.remaining = stream.remaining;
  const bool drained = stream.vanished_at == stream.vanished.size() && stream.ready_at == stream.ready.size();
  if (!drained) return status;
  status.ended = stream.remaining == 0;
  status.timed_out = stream.timed_out && !status.ended;
  if (status.ended || status.timed_out) {
    CloseStream(stream);
  } else {
    stream.reader_told = false;
    stream.ready.clear();
    stream.ready_at = 0;
  }
  return status;
}

void Shard::Impl::CloseStream(Stream& stream) {
  for (uint32_t at = 0; at < stream.count; ++at) Release(stream.links[at]);
  timers_.Remove(stream.timer);
  open_.erase(stream.token);
  --streams_;
  delete &stream;
}

}  // namespace muster::core
