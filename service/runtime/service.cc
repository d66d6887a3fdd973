#include "service/runtime/service.h"

#include <utility>

#include "service/base/check.h"
#include "service/base/failpoint.h"
#include "service/base/mutex.h"
#include "service/base/reason.h"
#include "service/runtime/journal/namespace_rows.h"
#include "service/runtime/journal/recovery.h"
#include "service/runtime/journal/thread_committer.h"
#include "service/runtime/service_impl.h"
#include "service/runtime/store.h"

namespace muster::runtime {
namespace {

// Calls `then` with the last of `count` calls.
std::function<void()> AfterAll(size_t count, std::function<void()> then) {
  auto left = std::make_shared<std::atomic<size_t>>(count);
  return [left, then = std::move(then)] {
    if (left->fetch_sub(1, std::memory_order_acq_rel) == 1) then();
  };
}

// What a thread that is no loop's waits for.
class Signal {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  void WaitBlocking() {
    base::MutexLock lock(mutex_);
    while (!set_) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool set_ MUSTER_GUARDED_BY(mutex_) = false;
};

absl::Status ShuttingDown() {
  return base::Refuse(base::Reason::kDraining, "the server is shutting down: ask again when it is back");
}

}  // namespace

Service::Impl::Impl(const Options& o, dispatch::Directory& d, const std::vector<executor::Loop*>& loops,
                    executor::BlockingPool& pool, const base::Clock& c, Observer& obs)
    : options(o),
      directory(d),
      pool_room(pool),
      clock(c),
      observer(obs),
      namespaces(o.limits.namespaces_max),
      admission(o.limits, o.blocking_queue_max, o.shards, namespaces, observer),
      hosts(loops.size(), o.shards),
      recovering(o.store != nullptr) {
  if (options.store != nullptr) OpenJournal();
  const ShardHost::Surroundings surroundings{hosts, admission, namespaces,      directory,  pool_room,
                                             clock, observer,  committer.get(), EachShard()};
  for (size_t i = 0; i < loops.size(); ++i) {
    hosts.Add(std::make_unique<ShardHost>(surroundings, *loops[i], static_cast<uint8_t>(i)));
  }
  // Those wait for no thread, and must not keep others from it.
  admission.NotWaiting([this] {
    uint64_t unserved = 0;
    for (const auto& host : hosts) unserved += host->dispatcher().unserved_blocking();
    return unserved;
  });
}

core::ShardOptions Service::Impl::EachShard() const {
  core::ShardOptions each;
  each.shards = options.shards;
  each.incarnation = options.incarnation;
  each.journaled = committer != nullptr;
  each.nesting_max = options.limits.nesting_max;
  each.undelivered_retention = options.call_retention;
  each.request_ids_max = options.limits.request_ids_max;
  return each;
}

void Service::Impl::OpenJournal() {
  Committer::Options then;
  then.on_commit = [this](base::Duration took, size_t rows, size_t batches) { observer.OnCommit(took, rows, batches); };
  then.on_failure = [this](const absl::Status& failure) {
    admission.SetStoreFailed();
    observer.OnStoreFailed(failure);
    // Loops with nothing under way would not hear of it.
    for (const auto& host : hosts) {
      host->loop().Post([&h = *host] { h.OnJournalFailed(); });
    }
  };
  store::Journal& journal = *options.store->journal;
  const uint32_t epoch = options.store->epoch;
  committer = options.make_committer ? options.make_committer(journal, epoch, std::move(then))
                                     : std::make_unique<ThreadCommitter>(journal, epoch, std::move(then));
  namespaces.ClaimBy([this, &journal](values::NamespaceId id, const std::string& name) {
    return ClaimNamespaceRow(journal, *committer, id, name);
  });
}

Router Service::Impl::Here() const {
  const coro::Executor* here = coro::Executor::Current();
  for (const auto& host : hosts) {
    if (&host->loop() == here) return Router(*host);
  }
  MUSTER_CHECK(false) << "a verb was called from outside the service's loops";
  return Router(hosts.At(0));
}

Service::Service(Options options, dispatch::Directory& directory, std::vector<executor::Loop*> loops,
                 executor::BlockingPool& pool, const base::Clock& clock, Observer& observer)
    : impl_(std::make_unique<Impl>(options, directory, loops, pool, clock, observer)) {}

Service::~Service() = default;

const values::Limits& Service::limits() const { return impl_->options.limits; }
const dispatch::Directory& Service::directory() const { return impl_->directory; }
const base::Clock& Service::clock() const { return impl_->clock; }
Admission& Service::admission() { return impl_->admission; }

absl::StatusOr<values::Namespace> Service::OpenNamespace(std::string_view name) {
  absl::StatusOr<values::Namespace> opened = impl_->namespaces.Open(name);
  if (!opened.ok()) impl_->admission.CountRefused(opened.status());
  return opened;
}

std::string Service::NamespaceName(values::NamespaceId id) const { return impl_->namespaces.Name(id); }
uint64_t Service::NamespaceCount() const { return impl_->namespaces.size(); }
int64_t Service::BytesHeld() const { return impl_->namespaces.BytesHeldByAll(); }
int64_t Service::BytesHeld(values::NamespaceId ns) const { return impl_->namespaces.BytesHeld(ns); }

// --- Beginning -------------------------------------------------------------------------------------------------------

absl::StatusOr<Recovered> Service::Recover() {
  base::Failpoint("recovery.begun");
  absl::StatusOr<Recovered> recovered =
      runtime::Recover(*impl_->options.store, impl_->hosts, impl_->namespaces, impl_->directory, impl_->clock.Now());
  base::Failpoint("recovery.ended");
  return recovered;
}

void Service::Resume() {
  // What the recovery itself has decided (an interrupted job's end, say) is durable before anybody can see it.
  FlushBlocking();
  Open();
}

void Service::Open() {
  impl_->recovering.store(false, std::memory_order_release);
  for (const auto& host : impl_->hosts) {
    host->loop().Post([&h = *host] { h.Resume(); });
  }
}

bool Service::recovering() const { return impl_->recovering.load(std::memory_order_acquire); }
bool Service::store_failed() const { return impl_->admission.store_failed(); }
void Service::SetStoreFull(bool full) { impl_->admission.SetStoreFull(full); }
bool Service::JournalIdle() const { return impl_->committer == nullptr || impl_->committer->idle(); }

// --- End -------------------------------------------------------------------------------------------------------------

void Service::WhenFlushed(std::function<void()> flushed) {
  const std::function<void()> each = AfterAll(impl_->hosts.loops(), std::move(flushed));
  for (const auto& host : impl_->hosts) {
    host->loop().Post([&h = *host, each] { h.Flush(each); });
  }
}

void Service::FlushBlocking() {
  Signal flushed;
  WhenFlushed([&flushed] { flushed.Set(); });
  flushed.WaitBlocking();
}

void Service::WhenJournalClosed(std::function<void()> closed) {
  const std::function<void()> each = AfterAll(impl_->hosts.loops(), std::move(closed));
  for (const auto& host : impl_->hosts) {
    // What happens from here on is recorded no more; what has happened is waited for.
    host->loop().Post([&h = *host, each] { h.release().Close(ShuttingDown(), each); });
  }
}

void Service::StopJournal() {
  if (impl_->committer == nullptr) return;
  Signal closed;
  WhenJournalClosed([&closed] { closed.Set(); });
  closed.WaitBlocking();
  impl_->committer->StopBlocking();
}

void Service::BeginDrain() {
  impl_->admission.BeginDrain();
  for (const auto& host : impl_->hosts) {
    host->loop().Post([&h = *host] { h.Drain(/*last_step=*/false); });
  }
}

void Service::FinishDrain() {
  for (const auto& host : impl_->hosts) {
    host->loop().Post([&h = *host] { h.Drain(/*last_step=*/true); });
  }
}

uint64_t Service::RunningJobs() const {
  uint64_t running = 0;
  for (const auto& host : impl_->hosts) running += host->dispatcher().running();
  return running;
}

Service::Queued Service::QueuedJobs() const {
  Queued queued;
  for (const auto& host : impl_->hosts) {
    queued.for_room += host->dispatcher().waiting();
    queued.unserved += host->dispatcher().unserved();
  }
  return queued;
}

void Service::CancelAllJobs(std::string message) {
  for (const auto& host : impl_->hosts) {
    host->loop().Post([&h = *host, message] {
      // A body that is ended by the end of the server has not ended: it runs again when the server does.
      if (h.journaled()) h.Freeze(ShuttingDown());
      h.dispatcher().CancelAll(message);
    });
  }
}

}  // namespace muster::runtime
