// What an operator can set: every option with its key, type, default, bounds and help in one table, read from a YAML
// file, the environment and flags. Flags win over the environment, that over the file, that over defaults. The server's
// own options stand in config.cc; each family of functions brings its own (service/functions/family.h).
//
// The flag of the key "blocking.threads" is --blocking-threads, its variable MUSTER_BLOCKING_THREADS.
// docs/reference/configuration.md and --help are made from the same table.
//
// Threading: none; used before the server starts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/app/settings/families.h"
#include "service/base/clock.h"
#include "service/base/options/option.h"
#include "service/values/limits.h"

namespace muster::app {

struct Config {
  struct Grpc {
    std::string listen = "127.0.0.1:7411";
    std::string plaintext_listen;
    base::Duration connection_age_max{};
  } grpc;
  struct Admin {
    std::string listen = "127.0.0.1:7412";
  } admin;
  bool insecure = false;
  struct Tls {
    std::string cert, key, client_ca;
  } tls;
  std::string durability = "sync";
  struct Store {
    std::string dir;
    uint64_t bytes_max = 0;
    uint64_t free_bytes_min = 256u << 20;
    std::string backup_dir;
    bool fail_unknown_functions = false;
  } store;
  uint32_t loops = 1;
  struct Loop {
    base::Duration spin = std::chrono::microseconds(50);
    base::Duration blocked_after = std::chrono::milliseconds(100);
  } loop;
  struct Blocking {
    uint32_t threads = 0;
    uint32_t queue = 10'000;
  } blocking;
  struct Log {
    std::string level = "info";
    std::string format = "auto";
  } log;
  struct Drain {
    base::Duration grace = std::chrono::seconds(30);
  } drain;
  values::Limits limits;
  // Each holds the values of its own options.
  functions::Families families = AllFamilies();
  std::string clock = "system";
  std::string ready_file;
};

// The whole table, bound to `config`: it outlives what is returned, and must not move meanwhile. In the order of the
// reference.
std::vector<base::Option> Options(Config& config);
std::string FlagOf(const base::Option& option);
std::string VariableOf(const base::Option& option);

struct Problem {
  std::string where;    // "muster.yaml:12", "MUSTER_LOOPS", "--loops"
  std::string key;      // may be empty: the file as a whole
  std::string message;  // value, limit and what to do
};
std::string ToString(const Problem& problem);

struct LoadedConfig {
  Config config;
  // Where each value came from, by key: "default", "muster.yaml:12", "MUSTER_LOOPS", "--loops".
  std::map<std::string, std::string, std::less<>> origins;
  // Everything that is wrong, not only the first.
  std::vector<Problem> problems;
};

struct ConfigSources {
  std::string file;                                       // empty: none
  std::map<std::string, std::string> environment;         // all variables; unknown ones are not ours
  std::map<std::string, std::vector<std::string>> flags;  // by option key
  std::optional<uint64_t> memory_bytes;                   // what the process may use; defaults that grow keep to it
};

LoadedConfig LoadConfig(const ConfigSources& sources);
// What contradicts itself: addresses without TLS, a certificate without key ... `loaded.problems` is added to.
void CheckTogether(LoadedConfig& loaded);

// Effective values with where each came from, as a YAML file that gives the same values again. (Not const, as the table
// is bound to values that may be changed; these are only read.)
std::string PrintConfig(LoadedConfig& loaded);
// docs/reference/configuration.md.
std::string ConfigReferenceMarkdown();
// The lines of --help that tell of the options.
std::string OptionsHelp();

}  // namespace muster::app
