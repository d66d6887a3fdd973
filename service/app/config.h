// What an operator can set: every option with its key, type, default, limits and help in one table (config.cc), read
// from a YAML file, the environment and flags. Flags win over the environment, that over the file, that over defaults.
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
#include <variant>
#include <vector>

#include "service/base/clock.h"
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
  struct Functions {
    base::Duration sleep_max = std::chrono::hours(24 * 365);
  } functions;
  struct Files {
    std::string root;
    uint64_t read_bytes_max = 1u << 20;
    uint64_t write_bytes_max = 16u << 20;
    uint32_t list_max = 1000;
  } files;
  struct Http {
    std::vector<std::string> allow_private;
    std::string ca_file;
    uint64_t body_bytes_max = 1u << 20;
    uint64_t request_bytes_max = 1u << 20;
    base::Duration timeout_max = std::chrono::minutes(10);
    uint32_t redirects_max = 20;
    uint32_t transfers_max = 256;
    uint32_t transfers_per_host_max = 32;
    uint32_t queue_max = 10'000;
  } http;
  std::string clock = "system";
  std::string ready_file;
};

// What a value is, for parsing, printing and the reference.
enum class ValueType { kBool, kCount, kBytes, kDuration, kText, kChoice, kAddress, kList };

// Where a value of a Config lives.
using Field =
    std::variant<bool& (*)(Config&), uint32_t& (*)(Config&), uint64_t& (*)(Config&), base::Duration& (*)(Config&),
                 std::string& (*)(Config&), std::vector<std::string>& (*)(Config&)>;

struct Option {
  std::string_view key;
  ValueType type;
  Field field;
  std::string_view help;
  // kCount and kBytes: as they are; kDuration: microseconds. Without a meaning for other types.
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
  // kChoice: the words, separated by commas.
  std::string_view choices = {};
  // What the default means, where its value alone does not say it.
  std::string_view default_note = {};
};

// In the order of the reference.
const std::vector<Option>& Options();
std::string FlagOf(const Option& option);
std::string VariableOf(const Option& option);

// The value as it would be written in the file; a list is joined by commas.
std::string ValueText(const Option& option, const Config& config);
// Empty when `text` was stored; else what is wrong with it: the value, and what is allowed.
std::string StoreValue(const Option& option, std::string_view text, Config& config);

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

// "host:port", "[::1]:port"; numeric host or localhost. False when it is neither.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
bool ParseHostPort(std::string_view text, HostPort* out);
bool IsLoopback(const std::string& host);

// Effective values with where each came from, as a YAML file that gives the same values again.
std::string PrintConfig(const LoadedConfig& loaded);
// docs/reference/configuration.md.
std::string ConfigReferenceMarkdown();
// The lines of --help that tell of the options.
std::string OptionsHelp();

}  // namespace muster::app
