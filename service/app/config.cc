#include "service/app/config.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include "service/app/value_text.h"
#include "service/base/check.h"

namespace muster::app {
namespace {

constexpr uint64_t kKiB = 1ull << 10, kMiB = 1ull << 20, kGiB = 1ull << 30, kTiB = 1ull << 40;
constexpr uint64_t kMillisecond = 1'000, kSecond = 1'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

#define MUSTER_FIELD(type, member)                                                         \
  Field {                                                                                  \
    static_cast<type& (*)(Config&)>([](Config& config) -> type& { return config.member; }) \
  }

// NOLINTNEXTLINE(readability-function-size): a table
std::vector<Option> ServerOptions() {
  using enum ValueType;
  return {
      {"grpc.listen", kAddress, MUSTER_FIELD(std::string, grpc.listen),
       "Where gRPC is served: a numeric address or localhost, and a port; port 0 takes any free one."},
      {"grpc.plaintext_listen", kText, MUSTER_FIELD(std::string, grpc.plaintext_listen),
       "A second gRPC listener without TLS; an address as in grpc.listen. Where tls.cert is set it answers health "
       "checks alone, and is for probes."},
      {"grpc.connection_age_max",
       kDuration,
       MUSTER_FIELD(base::Duration, grpc.connection_age_max),
       "After this long a client is asked to connect anew, so that load spreads over servers behind one address; what "
       "is under way then has limits.poll_max and a minute to end. Costs each call some CPU.",
       0,
       kDay,
       {},
       "0: connections stay"},
      {"admin.listen", kAddress, MUSTER_FIELD(std::string, admin.listen),
       "Where /metrics, /healthz and /readyz are served, over plain HTTP without authentication."},
      {"insecure", kBool, MUSTER_FIELD(bool, insecure),
       "Allow addresses other than loopback without TLS. Whoever reaches them can run every function."},
      {"tls.cert", kText, MUSTER_FIELD(std::string, tls.cert),
       "PEM file with the server's certificate chain. Turns TLS on; reloaded when it changes."},
      {"tls.key", kText, MUSTER_FIELD(std::string, tls.key), "PEM file with the certificate's private key."},
      {"tls.client_ca", kText, MUSTER_FIELD(std::string, tls.client_ca),
       "PEM file with the authorities of client certificates. Turns mutual TLS on: others are refused."},
      {"durability", kChoice, MUSTER_FIELD(std::string, durability),
       "What an acknowledged future survives. sync: a loss of power, if the disk honours flushes; async: a crash of "
       "the "
       "process, and a loss of power save for the last second; none: nothing, it is held in memory.",
       0, UINT64_MAX, "sync,async,none"},
      {"store.dir",
       kText,
       MUSTER_FIELD(std::string, store.dir),
       "Folder that futures are kept in, on a local disk; made when it is not there. One server at a time.",
       0,
       UINT64_MAX,
       {},
       "$XDG_STATE_HOME/muster, or ~/.local/state/muster"},
      {"store.bytes_max",
       kBytes,
       MUSTER_FIELD(uint64_t, store.bytes_max),
       "Bytes of the store's files past which new futures are refused with STORE_FULL.",
       0,
       64 * kTiB,
       {},
       "0: as much as the disk has"},
      {"store.free_bytes_min", kBytes, MUSTER_FIELD(uint64_t, store.free_bytes_min),
       "New futures are refused with STORE_FULL while the disk has less room than this, so that what is under way can "
       "still be recorded.",
       0, 64 * kTiB},
      {"store.backup_dir",
       kText,
       MUSTER_FIELD(std::string, store.backup_dir),
       "Folder that `muster admin backup` makes backups in, on the same file system as store.dir.",
       0,
       UINT64_MAX,
       {},
       "none: backups of a running server are refused"},
      {"store.fail_unknown_functions", kBool, MUSTER_FIELD(bool, store.fail_unknown_functions),
       "Let jobs in the store fail whose function this server does not have, instead of keeping them until it has."},
      {"loops", kCount, MUSTER_FIELD(uint32_t, loops),
       "Event loops, each a thread. One serves most machines best; more pay with many cores.", 1, 64},
      {"loop.spin", kDuration, MUSTER_FIELD(base::Duration, loop.spin),
       "How long a loop polls before it sleeps: shorter round trips for some CPU. Off on a single CPU.", 0,
       10 * kMillisecond},
      {"loop.blocked_after", kDuration, MUSTER_FIELD(base::Duration, loop.blocked_after),
       "A resume that holds its loop for longer is logged and counted.", kMillisecond, 60 * kSecond},
      {"blocking.threads",
       kCount,
       MUSTER_FIELD(uint32_t, blocking.threads),
       "Threads for blocking functions.",
       0,
       1024,
       {},
       "by the CPU limit of the process (affinity, cgroup): CPUs + 4, at most 32"},
      {"blocking.queue", kCount, MUSTER_FIELD(uint32_t, blocking.queue),
       "Jobs that may wait for such a thread; past it submits are refused with QUEUE_FULL.", 1, 10'000'000},
      {"log.level", kChoice, MUSTER_FIELD(std::string, log.level), "The lowest level that is written.", 0, UINT64_MAX,
       "debug,info,warning,error,off"},
      {"log.format", kChoice, MUSTER_FIELD(std::string, log.format), "How lines look.", 0, UINT64_MAX, "auto,json,text",
       "text on a terminal, else json"},
      {"drain.grace", kDuration, MUSTER_FIELD(base::Duration, drain.grace),
       "How long running jobs may go on after SIGTERM or SIGINT before they are cancelled.", 0, kDay},
  };
}

// In the unit of an option's bounds.
uint64_t Raw(uint64_t bound) { return bound; }
uint64_t Raw(base::Duration bound) { return static_cast<uint64_t>(bound.count()); }

std::vector<Option> LimitOptions() {
  constexpr struct {
    ValueType Bytes, Count, LongCount, Span;  // as the list has them
  } kTypes = {ValueType::kBytes, ValueType::kCount, ValueType::kCount, ValueType::kDuration};
  return {
#define MUSTER_OPTION(name, kind, preset, least, most, title, help, note) \
  {"limits." #name,                                                       \
   kTypes.kind,                                                           \
   MUSTER_FIELD(values::LimitTypes::kind, limits.name),                   \
   help,                                                                  \
   Raw(values::kLeastLimits.name),                                        \
   Raw(values::kMostLimits.name),                                         \
   {},                                                                    \
   note},
      MUSTER_LIMITS(MUSTER_OPTION)
#undef MUSTER_OPTION
  };
}

std::vector<Option> FunctionOptions() {
  using enum ValueType;
  return {
      {"functions.sleep_max", kDuration, MUSTER_FIELD(base::Duration, functions.sleep_max),
       "Longest time that the function sleep takes.", 0, 3650 * kDay},
      {"files.root",
       kText,
       MUSTER_FIELD(std::string, files.root),
       "Folder that file.read, file.write and file.list may use.",
       0,
       UINT64_MAX,
       {},
       "none: these functions are not registered"},
      {"files.read_bytes_max", kBytes, MUSTER_FIELD(uint64_t, files.read_bytes_max),
       "Bytes that file.read gives at most.", kKiB, kGiB},
      {"files.write_bytes_max", kBytes, MUSTER_FIELD(uint64_t, files.write_bytes_max),
       "Bytes that file.write takes at most.", kKiB, kGiB},
      {"files.list_max", kCount, MUSTER_FIELD(uint32_t, files.list_max), "Entries of one answer of file.list.", 1,
       1'000'000},
      {"http.allow_private", kList, MUSTER_FIELD(std::vector<std::string>, http.allow_private),
       "Loopback, private and link-local addresses that http.request may connect to: addresses and networks in CIDR "
       "form."},
      {"http.ca_file",
       kText,
       MUSTER_FIELD(std::string, http.ca_file),
       "PEM file with the authorities that http.request trusts.",
       0,
       UINT64_MAX,
       {},
       "the system's"},
      {"http.body_bytes_max", kBytes, MUSTER_FIELD(uint64_t, http.body_bytes_max),
       "Bytes of a response's body at most.", kKiB, kGiB},
      {"http.request_bytes_max", kBytes, MUSTER_FIELD(uint64_t, http.request_bytes_max),
       "Bytes of a request's body at most.", kKiB, kGiB},
      {"http.timeout_max", kDuration, MUSTER_FIELD(base::Duration, http.timeout_max),
       "Longest time of one request, redirects included.", 10 * kMillisecond, kDay},
      {"http.redirects_max", kCount, MUSTER_FIELD(uint32_t, http.redirects_max),
       "Redirects that one request follows at most.", 0, 50},
      {"http.transfers_max", kCount, MUSTER_FIELD(uint32_t, http.transfers_max),
       "Requests at a time, for each loop; the rest queues.", 1, 10'000},
      {"http.transfers_per_host_max", kCount, MUSTER_FIELD(uint32_t, http.transfers_per_host_max),
       "Requests at a time to one host, for each loop.", 1, 10'000},
      {"http.queue_max", kCount, MUSTER_FIELD(uint32_t, http.queue_max),
       "Requests that may queue, for each loop; past it they fail.", 1, 1'000'000},
  };
}

std::vector<Option> TestOptions() {
  using enum ValueType;
  return {
      {"clock", kChoice, MUSTER_FIELD(std::string, clock),
       "manual: time stands still until a test advances it; for tests only.", 0, UINT64_MAX, "system,manual"},
      {"ready_file", kText, MUSTER_FIELD(std::string, ready_file),
       "File that is written, as JSON with the bound addresses, once the server takes work."},
  };
}

#undef MUSTER_FIELD

std::vector<Option> AllOptions() {
  std::vector<Option> all;
  for (const auto& some : {ServerOptions(), LimitOptions(), FunctionOptions(), TestOptions()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
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

template <typename T>
T& At(const Option& option, Config& config) {
  const auto* get = std::get_if<T& (*)(Config&)>(&option.field);
  MUSTER_CHECK(get != nullptr) << "type and field do not match: " << option.key;
  return (*get)(config);
}

uint64_t Number(const Option& option, Config& config) {
  if (std::holds_alternative<uint32_t& (*)(Config&)>(option.field)) return At<uint32_t>(option, config);
  return At<uint64_t>(option, config);
}

std::string LimitText(const Option& option, uint64_t value) {
  switch (option.type) {
    case ValueType::kBytes:
      return BytesText(value);
    case ValueType::kDuration:
      return DurationText(base::Duration(static_cast<int64_t>(value)));
    default:
      return fmt::format("{}", value);
  }
}

std::string StoreNumber(const Option& option, std::string_view text, Config& config) {
  const bool bytes = option.type == ValueType::kBytes;
  const std::optional<uint64_t> number = bytes ? ParseBytes(text) : ParseCount(text);
  if (!number.has_value()) {
    return fmt::format(
        "\"{}\" is {}", text,
        bytes ? "no size; write a whole number with an optional unit, such as 64KiB or 4MiB" : "no whole number");
  }
  if (*number < option.min || *number > option.max) {
    return fmt::format("{} is out of range; allowed is {} to {}", text, LimitText(option, option.min),
                       LimitText(option, option.max));
  }
  if (std::holds_alternative<uint32_t& (*)(Config&)>(option.field)) {
    At<uint32_t>(option, config) = static_cast<uint32_t>(*number);
  } else {
    At<uint64_t>(option, config) = *number;
  }
  return {};
}

std::string StoreDuration(const Option& option, std::string_view text, Config& config) {
  const std::optional<base::Duration> duration = ParseDuration(text);
  if (!duration.has_value()) {
    return fmt::format("\"{}\" is no duration; write whole numbers with units us, ms, s, m, h, d, such as 90s or 1h30m",
                       text);
  }
  const auto count = static_cast<uint64_t>(duration->count());
  if (count < option.min || count > option.max) {
    return fmt::format("{} is out of range; allowed is {} to {}", text, LimitText(option, option.min),
                       LimitText(option, option.max));
  }
  At<base::Duration>(option, config) = *duration;
  return {};
}

std::string StoreChoice(const Option& option, std::string_view text, Config& config) {
  const std::vector<std::string> words = SplitTrimmed(option.choices, ',');
  if (std::find(words.begin(), words.end(), text) == words.end()) {
    const std::optional<std::string> meant = DidYouMean(text, words);
    return fmt::format("\"{}\" is none of {}{}", text, fmt::join(words, ", "),
                       meant.has_value() ? fmt::format("; did you mean {}?", *meant) : "");
  }
  At<std::string>(option, config) = std::string(text);
  return {};
}

}  // namespace

const std::vector<Option>& Options() {
  static const std::vector<Option> options = AllOptions();
  return options;
}

std::string FlagOf(const Option& option) { return Derived(option.key, "--", '-', false); }
std::string VariableOf(const Option& option) { return Derived(option.key, "MUSTER_", '_', true); }

std::string ValueText(const Option& option, const Config& config) {
  // The fields are reached by reference to a Config that may be changed; here it is only read.
  auto& values = const_cast<Config&>(config);
  switch (option.type) {
    case ValueType::kBool:
      return At<bool>(option, values) ? "true" : "false";
    case ValueType::kCount:
      return fmt::format("{}", Number(option, values));
    case ValueType::kBytes:
      return BytesText(Number(option, values));
    case ValueType::kDuration:
      return DurationText(At<base::Duration>(option, values));
    case ValueType::kList:
      return fmt::format("{}", fmt::join(At<std::vector<std::string>>(option, values), ","));
    case ValueType::kText:
    case ValueType::kChoice:
    case ValueType::kAddress:
      return At<std::string>(option, values);
  }
  return {};
}

std::string StoreValue(const Option& option, std::string_view text, Config& config) {
  switch (option.type) {
    case ValueType::kBool: {
      const std::optional<bool> value = ParseBool(text);
      if (!value.has_value()) return fmt::format("\"{}\" is neither true nor false", text);
      At<bool>(option, config) = *value;
      return {};
    }
    case ValueType::kCount:
    case ValueType::kBytes:
      return StoreNumber(option, text, config);
    case ValueType::kDuration:
      return StoreDuration(option, text, config);
    case ValueType::kChoice:
      return StoreChoice(option, text, config);
    case ValueType::kAddress: {
      HostPort parsed;
      if (!ParseHostPort(text, &parsed)) {
        return fmt::format(
            "\"{}\" is no address; write a numeric address or localhost and a port up to 65535, such as "
            "127.0.0.1:7411 or [::1]:7411",
            text);
      }
      At<std::string>(option, config) = std::string(text);
      return {};
    }
    case ValueType::kText:
      At<std::string>(option, config) = std::string(text);
      return {};
    case ValueType::kList:
      At<std::vector<std::string>>(option, config) = SplitTrimmed(text, ',');
      return {};
  }
  return {};
}

std::string ToString(const Problem& problem) {
  if (problem.key.empty()) return fmt::format("{}: {}", problem.where, problem.message);
  return fmt::format("{}: {}: {}", problem.where, problem.key, problem.message);
}

bool ParseHostPort(std::string_view text, HostPort* out) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::optional<uint64_t> port = ParseCount(text.substr(colon + 1));
  if (!port.has_value() || *port > 65535) return false;
  std::string host(text.substr(0, colon));
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  in6_addr address{};
  if (!(brackets ? inet_pton(AF_INET6, host.c_str(), &address) == 1
                 : host == "localhost" || inet_pton(AF_INET, host.c_str(), &address) == 1)) {
    return false;
  }
  out->host = std::move(host);
  out->port = static_cast<uint16_t>(*port);
  return true;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace muster::app
