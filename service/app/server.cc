#include "service/app/server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "service/app/admin_routes.h"
#include "service/app/gauges.h"
#include "service/app/observer.h"
#include "service/app/settings/cgroup.h"
#include "service/app/settings/logging.h"
#include "service/app/signals.h"
#include "service/app/store_watch.h"
#include "service/app/tls.h"
#include "service/app/version.h"
#include "service/base/log.h"
#include "service/base/options/host_port.h"
#include "service/base/options/value_text.h"
#include "service/base/status.h"
#include "service/dispatch/directory.h"
#include "service/executor/blocking_pool.h"
#include "service/executor/manual_time.h"
#include "service/executor/reactor.h"
#include "service/executor/watchdog.h"
#include "service/grpc/log.h"
#include "service/grpc/server.h"
#include "service/http/admin_pages.h"
#include "service/http/listener.h"
#include "service/http/router.h"
#include "service/jobs/registry.h"
#include "service/metrics/metrics.h"
#include "service/runtime/service.h"
#include "service/runtime/store.h"
#include "service/store/rocks_journal.h"

namespace muster::app {
namespace {

// After the grace: how long cancelled bodies, open calls and blocking threads may take to end.
constexpr base::Duration kCancelledBodies = std::chrono::seconds(2);
constexpr base::Duration kOpenCalls = std::chrono::seconds(5);
constexpr base::Duration kBlockingThreads = std::chrono::seconds(2);

base::Durability DurabilityOf(const Config& config) {
  if (config.durability == "sync") return base::Durability::kSync;
  return config.durability == "async" ? base::Durability::kAsync : base::Durability::kNone;
}

std::string RandomHex(int digits) {
  std::random_device random;
  std::string text;
  while (static_cast<int>(text.size()) < digits) text += fmt::format("{:x}", random() & 0xf);
  return text;
}

// Raised by each start: seconds since 2020. What runs within one second has one incarnation, hence WaitForNextSecond.
uint32_t IncarnationAt(base::Instant now) {
  return static_cast<uint32_t>(now.time_since_epoch() / std::chrono::seconds(1) - 1'577'836'800);
}

// A file that others wait for appears with all its content or not at all.
absl::Status WriteFileAtOnce(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  std::FILE* file = std::fopen(temporary.c_str(), "we");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(fmt::format("ready_file: can't write {}: {}", path, std::strerror(errno)));
  }
  return absl::OkStatus();
}

// Everything that runs, in the order in which it may refer to what stands above it; it ends the other way round.
class Assembly {
 public:
  explicit Assembly(const Config& config) : config_(config) {}

  absl::Status Start(const AddFunctions& add);
  int WaitForSignal() { return signals_.WaitBlocking(); }
  void Drain(int signal);

 private:
  absl::Status AddAllFunctions(const AddFunctions& add);
  absl::Status StartAdmin();
  void MakeLoops();
  void MakePool();
  absl::Status OpenJournal();
  void MakeService();
  absl::Status Recover();
  void WatchStore();
  void OnStoreFailed(const absl::Status& failure);
  bool durable() const { return journal_ != nullptr; }
  void WatchLoops();
  absl::Status SayReady();
  bool JobsEndWithin(base::Duration limit);
  base::Instant RealNow() const { return real_time_.Now(); }

  const Config& config_;
  const base::SystemClock real_time_;
  const base::Instant started_ = real_time_.Now();
  SignalWatcher signals_;
  metrics::Metrics metrics_;
  std::unique_ptr<metrics::Registry::Collector> process_;
  base::ManualClock manual_clock_;
  const base::Clock& clock_ = config_.clock == "manual" ? static_cast<const base::Clock&>(manual_clock_) : real_time_;
  int cpus_ = 1;
  uint32_t threads_ = 0;
  std::atomic<const char*> not_ready_{"starting"};  // null: ready; stored by main, read by the admin listener
  std::unique_ptr<TlsFiles> tls_;
  std::unique_ptr<grpc_front::Server> server_;
  std::unique_ptr<executor::Reactor> reactor_;
  std::unique_ptr<jobs::Registry> registry_;
  dispatch::Directory directory_;
  std::unique_ptr<executor::BlockingPool> pool_;
  std::unique_ptr<MetricsObserver> observer_;
  std::unique_ptr<store::Journal> journal_;  // null: durability is none
  std::optional<runtime::Store> store_;
  std::unique_ptr<runtime::Service> service_;
  std::unique_ptr<executor::ManualTime> manual_time_;
  std::unique_ptr<StoreWatch> store_watch_;
  std::unique_ptr<metrics::Registry::Collector> at_scrapes_;
  std::unique_ptr<executor::LoopWatchdog> watchdog_;
  std::unique_ptr<http::Listener> admin_;
  std::string grpc_address_;
};

absl::Status Assembly::AddAllFunctions(const AddFunctions& add) {
  MUSTER_ASSIGN_OR_RETURN(reactor_, executor::Reactor::Create({}));
  registry_ = std::make_unique<jobs::Registry>();
  functions::Environment environment;
  environment.reactor = reactor_.get();
  environment.manual_clock = config_.clock == "manual";
  for (const auto& family : config_.families) {
    MUSTER_RETURN_IF_ERROR(family->Register(*registry_, environment));
  }
  return add == nullptr ? absl::OkStatus() : add(*registry_);
}

void Assembly::MakeLoops() {
  grpc_front::ServerOptions options;
  options.listen = config_.grpc.listen;
  options.plaintext_listen = config_.grpc.plaintext_listen;
  options.connection_age_max = config_.grpc.connection_age_max;
  if (tls_ != nullptr) options.credentials = tls_->credentials();
  options.info.version = Version();
  options.info.instance_id = RandomHex(16);
  options.info.durability = DurabilityOf(config_);
  if (tls_ != nullptr) options.info.features.emplace_back("tls");
  if (config_.clock == "manual") options.info.features.emplace_back("manual_clock");
  options.limits = config_.limits;
  options.metrics = &metrics_;
  options.loops = static_cast<int>(config_.loops);
  options.clock = &clock_;
  options.manual_clock = config_.clock == "manual";
  options.loop_spin = cpus_ > 1 ? config_.loop.spin : base::Duration(0);
  // Room for all that waits, and for the short calls beside it.
  options.calls_max = std::max(options.calls_max, config_.limits.waiters_max + config_.limits.streams_max + 10'000);
  server_ = std::make_unique<grpc_front::Server>(std::move(options));
}

void Assembly::MakePool() {
  executor::BlockingPool::Options options;
  options.threads = static_cast<int>(threads_);
  // Jobs wait in the ready list (dispatch/pool_room.h); the pool's own queue has room for all that it is given.
  options.queue_max = 2 * threads_;
  metrics_.pool_queue_capacity.Set(static_cast<double>(config_.blocking.queue));
  options.clock = &clock_;
  options.on_start = [this](base::Duration queued) { metrics_.pool_queue_wait.Observe(queued); };
  pool_ = std::make_unique<executor::BlockingPool>(std::move(options));
}

void Assembly::WatchLoops() {
  executor::LoopWatchdog::Options options;
  options.threshold = config_.loop.blocked_after;
  options.report = [](const std::string& loop, base::Duration so_far) {
    static base::LogLimiter limiter;
    base::LogLimited(limiter, base::LogLevel::kWarning,
                     "a loop is held up: an async function must not block, make it a blocking one",
                     {{"loop", loop}, {"seconds", base::Seconds(so_far)}});
  };
  watchdog_ = std::make_unique<executor::LoopWatchdog>(std::move(options));
  for (executor::Loop* loop : server_->loops()) watchdog_->Watch(*loop);
}

absl::Status Assembly::StartAdmin() {
  base::HostPort address;
  base::ParseHostPort(config_.admin.listen, &address);
  http::ListenerOptions options;
  options.address = address.host;
  options.port = address.port;
  http::AdminPages pages;
  pages.metrics = [this] { return metrics_.registry.Render(); };
  pages.metrics_content_type = std::string(metrics::Registry::kContentType);
  pages.readiness = [this] {
    const char* reason = not_ready_.load(std::memory_order_acquire);
    return http::Readiness{reason == nullptr, reason == nullptr ? "" : reason};
  };
  pages.title = "musterd " + Version();
  http::Router router;
  http::AddAdminPages(router, std::move(pages));
  if (store_watch_ != nullptr) AddStoreRoutes(router, *store_watch_);
  if (manual_time_ != nullptr) AddClockRoutes(router, *manual_time_);
  MUSTER_ASSIGN_OR_RETURN(admin_, http::Listener::Start(std::move(options), std::move(router)));
  return absl::OkStatus();
}

absl::Status Assembly::Start(const AddFunctions& add) {
  const CgroupLimits cgroup = ReadCgroupLimits();
  cpus_ = UsableCpus(cgroup);
  threads_ = config_.blocking.threads != 0 ? config_.blocking.threads : DefaultBlockingThreads(cpus_);
  metrics_.SetBuildInfo(Version(), Revision(), GrpcVersion());
  metrics_.SetDurability(config_.durability);
  metrics_.memory_limit.Set(static_cast<double>(cgroup.memory_bytes.value_or(0)));
  SetLimits(metrics_, config_.limits);
  process_ = metrics::CollectProcess(metrics_);
  if (!config_.tls.cert.empty()) {
    MUSTER_ASSIGN_OR_RETURN(tls_, TlsFiles::Load({config_.tls.cert, config_.tls.key, config_.tls.client_ca}));
  }
  MakeLoops();
  MUSTER_RETURN_IF_ERROR(AddAllFunctions(add));
  MakePool();
  MUSTER_RETURN_IF_ERROR(config_.durability == "none" ? directory_.ServeAll(*registry_) : OpenJournal());
  // After OpenJournal, by which functions are known that this server does not have.
  observer_ = std::make_unique<MetricsObserver>(metrics_, directory_);
  observer_->WhenStoreFails([this](const absl::Status& failure) { OnStoreFailed(failure); });
  MakeService();
  if (durable()) WatchStore();
  at_scrapes_ = FillAtScrapes(metrics_, {server_->loops(), *pool_, *reactor_, *service_, store_watch_.get()});
  MUSTER_RETURN_IF_ERROR(StartAdmin());

  // Ids are never used again, not after a quick restart either: nothing is served in the second that gave the
  // incarnation, so whoever starts later has another one. A store counts its starts itself, from its first one on.
  const bool counted = durable() && !store_->fresh;
  while (!counted && IncarnationAt(RealNow()) == IncarnationAt(started_)) usleep(5'000);
  MUSTER_RETURN_IF_ERROR(server_->Start(*service_));
  WatchLoops();
  if (durable()) {
    MUSTER_RETURN_IF_ERROR(Recover());
  }
  if (cgroup.memory_bytes.has_value() && *cgroup.memory_bytes < config_.limits.namespace_bytes_max) {
    base::LogWarning("limits.namespace_bytes_max is more than the memory that this process may use",
                     {{"limit", base::BytesText(config_.limits.namespace_bytes_max)},
                      {"memory", base::BytesText(*cgroup.memory_bytes)}});
  }
  return SayReady();
}

absl::Status Assembly::OpenJournal() {
  store::RocksOptions rocks;
  rocks.path = config_.store.dir;
  rocks.durability = DurabilityOf(config_);
  MUSTER_ASSIGN_OR_RETURN(journal_, store::OpenRocksJournal(rocks));
  runtime::StoreOptions options;
  options.epoch_at_least = IncarnationAt(started_);
  options.version = Version();
  options.fail_unknown_functions = config_.store.fail_unknown_functions;
  MUSTER_ASSIGN_OR_RETURN(store_, runtime::OpenStore(*journal_, *registry_, directory_, options));
  return absl::OkStatus();
}

void Assembly::MakeService() {
  runtime::Service::Options options;
  options.limits = config_.limits;
  options.incarnation = IncarnationAt(started_);
  options.blocking_queue_max = config_.blocking.queue;
  if (store_.has_value()) {
    options.store = &*store_;
    options.shards = store_->shards;
    options.incarnation = store_->epoch;
  }
  service_ = std::make_unique<runtime::Service>(options, directory_, server_->loops(), *pool_, clock_, *observer_);
  if (config_.clock != "manual") return;
  manual_time_ = std::make_unique<executor::ManualTime>(manual_clock_, server_->loops(),
                                                        std::vector<executor::BlockingPool*>{pool_.get()},
                                                        [this] { return service_->JournalIdle(); });
}

// The loops run and health answers NOT_SERVING; everything else is told to come back.
absl::Status Assembly::Recover() {
  not_ready_.store("recovering", std::memory_order_release);
  const base::Instant start = RealNow();
  const absl::StatusOr<runtime::Recovered> recovered = service_->Recover();
  if (!recovered.ok()) {
    Drain(0);
    return recovered.status();
  }
  const double seconds = base::Seconds(RealNow() - start);
  metrics_.recovery_seconds.Set(seconds);
  metrics_.recovered_futures.Set(static_cast<double>(recovered->futures));
  base::LogInfo("the store is read", {{"store", config_.store.dir},
                                      {"futures", recovered->futures},
                                      {"not_done", recovered->pending},
                                      {"epoch", store_->epoch},
                                      {"seconds", seconds}});
  service_->Resume();
  return absl::OkStatus();
}

void Assembly::WatchStore() {
  StoreWatch::Options options;
  options.bytes_max = config_.store.bytes_max;
  options.free_bytes_min = config_.store.free_bytes_min;
  options.backup_dir = config_.store.backup_dir;
  options.on_full = [this](bool full) { service_->SetStoreFull(full); };
  metrics_.store_disk_max.Set(static_cast<double>(config_.store.bytes_max));
  store_watch_ = std::make_unique<StoreWatch>(*journal_, std::move(options));
}

void Assembly::OnStoreFailed(const absl::Status& failure) {
  base::LogError(
      "the store has failed: nothing is acknowledged any more, what was recorded can still be read; mend the disk and "
      "restart the server",
      {{"store", config_.store.dir}, {"error", std::string(failure.message())}});
  not_ready_.store("the store has failed", std::memory_order_release);
  metrics_.ready.Set(0);
  server_->SetServing(false);
  server_->SetDead();
}

absl::Status Assembly::SayReady() {
  const std::string& listen = config_.grpc.listen;
  grpc_address_ = fmt::format("{}:{}", listen.substr(0, listen.rfind(':')), server_->port());
  base::LogInfo("musterd serves", {{"version", Version()},
                                   {"revision", Revision()},
                                   {"grpc", grpc_address_},
                                   {"admin", admin_->address()},
                                   {"tls", tls_ != nullptr},
                                   {"mutual_tls", !config_.tls.client_ca.empty()},
                                   {"loops", config_.loops},
                                   {"blocking_threads", threads_},
                                   {"durability", config_.durability},
                                   {"store", durable() ? config_.store.dir : std::string("none")},
                                   {"functions", registry_->size()}});
  if (!durable()) {
    base::LogWarning("durability is none: futures and their outcomes live in memory; a stop or a crash loses them",
                     {{"durability", "none"}});
  }
  if (config_.clock == "manual") base::LogWarning("the clock is manual: nothing that takes time happens by itself");
  if (config_.insecure && tls_ == nullptr) base::LogWarning("insecure: no TLS, anybody who reaches this can run jobs");
  if (!service_->store_failed()) {
    server_->SetServing(true);
    not_ready_.store(nullptr, std::memory_order_release);
    metrics_.ready.Set(1);
  }
  if (config_.ready_file.empty()) return absl::OkStatus();
  const absl::Status written = WriteFileAtOnce(
      config_.ready_file,
      fmt::format("{{\"grpc\":\"{}\",\"admin\":\"{}\",\"pid\":{}}}\n", grpc_address_, admin_->address(), getpid()));
  if (!written.ok()) Drain(0);
  return written;
}

bool Assembly::JobsEndWithin(base::Duration limit) {
  const base::Instant end = base::Later(RealNow(), limit);
  while (service_->RunningJobs() > 0) {
    if (RealNow() >= end) return false;
    usleep(2'000);
  }
  return true;
}

// The order is that of grpc/server.h, which explains it.
void Assembly::Drain(int signal) {
  base::LogInfo("draining: no new jobs; running ones have their grace",
                {{"signal", signal == 0        ? "none"
                            : signal == SIGINT ? "SIGINT"
                                               : "SIGTERM"},
                 {"grace_seconds", base::Seconds(config_.drain.grace)},
                 {"running", service_->RunningJobs()}});
  not_ready_.store("draining", std::memory_order_release);
  metrics_.ready.Set(0);
  if (!config_.ready_file.empty()) unlink(config_.ready_file.c_str());
  server_->SetServing(false);
  service_->BeginDrain();
  if (!JobsEndWithin(config_.drain.grace)) {
    base::LogWarning(durable() ? "the grace is over: running jobs are stopped, and run again with the next start"
                               : "the grace is over: running jobs are cancelled",
                     {{"running", service_->RunningJobs()}});
    service_->CancelAllJobs("the server is shutting down");
    if (!JobsEndWithin(kCancelledBodies)) {
      base::LogWarning("jobs do not end after their cancel", {{"running", service_->RunningJobs()}});
    }
  }
  if (durable()) service_->FlushBlocking();  // calls whose jobs have just ended are answered before the rest is refused
  service_->FinishDrain();
  const int64_t held = observer_->futures(), pending = observer_->pending();
  server_->StopCalls(kOpenCalls);
  at_scrapes_.reset();
  watchdog_.reset();
  const size_t stuck = pool_->Shutdown(kBlockingThreads);
  service_->StopJournal();
  server_->StopLoops();
  if (durable()) {
    if (const absl::Status synced = journal_->Sync(); !synced.ok()) {
      base::LogError("the store could not be synced", {{"error", std::string(synced.message())}});
    }
  }
  base::LogInfo("stopped", {{durable() ? "futures_kept" : "futures_dropped", held},
                            {"not_done", pending},
                            {"durability", config_.durability},
                            {"seconds", base::Seconds(RealNow() - started_)}});
  if (stuck > 0) {
    // Their threads can be neither stopped nor joined; the process takes them along.
    base::LogWarning("blocking functions still run and are left", {{"count", stuck}});
    StopLogging();
    _exit(0);
  }
}

}  // namespace

absl::Status RunServer(const Config& config, const AddFunctions& add) {
  grpc_front::SendLogToOurs();
  Assembly assembly(config);
  MUSTER_RETURN_IF_ERROR(assembly.Start(add));
  assembly.Drain(assembly.WaitForSignal());
  return absl::OkStatus();
}

}  // namespace muster::app
