#include "tests/crash/loop.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>
#include <sys/wait.h>

namespace muster::crash {
namespace {

using Kind = Record::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kFailpoints[] = {"commit.sealed",       "commit.taken",         "journal.before_write",
                                            "journal.after_write", "journal.after_mark",   "commit.durable",
                                            "commit.released",     "commit.half_released", "recovery.begun",
                                            "recovery.restored",   "recovery.ended"};
constexpr uint64_t kArmedBeforeItMustFire = 5;
constexpr auto kFailpointMax = std::chrono::milliseconds(700);
constexpr auto kStopMax = std::chrono::seconds(60);
constexpr auto kTellEvery = std::chrono::seconds(20);
constexpr auto kLastLook = std::chrono::milliseconds(1);

double SecondsSince(Target::Clock::time_point from) {
  return std::chrono::duration<double>(Target::Clock::now() - from).count();
}

void Say(const std::string& text) {
  fmt::print("{}\n", text);
  fflush(stdout);
}

}  // namespace

Loop::Loop(LoopOptions options) : options_(std::move(options)), random_(options_.seed) {
  run_.patience = std::chrono::seconds(options_.patience_seconds);
}

bool Loop::Failed(const std::string& what) {
  failures_.push_back(what);
  return false;
}

bool Loop::Prepare() {
  folder_ = options_.folder;
  if (folder_.empty()) {
    std::string pattern = (fs::temp_directory_path() / "muster-crash-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return Failed("no temporary folder can be made");
    folder_ = pattern;
  }
  std::error_code error;
  fs::create_directories(folder_ + "/files", error);
  if (error) return Failed(fmt::format("{}: {}", folder_, error.message()));
  absl::StatusOr<std::unique_ptr<Book>> book = Book::Open(folder_ + "/ledger");
  if (!book.ok()) return Failed(std::string(book.status().message()));
  run_.book = std::move(*book);
  absl::StatusOr<std::unique_ptr<FileWatch>> files = FileWatch::Open(folder_ + "/files");
  if (!files.ok()) return Failed(std::string(files.status().message()));
  run_.files = std::move(*files);
  ServerOptions server;
  server.program = options_.musterd;
  server.folder = folder_;
  server.flags = {"--loops=2"};
  if (options_.durable()) {
    server.flags.push_back("--durability=" + options_.durability);
    server.flags.push_back("--store-dir=" + folder_ + "/store");
  } else {
    server.flags.push_back("--durability=none");
  }
  server.flags.insert(server.flags.end(), options_.musterd_flags.begin(), options_.musterd_flags.end());
  server_ = std::make_unique<Server>(std::move(server));
  return true;
}

void Loop::StartClients() {
  const ScenarioOptions scenarios{.batch = options_.batch};
  const auto add = [&] {
    clients_.push_back(std::make_unique<Client>(run_, static_cast<int>(clients_.size()), random_.Next()));
    return clients_.back().get();
  };
  for (int count = 0; count < options_.scenario_clients; ++count) {
    threads_.emplace_back("scenarios",
                          [this, client = add(), scenarios] { RunScenarios(*client, archive_, scenarios); });
  }
  for (int count = 0; count < options_.bulk_clients; ++count) {
    threads_.emplace_back("bulks", [this, client = add(), scenarios] { RunBulks(*client, archive_, scenarios); });
  }
  threads_.emplace_back("heavy", [client = add()] { RunHeavy(*client); });
  threads_.emplace_back("audit", [this, client = add()] { RunAudit(*client, archive_); });
  for (int group = 0; group < options_.history_groups; ++group) {
    threads_.emplace_back("histories",
                          [this, group, seed = random_.Next()] { RunHistories(run_, group, seed, histories_); });
  }
}

Loop::Plan Loop::NextPlan() {
  Plan plan;
  plan.after = std::chrono::milliseconds(20 + random_.Below(481));
  if (!options_.durable() || random_.OneIn(2)) return plan;
  plan.failpoint = kFailpoints[next_failpoint_++ % std::size(kFailpoints)];
  // Each power of two is as likely as the next: the first commit after a start, and one in the thick of it.
  const uint64_t count =
      plan.failpoint.starts_with("recovery.") ? 1 : 1 + random_.Below(uint64_t{1} << random_.Below(9));
  plan.armed = fmt::format("{}:kill:{}", plan.failpoint, count);
  plan.after = kFailpointMax;
  return plan;
}

bool Loop::StartGood() {
  const auto from = Target::Clock::now();
  ++starts_;
  if (server_->StartBlocking() != Server::Started::kReady) {
    return Failed(fmt::format("musterd does not start ({}); the end of its log:\n{}", StatusText(server_->status()),
                              server_->LogTail()));
  }
  run_.book->Note({.kind = Kind::kUp, .number = starts_});
  run_.target.Up(server_->address(), starts_);
  const double seconds = SecondsSince(from);
  start_seconds_ += seconds;
  start_seconds_max_ = std::max(start_seconds_max_, seconds);
  ++ready_;
  return true;
}

bool Loop::OneLife() {
  const Plan plan = NextPlan();
  Failpoint* failpoint = plan.failpoint.empty() ? nullptr : &failpoints_[plan.failpoint];
  bool gone = false;
  if (failpoint == nullptr) {
    if (!StartGood()) return false;
  } else {
    ++failpoint->armed;
    ++starts_;
    const Server::Started started = server_->StartBlocking(plan.armed);
    if (started == Server::Started::kLate) return Failed(plan.armed + ": musterd neither starts nor dies");
    gone = started == Server::Started::kDied;
    if (!gone) {
      run_.book->Note({.kind = Kind::kUp, .number = starts_});
      run_.target.Up(server_->address(), starts_);
    }
  }
  if (!gone) gone = server_->WaitGoneBlocking(plan.after);
  if (!gone) gone = server_->WaitGoneBlocking(kLastLook);
  const bool by_itself = gone;
  if (!gone) server_->Kill();
  run_.target.Down();
  run_.book->Note({.kind = Kind::kDown, .number = starts_});
  if (!WIFSIGNALED(server_->status()) || WTERMSIG(server_->status()) != SIGKILL ||
      (by_itself && failpoint == nullptr)) {
    return Failed(fmt::format("musterd ended by itself ({}, failpoint \"{}\"); the end of its log:\n{}",
                              StatusText(server_->status()), plan.armed, server_->LogTail()));
  }
  ++kills_;
  ++(by_itself ? by_failpoint_ : by_chance_);
  if (by_itself) ++failpoint->fired;
  return true;
}

bool Loop::OneCut() {
  if (!server_->running() && !StartGood()) return false;
  if (server_->WaitGoneBlocking(std::chrono::milliseconds(20 + random_.Below(481)))) {
    return Failed("musterd ended by itself:\n" + server_->LogTail());
  }
  run_.target.Cut();
  ++kills_;
  ++by_chance_;
  return true;
}

bool Loop::EachFailpointHadItsTurns() const {
  if (!options_.durable() || options_.failpoints == 0) return true;
  if (failpoints_.size() != std::size(kFailpoints)) return false;
  return std::ranges::all_of(failpoints_,
                             [this](const auto& each) { return each.second.armed >= options_.failpoints; });
}

bool Loop::Enough() const {
  return kills_ >= options_.kills && EachFailpointHadItsTurns() && histories_.with_death.load() >= options_.histories &&
         run_.book->counts().acknowledged >= options_.submits;
}

void Loop::Progress() {
  if (Target::Clock::now() - told_ < kTellEvery) return;
  told_ = Target::Clock::now();
  const Judge::Counts counts = run_.book->counts();
  Say(fmt::format("  {:.0f} s: {} kills, {} acknowledged submits, {} outcomes, {} histories", SecondsSince(began_),
                  kills_, counts.acknowledged, counts.outcomes, histories_.checked.load()));
}

bool Loop::KillUntilEnough() {
  while (!Enough()) {
    if (options_.fake ? !OneCut() : !OneLife()) return false;
    if (run_.book->violation_count() != 0) return false;
    Progress();
  }
  return true;
}

void Loop::Settle() {
  run_.target.Settle();
  run_.target.Finish();
  for (base::Thread& thread : threads_) thread.Join();
}

bool Loop::Audit(const std::string& when) {
  const std::vector<Judge::Live> live = run_.book->LiveFutures();
  Client auditor(run_, -1, 0);
  for (const Judge::Live& future : live) {
    if (!auditor.GetById(future.key, future.id)) return false;
  }
  audited_ += live.size();
  Say(fmt::format("  {}: asked for all {} futures that must be there", when, live.size()));
  return run_.book->violation_count() == 0;
}

bool Loop::SettlePending() {
  Client client(run_, -2, 0);
  std::vector<std::string> keys;
  for (const Judge::Live& future : run_.book->LiveFutures()) {
    if (future.done || future.spec.body != Spec::Body::kPromise) continue;
    client.Know(future.key, future.id);
    if (!client.Settle(future.key, future.key + "-last", "the last value")) return false;
    keys.push_back(future.key);
  }
  return keys.empty() || client.AwaitDone(keys);
}

bool Loop::StopInOrder() {
  const auto from = Target::Clock::now();
  server_->Terminate();
  if (!server_->WaitGoneBlocking(kStopMax)) return Failed("musterd does not end after SIGTERM:\n" + server_->LogTail());
  stop_seconds_max_ = std::max(stop_seconds_max_, SecondsSince(from));
  run_.target.Down();
  run_.book->Note({.kind = Kind::kDown, .number = starts_});
  if (server_->status() != 0) {
    return Failed(fmt::format("musterd ended with {} after SIGTERM; the end of its log:\n{}",
                              StatusText(server_->status()), server_->LogTail()));
  }
  return true;
}

bool Loop::JudgeAgain() {
  Judge judge;
  const absl::Status status = Replay(folder_ + "/ledger", judge);
  if (!status.ok()) return Failed(std::string(status.message()));
  const Judge::Counts again = judge.counts(), live = run_.book->counts();
  if (again.acknowledged != live.acknowledged || again.outcomes != live.outcomes || !judge.violations().empty()) {
    return Failed("the ledger on the disk tells another story than the run");
  }
  return true;
}

void Loop::CheckFailpoints() {
  for (const auto& [name, failpoint] : failpoints_) {
    if (failpoint.armed >= kArmedBeforeItMustFire && failpoint.fired == 0) {
      Failed(fmt::format("the failpoint {} was armed {} times and never fired: nothing was tested there", name,
                         failpoint.armed));
    }
  }
}

void Loop::Report() {
  const Judge::Counts counts = run_.book->counts();
  Say(fmt::format("\n{} {} ({} by chance, {} at failpoints), {:.0f} s, seed {}", kills_,
                  options_.fake ? "cuts" : "kills", by_chance_, by_failpoint_, SecondsSince(began_), options_.seed));
  if (ready_ != 0) {
    Say(fmt::format("  start to ready: {:.0f} ms on average, {:.0f} ms at most; SIGTERM to end: {:.0f} ms at most",
                    1e3 * start_seconds_ / ready_, 1e3 * start_seconds_max_, 1e3 * stop_seconds_max_));
  }
  Say(fmt::format("  {} acknowledged submits, {} repeated, {} reuses of a request id refused", counts.acknowledged,
                  counts.repetitions, counts.reuses_refused));
  Say(fmt::format("  {} outcomes observed in {} sights; {} settles, {} cancels, {} deletes, {} gathers",
                  counts.outcomes, counts.sights, counts.settles, counts.cancels, counts.deletes, counts.gathers));
  Say(fmt::format(
      "  {} answers lost, {} jobs started again, {} interrupted, {} streams resumed, {} looked for at the end",
      run_.lost_answers.load(), counts.second_attempts, counts.interrupted, counts.streams_resumed, audited_));
  Say(fmt::format("  {} histories checked ({} across a death, {} undecided): {} operations, {} of them lost",
                  histories_.checked.load(), histories_.with_death.load(), histories_.undecided.load(),
                  histories_.operations.load(), histories_.lost.load()));
  for (const auto& [name, failpoint] : failpoints_) {
    Say(fmt::format("  {:<22} armed {:>4}, fired {:>4}", name, failpoint.armed, failpoint.fired));
  }
  const std::vector<std::string> violations = run_.book->violations();
  for (const std::string& violation : violations) Say("VIOLATION " + violation);
  for (const std::string& failure : failures_) Say("FAILED " + failure);
  uint64_t lost = 0;
  for (const std::string& violation : violations) lost += violation.find("LOST") != std::string::npos ? 1 : 0;
  Say(fmt::format("{} {}, {} acknowledged submits, {} outcomes observed, {} lost, {} violations", kills_,
                  options_.fake ? "cuts" : "kills", counts.acknowledged, counts.outcomes, lost,
                  violations.size() + failures_.size()));
}

int Loop::RunBlocking() {
  if (!Prepare()) {
    for (const std::string& failure : failures_) Say("FAILED " + failure);
    return 1;
  }
  Say(fmt::format("crash_loop: seed {}, {} kills, {} histories; folder {}", options_.seed, options_.kills,
                  options_.histories, folder_));
  StartClients();
  bool good = KillUntilEnough() && (server_->running() || StartGood());
  if (!good) run_.target.Stop();
  Settle();
  good = good && run_.book->violation_count() == 0 && Audit("after the last kill") && StopInOrder();
  if (!options_.fake) {
    good = good && StartGood() && Audit("after a stop in order") && SettlePending() && StopInOrder() && StartGood() &&
           Audit("after another") && StopInOrder();
    CheckFailpoints();
  }
  good = good && JudgeAgain();
  run_.target.Stop();
  Report();
  good = good && failures_.empty() && run_.book->violation_count() == 0;
  if (!good) {
    Say(
        fmt::format("Everything is in {} (ledger, store, logs).\nAgain, as far as chance allows: crash_loop --seed {} "
                    "--kills {} --linearizability {}",
                    folder_, options_.seed, options_.kills, options_.histories));
  }
  // A server that keeps nothing is meant to fail, and leaves nothing of interest.
  if (!options_.keep && (good || options_.durability == "none")) {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  return good ? 0 : 1;
}

}  // namespace muster::crash
