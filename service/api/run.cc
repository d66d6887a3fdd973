// Run: submissions in, completions out. No coroutine an item: each is a CallReceiver that the runtime tells of its end;
// one coroutine a stream writes what has gathered, one message under way at a time, so batches size themselves.
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "service/api/convert.h"
#include "service/api/handlers.h"
#include "service/api/status.h"
#include "service/base/check.h"
#include "service/base/status.h"
#include "service/coro/event.h"
#include "service/coro/scope.h"

namespace muster::api {
namespace {

constexpr size_t kSessionMax = 64;
constexpr uint64_t kDoneBytes = 64;  // of one Done beside its outcome
constexpr uint64_t kAcceptedBytes = 48;
constexpr uint64_t kBesideBytes = 64;

class RunStream final : private ReadReceiver {
 public:
  RunStream(Rpc& rpc, BidiStream<pb::RunRequest, pb::RunResponse>& stream)
      : rpc_(rpc),
        stream_(stream),
        context_(rpc.limits(), rpc.service.registry(), rpc.shared.info.durability, runtime::Namespace()),
        credits_(rpc.limits().run_credits) {}

  coro::Task<absl::Status> Serve();

 private:
  // One submission in flight.
  class Item final : public runtime::CallReceiver {
   public:
    explicit Item(RunStream& stream) : stream_(stream) {}
    void OnAccepted(const runtime::SubmitAnswer& answer) override { stream_.Accepted(*this, answer); }
    void OnRejected(const absl::Status& refusal) override { stream_.Ended(*this, core::Completion(), refusal); }
    void OnDone(core::Completion completion) override { stream_.Ended(*this, std::move(completion), absl::OkStatus()); }

    uint64_t tag = 0;
    core::Token handle = core::kNoToken;
    core::FutureId id;  // once it is accepted
    bool cancel_on_disconnect = false;
    bool cancel_wanted = false;  // asked for before it was accepted

   private:
    RunStream& stream_;
  };
  struct Done {
    uint64_t tag = 0;
    core::Completion completion;
    absl::Status refusal;
  };

  void OnRead(bool ok) override;
  absl::Status Take(pb::RunRequest& message);
  absl::Status Open(pb::RunOpen& open);
  absl::Status Submit(pb::RunRequest::Item& given, const Path& field);
  void CancelTags(const pb::RunRequest& message);
  void SpawnCancel(std::vector<core::FutureId> ids, std::string message);

  void Accepted(Item& item, const runtime::SubmitAnswer& answer);
  void Ended(Item& item, core::Completion completion, absl::Status refusal);
  void PushDone(uint64_t tag, core::Completion completion, absl::Status refusal);
  Item& NewItem(uint64_t tag);

  bool Drained() const { return half_closed_ && in_flight_ == 0; }
  bool SomethingToSend() const { return credits_due_ > 0 || !accepted_.empty() || !done_.empty(); }
  void ReadOn();
  void Fill();
  coro::Task<absl::Status> Deliver();
  coro::Task<void> Leave(bool client_gone);

  Rpc& rpc_;
  BidiStream<pb::RunRequest, pb::RunResponse>& stream_;
  SubmitContext context_;
  pb::FutureOptions defaults_;
  std::string session_;
  bool acknowledge_ = false;
  bool opened_ = false;

  const uint32_t credits_;
  uint32_t credits_due_ = 0;   // to be granted by the next message
  uint32_t in_flight_ = 0;     // from arrival until the Done is in a message
  uint32_t unaccepted_ = 0;    // submitted, and neither accepted nor over
  uint64_t unsent_bytes_ = 0;  // of done_
  bool reading_ = false;
  bool half_closed_ = false;
  bool gone_ = false;     // a write said so
  absl::Status failure_;  // ends the stream

  absl::flat_hash_map<uint64_t, Item*> items_;  // by tag
  std::vector<std::unique_ptr<Item>> free_;
  std::vector<std::pair<uint64_t, core::FutureId>> accepted_;
  std::deque<Done> done_;
  pb::RunResponse message_;  // reused
  coro::Event wake_;
  coro::Scope cancels_{coro::Scope::OnError::kKeepGoing};
};

// --- What comes in --------------------------------------------------------------------------------------------------

void RunStream::OnRead(bool ok) {
  reading_ = false;
  if (ok) {
    failure_ = Take(stream_.incoming());
    if (failure_.ok()) ReadOn();
  } else {
    half_closed_ = true;
    if (!opened_) {
      failure_ = RefuseField(base::Reason::kInvalidField, Path("open"), "is missing; the first message opens a Run");
    }
  }
  wake_.Set();
}

// Past the cap of unsent bytes it stops, and the transport's flow control reaches the client.
void RunStream::ReadOn() {
  if (reading_ || half_closed_ || !failure_.ok()) return;
  if (unsent_bytes_ > rpc_.limits().stream_buffer_bytes_max) return;
  reading_ = true;
  stream_.StartRead(*this);
}

absl::Status RunStream::Take(pb::RunRequest& message) {
  if (message.has_open() == opened_) {
    return RefuseField(base::Reason::kInvalidField, Path("open"),
                       opened_ ? "stands in the first message only" : "is missing; the first message opens a Run");
  }
  if (!opened_) {
    MUSTER_RETURN_IF_ERROR(Open(*message.mutable_open()));
  }
  for (int index = 0; index < message.items_size(); ++index) {
    MUSTER_RETURN_IF_ERROR(Submit(*message.mutable_items(index), Path("items", index)));
  }
  CancelTags(message);
  return absl::OkStatus();
}

absl::Status RunStream::Open(pb::RunOpen& open) {
  MUSTER_ASSIGN_OR_RETURN(context_.ns, rpc_.OpenNamespace(open.namespace_()));
  const Path field("open");
  MUSTER_RETURN_IF_ERROR(CheckText(open.session(), kSessionMax, Path(field, "session")));
  if (!open.defaults().request_id().empty()) {
    const Path defaults_field(field, "defaults");
    return RefuseField(base::Reason::kInvalidField, Path(defaults_field, "request_id"),
                       "would make all items one future; give each its own, or open a session");
  }
  session_ = std::move(*open.mutable_session());
  defaults_ = std::move(*open.mutable_defaults());
  acknowledge_ = open.acknowledge();
  context_.attached = true;
  if (session_.empty()) context_.default_retention = kAttachedRetention;
  opened_ = true;
  credits_due_ = credits_;
  return absl::OkStatus();
}

absl::Status RunStream::Submit(pb::RunRequest::Item& given, const Path& field) {
  if (in_flight_ == credits_) {
    return base::Refuse(base::Reason::kCreditsOverrun,
                        fmt::format("more than {} items are in flight; each credit lasts until its item is over, so "
                                    "wait for completions before sending more",
                                    credits_));
  }
  ++in_flight_;
  if (items_.contains(given.tag())) {
    absl::Status refusal = RefuseField(base::Reason::kInvalidField, Path(field, "tag"),
                                       fmt::format("{} is in flight already; give each item its own", given.tag()));
    PushDone(given.tag(), core::Completion(), std::move(refusal));
    return absl::OkStatus();
  }
  if (!session_.empty()) context_.request_id = fmt::format("{}/{}", session_, given.tag());
  absl::StatusOr<Submission> submission =
      ToSubmit(context_, *given.mutable_future(), &defaults_, Path(field, "future"));
  if (!submission.ok()) {
    PushDone(given.tag(), core::Completion(), submission.status());
    return absl::OkStatus();
  }
  Item& item = NewItem(given.tag());
  item.cancel_on_disconnect = submission->cancel_on_disconnect;
  ++unaccepted_;
  const core::Token handle = rpc_.service.SubmitAttached(std::move(submission->command), &item);
  if (handle != core::kNoToken) item.handle = handle;  // otherwise it is over, and the item another's
  return absl::OkStatus();
}

void RunStream::CancelTags(const pb::RunRequest& message) {
  std::vector<core::FutureId> ids;
  for (const uint64_t tag : message.cancel_tags()) {
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

coro::Task<void> CancelAll(runtime::Service& service, core::NamespaceId ns, std::vector<core::FutureId> ids,
                           std::string message) {
  core::FutureSet set;
  set.ids = std::move(ids);
  // Those that are over meanwhile are no error.
  const auto effects = co_await service.Cancel(ns, std::move(set), std::move(message));
  static_cast<void>(effects);
}

void RunStream::SpawnCancel(std::vector<core::FutureId> ids, std::string message) {
  if (ids.empty()) return;
  cancels_.Spawn(CancelAll(rpc_.service, context_.ns.id, std::move(ids), std::move(message)));
}

// --- What becomes of it ---------------------------------------------------------------------------------------------

RunStream::Item& RunStream::NewItem(uint64_t tag) {
  if (free_.empty()) free_.push_back(std::make_unique<Item>(*this));
  Item* item = free_.back().release();
  free_.pop_back();
  item->tag = tag;
  item->handle = core::kNoToken;
  item->id = core::FutureId();
  item->cancel_on_disconnect = false;
  item->cancel_wanted = false;
  items_.emplace(tag, item);
  return *item;
}

void RunStream::Accepted(Item& item, const runtime::SubmitAnswer& answer) {
  --unaccepted_;
  item.id = answer.id;
  if (acknowledge_) accepted_.emplace_back(item.tag, answer.id);
  if (item.cancel_wanted) {
    std::vector<core::FutureId> ids;
    ids.push_back(answer.id);
    SpawnCancel(std::move(ids), "");
  }
  wake_.Set();
}

void RunStream::Ended(Item& item, core::Completion completion, absl::Status refusal) {
  if (!item.id) --unaccepted_;
  PushDone(item.tag, std::move(completion), std::move(refusal));
  items_.erase(item.tag);
  free_.push_back(std::unique_ptr<Item>(&item));
}

void RunStream::PushDone(uint64_t tag, core::Completion completion, absl::Status refusal) {
  Done& done = done_.emplace_back();
  done.tag = tag;
  done.completion = std::move(completion);
  done.refusal = std::move(refusal);
  unsent_bytes_ += kDoneBytes;
  if (done.completion.outcome != nullptr) unsent_bytes_ += done.completion.outcome->ByteSize();
  wake_.Set();
}

// --- What goes out --------------------------------------------------------------------------------------------------

// As much as fits; the rest goes into the next message.
void RunStream::Fill() {
  message_.Clear();
  message_.set_credits(std::exchange(credits_due_, 0));
  const uint64_t bytes_max = rpc_.limits().message_bytes_max - kBesideBytes;
  const size_t accepted_max = std::min<size_t>(accepted_.size(), bytes_max / 2 / kAcceptedBytes);
  for (size_t index = 0; index < accepted_max; ++index) {
    pb::RunResponse::Accepted& out = *message_.add_accepted();
    out.set_tag(accepted_[index].first);
    out.set_id(accepted_[index].second.ToText());
  }
  accepted_.erase(accepted_.begin(), accepted_.begin() + static_cast<std::ptrdiff_t>(accepted_max));
  if (!accepted_.empty()) return;  // nobody hears of an end before the acceptance
  Room room(bytes_max - accepted_max * kAcceptedBytes, 3);
  while (!done_.empty()) {
    Done& done = done_.front();
    const bool first = message_.done_size() == 0;
    if (!first && room.bytes < 4096) break;
    pb::RunResponse::Done& out = *message_.add_done();
    out.set_tag(done.tag);
    if (done.refusal.ok()) {
      FromCompletionWithOutcome(done.completion, room, *out.mutable_completion());
      if (out.completion().outcome_omitted() && !first) {  // it may fit into a message of its own
        message_.mutable_done()->RemoveLast();
        break;
      }
    } else {
      ToItemStatus(done.refusal, *out.mutable_rejected());
      room.bytes -= std::min<uint64_t>(room.bytes, out.ByteSizeLong());
    }
    room.bytes -= std::min<uint64_t>(room.bytes, 16);
    unsent_bytes_ -= kDoneBytes;
    if (done.completion.outcome != nullptr) unsent_bytes_ -= done.completion.outcome->ByteSize();
    --in_flight_;
    done_.pop_front();
  }
}

coro::Task<absl::Status> RunStream::Deliver() {
  ReadOn();
  for (;;) {
    wake_.Clear();
    if (!failure_.ok()) co_return failure_;
    if (SomethingToSend()) {
      Fill();
      ReadOn();
      gone_ = !co_await stream_.Write(message_);
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
  std::vector<core::FutureId> to_cancel;
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

coro::Task<absl::Status> Run(Rpc& rpc, BidiStream<pb::RunRequest, pb::RunResponse>& stream) {
  const StreamPlace place(rpc);
  MUSTER_CO_RETURN_IF_ERROR(place.status());
  rpc.shared.runs_open.Add();
  RunStream run(rpc, stream);
  absl::Status status = co_await run.Serve();
  rpc.shared.runs_open.Sub();
  co_return status;
}

}  // namespace muster::api
