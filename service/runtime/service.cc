#include "service/runtime/service.h"

#include <utility>
#include <variant>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/rows/rows.h"
#include "service/runtime/answer.h"
#include "service/runtime/call.h"
#include "service/runtime/committer.h"
#include "service/runtime/service_impl.h"
#include "service/runtime/store.h"
#include "service/runtime/stream.h"
#include "service/runtime/submission.h"
#include "service/runtime/wait.h"

namespace muster::runtime {
namespace {

// None left is a poll, whatever a shard's clock says (semantics 28).
base::Instant DeadlineAfter(ShardRunner& here, base::Duration timeout) {
  return timeout <= base::Duration::zero() ? base::Instant::min() : base::Later(here.ReadTime(), timeout);
}

// For one who awaits what it submits. A job that can't be submitted again is nobody else's, so it goes with its
// delivery; anything else stays for the retention that was asked for: it has a request id to be found by, or an outcome
// that only Gather can bring.
void Attach(const Shared& shared, core::Submit& command) {
  command.attach = true;
  const bool repeatable = command.options != nullptr && !command.options->request_id.empty();
  command.drop_when_delivered = !repeatable && std::holds_alternative<values::JobSpec>(command.spec);
  if (command.drop_when_delivered) command.retention = shared.options.call_retention;
}

}  // namespace

Service::Impl::Impl(const Options& options, dispatch::Directory& directory, const std::vector<executor::Loop*>& loops,
                    executor::BlockingPool& pool, const base::Clock& clock, Observer& observer)
    : shared(options, directory, pool, clock, observer, loops.size()) {
  MUSTER_CHECK(!loops.empty() && loops.size() <= options.shards) << loops.size() << " loops";
  if (shared.store != nullptr) OpenJournal();
  for (size_t i = 0; i < loops.size(); ++i) {
    shared.runners.push_back(std::make_unique<ShardRunner>(shared, *loops[i], static_cast<uint8_t>(i)));
  }
}

void Service::Impl::OpenJournal() {
  Committer::Options options;
  options.on_commit = [this](base::Duration took, size_t rows, size_t batches) {
    shared.observer.OnCommit(took, rows, batches);
  };
  options.on_failure = [this](const absl::Status& failure) {
    shared.store_failed.store(true, std::memory_order_release);
    shared.observer.OnStoreFailed(failure);
    // Loops with nothing under way would not hear of it.
    for (auto& runner : shared.runners) {
      runner->loop().Post([&r = *runner] { r.OnJournalFailed(); });
    }
  };
  shared.committer = std::make_unique<Committer>(*shared.store->journal, shared.store->epoch, std::move(options));
  // Before anybody knows the namespace: so its row is written before any that names it.
  shared.namespaces.OnMade([this](values::NamespaceId id, const std::string& name) {
    auto batch = std::make_unique<store::Batch>();
    std::string key, value;
    rows::NamespaceKey(id, key);
    rows::EncodeName(name, value);
    batch->Put(key, value);
    shared.committer->Write(std::move(batch));
  });
}

ShardRunner& Service::Impl::Here() {
  const coro::Executor* here = coro::Executor::Current();
  for (auto& runner : shared.runners) {
    if (&runner->loop() == here) return *runner;
  }
  MUSTER_CHECK(false) << "a verb was called from outside the service's loops";
  return *shared.runners.front();
}

absl::Status Service::Impl::Refused(base::Reason reason, const std::string& message, std::string_view field) {
  shared.observer.OnRefused(reason);
  return base::Refuse(reason, message, field);
}

Service::Service(Options options, dispatch::Directory& directory, std::vector<executor::Loop*> loops,
                 executor::BlockingPool& pool, const base::Clock& clock, Observer& observer)
    : impl_(std::make_unique<Impl>(options, directory, loops, pool, clock, observer)) {}

Service::~Service() = default;

const values::Limits& Service::limits() const { return impl_->shared.options.limits; }
const dispatch::Directory& Service::directory() const { return impl_->shared.directory; }
const base::Clock& Service::clock() const { return impl_->shared.clock; }

absl::StatusOr<values::Namespace> Service::OpenNamespace(std::string_view name) {
  absl::StatusOr<values::Namespace> opened = impl_->shared.namespaces.Open(name);
  if (!opened.ok()) {
    if (const auto reason = base::ReasonOf(opened.status())) impl_->shared.observer.OnRefused(*reason);
  }
  return opened;
}

std::string Service::NamespaceName(values::NamespaceId id) const { return impl_->shared.namespaces.Name(id); }
uint64_t Service::NamespaceCount() const { return impl_->shared.namespaces.size(); }
int64_t Service::BytesHeld() const { return impl_->shared.namespaces.BytesHeldByAll(); }
int64_t Service::BytesHeld(values::NamespaceId ns) const { return impl_->shared.namespaces.BytesHeld(ns); }

coro::Task<absl::StatusOr<SubmitAnswer>> Service::Submit(core::Submit command) {
  co_return co_await SubmitOn(impl_->Here(), std::move(command));
}

coro::Task<absl::StatusOr<core::Completion>> Service::Call(core::Submit command, coro::CancelToken& token,
                                                           bool cancel_on_disconnect) {
  ShardRunner& here = impl_->Here();
  Shared& shared = impl_->shared;
  if (absl::Status room = Admit(shared, command); !room.ok()) co_return room;
  const int64_t waiters = shared.usage.waiters.fetch_add(1, std::memory_order_relaxed);
  if (waiters >= static_cast<int64_t>(limits().waiters_max)) {
    shared.usage.waiters.fetch_sub(1, std::memory_order_relaxed);
    co_return impl_->Refused(base::Reason::kTooManyWaiters,
                             fmt::format("{} calls wait already, and the limit is {}: retry later, or submit and wait "
                                         "for many at once",
                                         waiters, limits().waiters_max));
  }
  shared.observer.OnWait(1, 1);
  CallAnswer answer(here, token);
  command.token = answer.request();
  Attach(shared, command);
  const values::ShardIndex shard = PlaceFor(here, command);
  const values::NamespaceId ns = command.ns;
  here.Send(shard, std::move(command));
  absl::Status resumed = co_await answer;
  shared.usage.waiters.fetch_sub(1, std::memory_order_relaxed);
  shared.observer.OnWait(-1, 1);
  // A cancel that came while the submit was under way ends the wait without a CancelledError of its own.
  const bool left = !resumed.ok() || token.cancelling() > 0;
  if (!answer.refusal().ok() && !left) {
    CountRefused(shared, answer.refusal());
    co_return answer.refusal();
  }
  if (resumed.ok() && answer.has_completion()) co_return std::move(answer.completion());
  core::Detach detach;
  detach.token = answer.request();
  here.Send(shard, detach);
  if (cancel_on_disconnect && answer.id()) {
    core::Cancel cancel;
    cancel.ns = ns;
    cancel.set.ids.push_back(answer.id());
    cancel.message = "the caller went away";
    here.Send(TargetShard(shared, answer.id()), std::move(cancel));
  }
  co_return absl::CancelledError(token.message());
}

core::Token Service::SubmitAttached(core::Submit command, CallReceiver* receiver) {
  ShardRunner& here = impl_->Here();
  if (absl::Status room = Admit(impl_->shared, command); !room.ok()) {
    receiver->OnRejected(room);
    return core::kNoToken;
  }
  const values::ShardIndex shard = PlaceFor(here, command);
  auto* call = new AttachedCall(here, shard, receiver);
  bool ended = false;
  call->set_ended_flag(&ended);
  const core::Token token = call->request();
  command.token = token;
  Attach(impl_->shared, command);
  here.Send(shard, std::move(command));
  if (ended) return core::kNoToken;
  call->set_ended_flag(nullptr);
  return token;
}

void Service::DetachAttached(core::Token handle) {
  ShardRunner& here = impl_->Here();
  auto* call = static_cast<AttachedCall*>(here.requests().Find(handle));
  if (call == nullptr) return;
  core::Detach detach;
  detach.token = handle;
  here.Send(call->shard(), detach);
  delete call;
}

coro::Task<absl::StatusOr<WaitAnswer>> Service::Wait(values::NamespaceId ns, core::FutureSet set,
                                                     values::ReturnWhen return_when,
                                                     std::optional<base::Duration> timeout, bool take_outcomes,
                                                     coro::CancelToken& token) {
  ShardRunner& here = impl_->Here();
  Shared& shared = impl_->shared;
  const base::Instant deadline = timeout.has_value() ? DeadlineAfter(here, *timeout) : base::kNever;
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  if (shared.draining.load(std::memory_order_relaxed)) {
    co_return impl_->Refused(base::Reason::kDraining, "the server is shutting down: wait again when it is back");
  }
  const auto members = static_cast<int64_t>(ids->size());
  const int64_t waiters = shared.usage.waiters.fetch_add(1, std::memory_order_relaxed);
  const int64_t all_members = shared.usage.wait_members.fetch_add(members, std::memory_order_relaxed) + members;
  absl::StatusOr<WaitAnswer> result;
  if (waiters >= static_cast<int64_t>(limits().waiters_max) ||
      all_members > static_cast<int64_t>(limits().wait_members_max)) {
    result =
        impl_->Refused(base::Reason::kTooManyWaiters,
                       fmt::format("{} calls wait already for {} futures; the limits are {} and {}: retry later, "
                                   "or wait for fewer at once",
                                   waiters, all_members - members, limits().waiters_max, limits().wait_members_max));
  } else {
    shared.observer.OnWait(1, members);
    MergedWait wait(here, token, ns, SplitByShard(shared, *ids), return_when, deadline, take_outcomes);
    wait.Attach();
    absl::Status resumed = co_await wait;
    if (resumed.ok()) {
      result = wait.TakeAnswer();
    } else {
      result = std::move(resumed);
    }
    shared.observer.OnWait(-1, members);
  }
  shared.usage.waiters.fetch_sub(1, std::memory_order_relaxed);
  shared.usage.wait_members.fetch_sub(members, std::memory_order_relaxed);
  co_return result;
}

coro::Task<absl::StatusOr<std::unique_ptr<CompletionStream>>> Service::AsCompleted(values::NamespaceId ns,
                                                                                   core::FutureSet set,
                                                                                   StreamOptions options) {
  ShardRunner& here = impl_->Here();
  Shared& shared = impl_->shared;
  const base::Instant deadline = options.bounded ? DeadlineAfter(here, options.timeout) : base::kNever;
  const uint64_t set_hash = HashOfSet(set);
  std::optional<ResumeToken> resume;
  if (!options.resume_token.empty()) {
    resume = ResumeToken::Parse(options.resume_token);
    if (!resume.has_value() || resume->set_hash != set_hash) {
      co_return impl_->Refused(base::Reason::kInvalidResumeToken,
                               "resume_token: not a token that an AsCompleted over this very set has given; start "
                               "without one, or with the same ids or group",
                               "resume_token");
    }
  }
  std::vector<values::FutureId> ids;
  if (!set.ids.empty() || !set.group.empty()) {
    absl::StatusOr<std::vector<values::FutureId>> resolved = co_await impl_->Resolve(ns, std::move(set));
    // A group that has nobody (any more) is an iteration that ends at once (semantics 37).
    const bool none = base::ReasonOf(resolved.status()) == base::Reason::kEmptySet;
    if (!resolved.ok() && !none) co_return resolved.status();
    if (resolved.ok()) ids = *std::move(resolved);
  }
  if (shared.draining.load(std::memory_order_relaxed)) {
    co_return impl_->Refused(base::Reason::kDraining, "the server is shutting down: resume when it is back");
  }
  const int64_t open =
      (options.as_waiter ? shared.usage.waiters : shared.usage.streams).load(std::memory_order_relaxed);
  const uint32_t open_max = options.as_waiter ? limits().waiters_max : limits().streams_max;
  const int64_t members = shared.usage.wait_members.load(std::memory_order_relaxed) + static_cast<int64_t>(ids.size());
  if (open >= static_cast<int64_t>(open_max) || members > static_cast<int64_t>(limits().wait_members_max)) {
    co_return impl_->Refused(
        options.as_waiter || open < static_cast<int64_t>(open_max) ? base::Reason::kTooManyWaiters
                                                                   : base::Reason::kTooManyStreams,
        fmt::format("{} {} are open already, over {} futures; the limits are {} and {}: close some, or take fewer at "
                    "once",
                    open, options.as_waiter ? "waits" : "streams", members - static_cast<int64_t>(ids.size()), open_max,
                    limits().wait_members_max));
  }
  auto stream = std::make_unique<MergedStream>(here, ns, SplitByShard(shared, ids), deadline, options.take_outcomes,
                                               set_hash, resume.has_value() ? &*resume : nullptr, options.as_waiter);
  absl::Status attached = co_await stream->Attach();
  if (!attached.ok()) co_return attached;
  co_return std::unique_ptr<CompletionStream>(std::move(stream));
}

void Service::BeginDrain() {
  impl_->shared.draining.store(true, std::memory_order_relaxed);
  for (auto& runner : impl_->shared.runners) {
    runner->loop().Post([&r = *runner] { r.Drain(/*last_step=*/false); });
  }
}

void Service::FinishDrain() {
  for (auto& runner : impl_->shared.runners) {
    runner->loop().Post([&r = *runner] { r.Drain(/*last_step=*/true); });
  }
}

uint64_t Service::RunningJobs() const {
  uint64_t running = 0;
  for (const auto& runner : impl_->shared.runners) running += runner->dispatcher().running();
  return running;
}

Service::Queued Service::QueuedJobs() const {
  Queued queued;
  for (const auto& runner : impl_->shared.runners) {
    queued.for_room += runner->dispatcher().waiting();
    queued.unserved += runner->dispatcher().unserved();
  }
  return queued;
}

void Service::CancelAllJobs(std::string message) {
  for (auto& runner : impl_->shared.runners) {
    runner->loop().Post([&r = *runner, message] {
      // A body that is ended by the end of the server has not ended: it runs again when the server does.
      if (r.shared().store != nullptr) {
        r.Freeze(base::Refuse(base::Reason::kDraining, "the server is shutting down: ask again when it is back"));
      }
      r.dispatcher().CancelAll(message);
    });
  }
}

}  // namespace muster::runtime
