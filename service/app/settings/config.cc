#include "service/app/settings/config.h"

#include <cctype>

#include <fmt/format.h>

namespace muster::app {
namespace {

using base::kDay, base::kHour, base::kMillisecond, base::kSecond;
using base::kGiB, base::kKiB, base::kMiB, base::kTiB;
using base::Option;

// NOLINTNEXTLINE(readability-function-size): a table
std::vector<Option> ServerOptions(Config& config) {
  using enum base::ValueType;
  return {
      {"grpc.listen", kAddress, &config.grpc.listen,
       "Where gRPC is served: a numeric address or localhost, and a port; port 0 takes any free one."},
      {"grpc.plaintext_listen", kText, &config.grpc.plaintext_listen,
       "A second gRPC listener without TLS; an address as in grpc.listen. Where tls.cert is set it answers health "
       "checks alone, and is for probes."},
      {"grpc.connection_age_max",
       kDuration,
       &config.grpc.connection_age_max,
       "After this long a client is asked to connect anew, so that load spreads over servers behind one address; what "
       "is under way then has limits.poll_max and a minute to end. Costs each call some CPU.",
       0,
       kDay,
       {},
       "0: connections stay"},
      {"admin.listen", kAddress, &config.admin.listen,
       "Where /metrics, /healthz and /readyz are served, over plain HTTP without authentication."},
      {"insecure", kBool, &config.insecure,
       "Allow addresses other than loopback without TLS. Whoever reaches them can run every function."},
      {"tls.cert", kText, &config.tls.cert,
       "PEM file with the server's certificate chain. Turns TLS on; reloaded when it changes."},
      {"tls.key", kText, &config.tls.key, "PEM file with the certificate's private key."},
      {"tls.client_ca", kText, &config.tls.client_ca,
       "PEM file with the authorities of client certificates. Turns mutual TLS on: others are refused."},
      {"durability", kChoice, &config.durability,
       "What an acknowledged future survives. sync: a loss of power, if the disk honours flushes; async: a crash of "
       "the "
       "process, and a loss of power save for the last second; none: nothing, it is held in memory.",
       0, UINT64_MAX, "sync,async,none"},
      {"store.dir",
       kText,
       &config.store.dir,
       "Folder that futures are kept in, on a local disk; made when it is not there. One server at a time.",
       0,
       UINT64_MAX,
       {},
       "$XDG_STATE_HOME/muster, or ~/.local/state/muster"},
      {"store.bytes_max",
       kBytes,
       &config.store.bytes_max,
       "Bytes of the store's files past which new futures are refused with STORE_FULL.",
       0,
       64 * kTiB,
       {},
       "0: as much as the disk has"},
      {"store.free_bytes_min", kBytes, &config.store.free_bytes_min,
       "New futures are refused with STORE_FULL while the disk has less room than this, so that what is under way can "
       "still be recorded.",
       0, 64 * kTiB},
      {"store.backup_dir",
       kText,
       &config.store.backup_dir,
       "Folder that `muster admin backup` makes backups in, on the same file system as store.dir.",
       0,
       UINT64_MAX,
       {},
       "none: backups of a running server are refused"},
      {"store.fail_unknown_functions", kBool, &config.store.fail_unknown_functions,
       "Let jobs in the store fail whose function this server does not have, instead of keeping them until it has."},
      {"loops", kCount, &config.loops,
       "Event loops, each a thread. One serves most machines best; more pay with many cores.", 1, 64},
      {"loop.spin", kDuration, &config.loop.spin,
       "How long a loop polls before it sleeps: shorter round trips for some CPU. Off on a single CPU.", 0,
       10 * kMillisecond},
      {"loop.blocked_after", kDuration, &config.loop.blocked_after,
       "A resume that holds its loop for longer is logged and counted.", kMillisecond, 60 * kSecond},
      {"blocking.threads",
       kCount,
       &config.blocking.threads,
       "Threads for blocking functions.",
       0,
       1024,
       {},
       "by the CPU limit of the process (affinity, cgroup): CPUs + 4, at most 32"},
      {"blocking.queue", kCount, &config.blocking.queue,
       "Jobs that may wait for such a thread; past it submits are refused with QUEUE_FULL.", 1, 10'000'000},
      {"log.level", kChoice, &config.log.level, "The lowest level that is written.", 0, UINT64_MAX,
       "debug,info,warning,error,off"},
      {"log.format", kChoice, &config.log.format, "How lines look.", 0, UINT64_MAX, "auto,json,text",
       "text on a terminal, else json"},
      {"drain.grace", kDuration, &config.drain.grace,
       "How long running jobs may go on after SIGTERM or SIGINT before they are cancelled.", 0, kDay},
  };
}

// In the unit of an option's bounds.
uint64_t Raw(uint64_t bound) { return bound; }
uint64_t Raw(base::Duration bound) { return static_cast<uint64_t>(bound.count()); }

std::vector<Option> LimitOptions(Config& config) {
  using base::ValueType;
  constexpr struct {
    ValueType Bytes, Count, LongCount, Span;  // as the list has them
  } kTypes = {ValueType::kBytes, ValueType::kCount, ValueType::kCount, ValueType::kDuration};
  return {
#define MUSTER_OPTION(name, kind, preset, least, most, title, help, note) \
  {"limits." #name,                                                       \
   kTypes.kind,                                                           \
   &config.limits.name,                                                   \
   help,                                                                  \
   Raw(values::kLeastLimits.name),                                        \
   Raw(values::kMostLimits.name),                                         \
   {},                                                                    \
   note},
      MUSTER_LIMITS(MUSTER_OPTION)
#undef MUSTER_OPTION
  };
}

std::vector<Option> TestOptions(Config& config) {
  using enum base::ValueType;
  return {
      {"clock", kChoice, &config.clock, "manual: time stands still until a test advances it; for tests only.", 0,
       UINT64_MAX, "system,manual"},
      {"ready_file", kText, &config.ready_file,
       "File that is written, as JSON with the bound addresses, once the server takes work."},
  };
}

std::string Derived(std::string_view key, std::string_view prefix, char separator, bool upper) {
  std::string text(prefix);
  for (const char c : key) {
    if (c == '.' || c == '_') {
      text += separator;
    } else {
      text += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    }
  }
  return text;
}

}  // namespace

std::vector<Option> Options(Config& config) {
  std::vector<Option> all = ServerOptions(config);
  const auto add = [&](const std::vector<Option>& some) { all.insert(all.end(), some.begin(), some.end()); };
  add(LimitOptions(config));
  for (const auto& family : config.families) add(family->Options());
  add(TestOptions(config));
  return all;
}

std::string FlagOf(const Option& option) { return Derived(option.key, "--", '-', false); }
std::string VariableOf(const Option& option) { return Derived(option.key, "MUSTER_", '_', true); }

std::string ToString(const Problem& problem) {
  if (problem.key.empty()) return fmt::format("{}: {}", problem.where, problem.message);
  return fmt::format("{}: {}: {}", problem.where, problem.key, problem.message);
}

}  // namespace muster::app
