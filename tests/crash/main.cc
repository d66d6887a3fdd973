// crash_loop: kills a musterd over and over while clients work, and proves that nothing it acknowledged is lost.
#include <filesystem>
#include <random>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/crash/loop.h"

namespace muster::crash {
namespace {

// Of a kept ledger.
int JudgeLedger(const std::string& path) {
  Judge judge;
  const absl::Status status = Replay(path, judge);
  if (!status.ok()) {
    fmt::print("{}\n", std::string(status.message()));
    return 1;
  }
  for (const std::string& violation : judge.violations()) fmt::print("VIOLATION {}\n", violation);
  fmt::print("{} records, {} acknowledged submits, {} outcomes observed, {} violations\n", judge.now(),
             judge.counts().acknowledged, judge.counts().outcomes, judge.violations().size());
  return judge.violations().empty() ? 0 : 1;
}

int Main(int argc, char** argv) {
  LoopOptions options;
  options.seed = std::random_device()();
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  options.musterd = (self.parent_path().parent_path().parent_path() / "bin" / "musterd").string();
  std::string ledger;
  bool longer = false;

  CLI::App app("Kills a musterd over and over while clients work, and proves that nothing it acknowledged is lost.");
  app.add_option("--musterd", options.musterd, "the program (default: that of this build)");
  app.add_option("--musterd-flag", options.musterd_flags, "given to it as it is, such as --loops=3; repeatable")
      ->allow_extra_args(false);
  app.add_option("--durability", options.durability,
                 "sync, async, or none: a server that forgets, which must be noticed")
      ->check(CLI::IsMember({"sync", "async", "none"}));
  app.add_option("--seed", options.seed, "of what clients do and when the server dies (default: by chance)");
  CLI::Option* kills = app.add_option("--kills", options.kills, "deaths at least (200)");
  app.add_option("--linearizability", options.histories, "histories across a death to be checked at least (100)");
  app.add_option("--failpoints", options.failpoints, "deaths planned for each failpoint at least (0)");
  CLI::Option* submits = app.add_option("--submits", options.submits, "acknowledged submits at least (0)");
  app.add_flag("--long", longer, "2500 deaths and a million acknowledged submits");
  app.add_option("--clients", options.scenario_clients, "that run scenarios (5)");
  app.add_option("--bulk-clients", options.bulk_clients, "that submit in bulk (2)");
  CLI::Option* batch = app.add_option("--batch", options.batch, "futures in a bulk at most (200)");
  app.add_option("--patience", options.patience_seconds, "seconds for all to end once the server is left alone (60)");
  app.add_option("--folder", options.folder, "where everything is kept (default: a temporary folder)");
  app.add_flag("--keep", options.keep, "do not remove the temporary folder");
  app.add_flag("--fake", options.fake, "only answers are lost, the server lives on: a trial of the test itself");
  app.add_option("--judge", ledger, "judge the ledger of an earlier run, and nothing else");
  CLI11_PARSE(app, argc, argv);

  if (!ledger.empty()) return JudgeLedger(ledger);
  if (longer) {
    if (kills->count() == 0) options.kills = 2500;
    if (submits->count() == 0) options.submits = 1'000'000;
    if (batch->count() == 0) options.batch = 2000;
  }
  return Loop(options).RunBlocking();
}

}  // namespace
}  // namespace muster::crash

int main(int argc, char** argv) { return muster::crash::Main(argc, argv); }
