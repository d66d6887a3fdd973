// Run: submissions in, completions out. No coroutine an item: each is a CallReceiver that the runtime tells of its end;
// one coroutine a stream writes what has gathered, one message under way at a time, so batches size themselves. A
// stream that goes on allocates nothing an item but the input; what it needs is kept from message to message.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "service/base/check.h"
#include "service/base/status.h"
#include "service/coro/event.h"
#include "service/coro/scope.h"
#include "service/values/bounds.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"
#include "service/wire/run_codec.h"

namespace muster::verbs {
namespace {

constexpr uint64_t kDoneBytes = 64;  // of one Done beside its outcome
constexpr uint64_t kAcceptedBytes = 48;
constexpr uint64_t kBesideBytes = 64;
constexpr size_t kItemsAtFirst = 256;

class RunStream final : private ReadReceiver {
 public:
  RunStream(Rpc& rpc, ByteStream& stream)
      : rpc_(rpc),
        stream_(stream),
        context_(SubmitContextOf(rpc, values::Namespace())),
        credits_(rpc.service.limits().run_credits),
        reader_(rpc.service.directory(), rpc.service.limits().payload_bytes_max) {}

  coro::Task<absl::Status> Serve();

 private:
  // One submission in flight.
  class Item final : public runtime::CallReceiver {
   public:
    explicit Item(RunStream& stream) : stream_(stream) {}
    void OnAccepted(const runtime::SubmitAnswer& answer) override { stream_.Accepted(*this, answer); }
    void OnRejected(const absl::Status& refusal) override {
      const uint64_t tag_of_it = tag;
      stream_.Release(*this);
      stream_.PushRefusal(tag_of_it, refusal);
    }
    void OnDone(core::Completion completion) override {
      const uint64_t tag_of_it = tag;
      stream_.Release(*this);
      stream_.PushDone(tag_of_it, std::move(completion));
    }

    uint64_t tag = 0;
    core::Token handle = core::kNoToken;
    values::FutureId id;  // once it is accepted
    bool cancel_on_disconnect = false;
    bool cancel_wanted = false;  // asked for before it was accepted

   private:
    RunStream& stream_;
  };
  struct Done {
    uint64_t tag = 0;
    uint64_t bytes = kDoneBytes;
    core::Completion completion;
    absl::Status refusal;
  };

  void OnRead(bool ok) override;
  absl::Status Take(std::string_view message);
  absl::Status Open(pb::RunOpen& open);
  absl::Status Submit(const wire::RunItem& given, int index);
  void Start(Item*& place, uint64_t tag, core::Submit command, bool cancel_on_disconnect);
  void CancelTags();
  void SpawnCancel(std::vector<values::FutureId> ids, std::string message);

  void Accepted(Item& item, const runtime::SubmitAnswer& answer);
  void Release(Item& item);
  void PushDone(uint64_t tag, core::Completion completion);
  void PushRefusal(uint64_t tag, absl::Status refusal);
  Item* NewItem();

  bool Drained() const { return half_closed_ && in_flight_ == 0; }
  bool SomethingToSend() const { return credits_due_ > 0 || !accepted_.empty() || done_at_ < done_.size(); }
  void ReadOn();
  void Fill();
  uint64_t FillAccepted(uint64_t bytes_max);
  bool FillDone(Done& done, bool first, wire::Room& room);
  void ForgetDone();
  coro::Task<absl::Status> Deliver();
  coro::Task<void> Leave(bool client_gone);

  Rpc& rpc_;
  ByteStream& stream_;
  wire::SubmitContext context_;
  pb::FutureOptions defaults_;
  std::string session_;
  bool acknowledge_ = false;
  bool opened_ = false;
  uint64_t messages_read_ = 0;

  const uint32_t credits_;
  uint32_t credits_due_ = 0;   // to be granted by the next message
  uint32_t in_flight_ = 0;     // from arrival until the Done is in a message
  uint32_t unaccepted_ = 0;    // submitted, and neither accepted nor over
  uint64_t unsent_bytes_ = 0;  // of done_, from done_at_ on
  bool reading_ = false;
  bool half_closed_ = false;
  bool gone_ = false;     // a write said so
  absl::Status failure_;  // ends the stream

  absl::flat_hash_map<uint64_t, Item*> items_;  // by tag
  std::vector<std::unique_ptr<Item>> free_;
  std::vector<std::pair<uint64_t, values::FutureId>> accepted_;
  std::vector<Done> done_;  // at most as many as there are credits, and twice that with those that have gone
  size_t done_at_ = 0;      // those before it have gone
  wire::RunRequestReader reader_;
  wire::RunResponseWriter writer_;
  coro::Event wake_;
  coro::Scope cancels_{coro::Scope::OnError::kKeepGoing};
};

// --- What comes in --------------------------------------------------------------------------------------------------

void RunStream::OnRead(bool ok) {
  reading_ = false;
  if (ok) {
    ++messages_read_;
    failure_ = Take(stream_.incoming());
    if (failure_.ok()) ReadOn();
  } else {
    half_closed_ = true;
    if (!opened_) {
      failure_ = wire::RefuseField(base::Reason::kInvalidField, wire::Path("open"),
                                   "is missing; the first message opens a Run");
    }
  }
  wake_.Set();
}

// Past the cap of unsent bytes it stops, and the transport's flow control reaches the client.
void RunStream::ReadOn() {
  if (reading_ || half_closed_ || !failure_.ok()) return;
  if (unsent_bytes_ > rpc_.service.limits().stream_buffer_bytes_max) return;
  reading_ = true;
  stream_.StartRead(*this);
}

absl::Status RunStream::Take(std::string_view message) {
  if (!reader_.Read(message)) {
    return wire::RefuseMalformed(fmt::format("message {} of the stream", messages_read_), "RunRequest", message.size());
  }
  if (reader_.has_open() == opened_) {
    return wire::RefuseField(
        base::Reason::kInvalidField, wire::Path("open"),
        opened_ ? "stands in the first message only" : "is missing; the first message opens a Run");
  }
  if (!opened_) {
    MUSTER_RETURN_IF_ERROR(Open(reader_.open()));
  }
  int index = 0;
  for (const wire::RunItem& item : reader_.items()) MUSTER_RETURN_IF_ERROR(Submit(item, index++));
  if (!reader_.cancel_tags().empty()) CancelTags();
  return absl::OkStatus();
}

absl::Status RunStream::Open(pb::RunOpen& open) {
  MUSTER_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc_, open.namespace_()));
  context_.ns = entry.ns;
  const wire::Path field("open");
  MUSTER_RETURN_IF_ERROR(wire::CheckText(open.session(), values::kSessionMax, wire::Path(field, "session")));
  if (!open.defaults().request_id().empty()) {
    const wire::Path defaults_field(field, "defaults");
    return wire::RefuseField(base::Reason::kInvalidField, wire::Path(defaults_field, "request_id"),
                             "would make all items one future; give each its own, or open a session");
  }
  session_ = std::move(*open.mutable_session());
  defaults_ = std::move(*open.mutable_defaults());
  acknowledge_ = open.acknowledge();
  context_.attached = true;
  if (session_.empty()) context_.default_retention = values::kAttachedRetention;
  reader_.set_plain_calls(wire::AddNothing(defaults_, session_));
  items_.reserve(std::min<size_t>(credits_, kItemsAtFirst));
  opened_ = true;
  credits_due_ = credits_;
  return absl::OkStatus();
}

absl::Status RunStream::Submit(const wire::RunItem& given, int index) {
  if (in_flight_ == credits_) {
    return base::Refuse(base::Reason::kCreditsOverrun,
                        fmt::format("more than {} items are in flight; each credit lasts until its item is over, so "
                                    "wait for completions before sending more",
                                    credits_));
  }
  ++in_flight_;
  const auto [place, is_new] = items_.try_emplace(given.tag, nullptr);
  if (!is_new) {
    const wire::Path field("items", index);
    PushRefusal(given.tag,
                wire::RefuseField(base::Reason::kInvalidField, wire::Path(field, "tag"),
                                  fmt::format("{} is in flight already; give each item its own", given.tag)));
    return absl::OkStatus();
  }
  if (!session_.empty()) {
    const fmt::format_int tag(given.tag);
    context_.request_id.assign(session_).append(1, '/').append(tag.data(), tag.size());
  }
  if (given.plain()) {
    Start(place->second, given.tag, wire::PlainCall(context_, *given.spec.function, wire::InputOf(given.spec)),
          defaults_.cancel_on_disconnect());
    return absl::OkStatus();
  }
  const wire::Path field("items", index);
  absl::StatusOr<wire::Submission> submission =
      wire::ToSubmit(context_, *given.message->mutable_future(), &defaults_, wire::Path(field, "future"));
  if (!submission.ok()) {
    items_.erase(place);
    PushRefusal(given.tag, submission.status());
    return absl::OkStatus();
  }
  Start(place->second, given.tag, std::move(submission->command), submission->cancel_on_disconnect);
  return absl::OkStatus();
}

// `place` is the item's in items_; the submit may end the item at once, and take it away again.
void RunStream::Start(Item*& place, uint64_t tag, core::Submit command, bool cancel_on_disconnect) {
  Item* const item = NewItem();
  item->tag = tag;
  item->cancel_on_disconnect = cancel_on_disconnect;
  place = item;
  ++unaccepted_;
  const core::Token handle = rpc_.service.SubmitAttached(std::move(command), item);
  if (handle != core::kNoToken) item->handle = handle;  // otherwise it is over, and the item another's
}

void RunStream::CancelTags() {
  std::vector<values::FutureId> ids;
  for (const uint64_t tag : reader_.cancel_tags()) {
    const auto found = items_.find(tag);
    if (found == items_.end()) continue;
    if (found->second->id) {
      ids.push_back(found->second->id);
    } else {
      found->second->cancel_wanted = true;
    }
  }
  SpawnCancel(std::move(ids), "");
}

coro::Task<void> CancelAll(runtime::Service& service, values::NamespaceId ns, std::vector<values::FutureId> ids,
                           std::string message) {
  core::FutureSet set;
  set.ids = std::move(ids);
  // Those that are over meanwhile are no error.
  const auto effects = co_await service.Cancel(ns, std::move(set), std::move(message));
  static_cast<void>(effects);
}

void RunStream::SpawnCancel(std::vector<values::FutureId> ids, std::string message) {
  if (ids.empty()) return;
  cancels_.Spawn(CancelAll(rpc_.service, context_.ns.id, std::move(ids), std::move(message)));
}

// --- What becomes of it ---------------------------------------------------------------------------------------------

RunStream::Item* RunStream::NewItem() {
  if (free_.empty()) free_.push_back(std::make_unique<Item>(*this));
  Item* const item = free_.back().release();
  free_.pop_back();
  item->handle = core::kNoToken;
  item->id = values::FutureId();
  item->cancel_wanted = false;
  return item;
}

void RunStream::Accepted(Item& item, const runtime::SubmitAnswer& answer) {
  --unaccepted_;
  item.id = answer.id;
  if (acknowledge_) accepted_.emplace_back(item.tag, answer.id);
  if (item.cancel_wanted) {
    std::vector<values::FutureId> ids;
    ids.push_back(answer.id);
    SpawnCancel(std::move(ids), "");
  }
  wake_.Set();
}

// It is over: it hears no more.
void RunStream::Release(Item& item) {
  if (!item.id) --unaccepted_;
  items_.erase(item.tag);
  free_.push_back(std::unique_ptr<Item>(&item));
}

void RunStream::PushDone(uint64_t tag, core::Completion completion) {
  Done& done = done_.emplace_back();
  done.tag = tag;
  done.completion = std::move(completion);
  if (done.completion.outcome != nullptr) done.bytes += done.completion.outcome->ByteSize();
  unsent_bytes_ += done.bytes;
  wake_.Set();
}

void RunStream::PushRefusal(uint64_t tag, absl::Status refusal) {
  Done& done = done_.emplace_back();
  done.tag = tag;
  done.refusal = std::move(refusal);
  unsent_bytes_ += done.bytes;
  wake_.Set();
}

// --- What goes out --------------------------------------------------------------------------------------------------

// As much as fits; the rest goes into the next message.
void RunStream::Fill() {
  writer_.Clear();
  writer_.Credits(std::exchange(credits_due_, 0));
  const uint64_t bytes_max = rpc_.service.limits().message_bytes_max - kBesideBytes;
  const uint64_t accepted_bytes = FillAccepted(bytes_max / 2);
  if (!accepted_.empty()) return;  // nobody hears of an end before the acceptance
  wire::Room room(bytes_max - accepted_bytes, 3);
  bool first = true;
  while (done_at_ < done_.size()) {
    if (!first && room.bytes < 4096) break;
    if (!FillDone(done_[done_at_], first, room)) break;
    first = false;
    ++done_at_;
  }
  ForgetDone();
}

// The bytes that they may take.
uint64_t RunStream::FillAccepted(uint64_t bytes_max) {
  const size_t count = std::min<size_t>(accepted_.size(), bytes_max / kAcceptedBytes);
  for (size_t index = 0; index < count; ++index) writer_.Accepted(accepted_[index].first, accepted_[index].second);
  accepted_.erase(accepted_.begin(), accepted_.begin() + static_cast<std::ptrdiff_t>(count));
  return count * kAcceptedBytes;
}

// False when it had better wait for the next message.
bool RunStream::FillDone(Done& done, bool first, wire::Room& room) {
  if (done.refusal.ok()) {
    // What does not fit here may fit into a message of its own.
    const wire::OnOverflow on_overflow = first ? wire::OnOverflow::kOmitOutcome : wire::OnOverflow::kWriteNothing;
    if (!writer_.Completed(done.tag, done.completion, room, on_overflow)) return false;
  } else {
    writer_.Rejected(done.tag, done.refusal, room);
  }
  room.bytes -= std::min<uint64_t>(room.bytes, 16);
  unsent_bytes_ -= done.bytes;
  --in_flight_;
  done.completion.outcome.reset();  // what is counted no more is held no more
  return true;
}

// Those that have gone, once they are all or the larger part.
void RunStream::ForgetDone() {
  if (done_at_ < done_.size() && done_at_ < done_.size() / 2) return;
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(std::exchange(done_at_, 0)));
}

coro::Task<absl::Status> RunStream::Deliver() {
  ReadOn();
  for (;;) {
    wake_.Clear();
    if (!failure_.ok()) co_return failure_;
    if (SomethingToSend()) {
      Fill();
      ReadOn();
      const std::string_view message = writer_.bytes();
      gone_ = !co_await stream_.Write(message);
      if (gone_) co_return absl::CancelledError("the client went away");
      MUSTER_CO_RETURN_IF_ERROR(rpc_.token.TakePending());
      continue;
    }
    if (Drained()) co_return absl::OkStatus();
    MUSTER_CO_RETURN_IF_ERROR(co_await wake_.Wait(rpc_.token));
  }
}

// Lets go of everything in flight. Futures live on, but for those that asked not to when the client has gone.
coro::Task<void> RunStream::Leave(bool client_gone) {
  stream_.LeaveReads();
  failure_ = absl::CancelledError();  // what is read from now on is nobody's
  coro::CancelToken uncancelled;
  const auto wants_cancel = [](const auto& entry) { return entry.second->cancel_on_disconnect; };
  if (client_gone && std::any_of(items_.begin(), items_.end(), wants_cancel)) {
    // An item has an id to cancel once it is accepted, which comes soon and from no client.
    while (unaccepted_ > 0) {
      wake_.Clear();
      const absl::Status woken = co_await wake_.Wait(uncancelled);
      MUSTER_CHECK(woken.ok());
    }
  }
  std::vector<values::FutureId> to_cancel;
  for (const auto& [tag, item] : items_) {
    rpc_.service.DetachAttached(item->handle);
    if (client_gone && item->cancel_on_disconnect) to_cancel.push_back(item->id);
    free_.push_back(std::unique_ptr<Item>(item));
  }
  items_.clear();
  SpawnCancel(std::move(to_cancel), "the client went away");
  const absl::Status joined = co_await cancels_.Join(uncancelled);
  static_cast<void>(joined);
}

coro::Task<absl::Status> RunStream::Serve() {
  absl::Status status = co_await Deliver();
  const bool client_gone = gone_ || rpc_.client_gone;
  co_await Leave(client_gone);
  co_return status;
}

}  // namespace

coro::Task<absl::Status> Run(Rpc& rpc, ByteStream& stream) {
  MUSTER_CO_ASSIGN_OR_RETURN(const runtime::StreamPermit place, rpc.service.admission().TryStream());
  rpc.shared.runs_open.Add();
  RunStream run(rpc, stream);
  absl::Status status = co_await run.Serve();
  rpc.shared.runs_open.Sub();
  co_return status;
}

}  // namespace muster::verbs
