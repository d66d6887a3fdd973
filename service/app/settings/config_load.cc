// Where values come from: a YAML file, the environment, flags; and what may not stand beside each other.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "service/app/settings/config.h"
#include "service/base/options/host_port.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

using base::Option;

constexpr size_t kFileBytesMax = 1u << 20;

// The table of one configuration, with what its readers ask.
class Table {
 public:
  explicit Table(Config& config) : options_(Options(config)) {}

  const std::vector<Option>& options() const { return options_; }

  // Null when there is none.
  const Option* Find(std::string_view key) const {
    for (const Option& option : options_) {
      if (option.key == key) return &option;
    }
    return nullptr;
  }

  // Whether options live below `key`, as "limits.set_max" below "limits".
  bool IsSection(std::string_view key) const {
    return std::any_of(options_.begin(), options_.end(), [&](const Option& option) {
      return option.key.size() > key.size() && option.key.starts_with(key) && option.key[key.size()] == '.';
    });
  }

  // What to say of a key that is neither.
  std::string Unknown(std::string_view key) const {
    std::vector<std::string> known;
    for (const Option& option : options_) {
      known.emplace_back(option.key);
      const size_t dot = option.key.find('.');
      if (dot != std::string_view::npos) known.emplace_back(option.key.substr(0, dot));
    }
    const std::optional<std::string> meant = base::DidYouMean(key, known);
    return meant.has_value() ? fmt::format("no such key; did you mean {}?", *meant) : "no such key; see musterd --help";
  }

 private:
  const std::vector<Option> options_;
};

// The YAML file, read key by key; everything that is wrong with it goes into `loaded.problems`.
class FileReader {
 public:
  FileReader(std::string name, const Table& table, LoadedConfig& loaded)
      : name_(std::move(name)), table_(table), loaded_(loaded) {}

  void Read() {
    std::string text;
    if (!ReadText(&text)) return;
    try {
      const YAML::Node root = YAML::Load(text);
      if (root.IsNull() || !root.IsDefined()) return;
      if (!root.IsMap()) return Fail(root, "", "the file must be a mapping of keys to values");
      ReadMap(root, "");
    } catch (const YAML::Exception& error) {
      loaded_.problems.push_back({Where(error.mark), "", fmt::format("no valid YAML: {}", error.msg)});
    }
  }

 private:
  bool ReadText(std::string* text) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name_.c_str(), "re"), &std::fclose);
    if (file == nullptr) {
      loaded_.problems.push_back({name_, "", fmt::format("can't be read: {}", std::strerror(errno))});
      return false;
    }
    text->resize(kFileBytesMax + 1);
    const size_t size = std::fread(text->data(), 1, text->size(), file.get());
    text->resize(size);
    if (std::ferror(file.get()) != 0) {
      loaded_.problems.push_back({name_, "", fmt::format("can't be read: {}", std::strerror(errno))});
      return false;
    }
    if (size > kFileBytesMax) {
      loaded_.problems.push_back({name_, "", fmt::format("larger than {}", base::BytesText(kFileBytesMax))});
      return false;
    }
    return true;
  }

  std::string Where(const YAML::Mark& mark) const {
    return mark.is_null() ? name_ : fmt::format("{}:{}", name_, mark.line + 1);
  }
  void Fail(const YAML::Node& at, const std::string& key, std::string message) {
    loaded_.problems.push_back({Where(at.Mark()), key, std::move(message)});
  }

  void ReadMap(const YAML::Node& map, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        Fail(entry.first, prefix, "a key must be a word");
        continue;
      }
      const std::string key = prefix.empty() ? entry.first.Scalar() : prefix + "." + entry.first.Scalar();
      if (!seen.insert(key).second) {
        Fail(entry.first, key, "given twice");
        continue;
      }
      ReadEntry(entry.first, entry.second, key);
    }
  }

  void ReadEntry(const YAML::Node& name, const YAML::Node& value, const std::string& key) {
    const Option* option = table_.Find(key);
    if (option == nullptr) {
      if (!table_.IsSection(key)) return Fail(name, key, table_.Unknown(key));
      if (value.IsNull()) return;  // a section of which everything is commented out
      if (!value.IsMap()) return Fail(value, key, "must hold keys of its own");
      return ReadMap(value, key);
    }
    std::string text;
    if (option->type == base::ValueType::kList && value.IsSequence()) {
      for (const YAML::Node& item : value) {
        if (!item.IsScalar()) return Fail(item, key, "each item must be a plain value");
        text += (text.empty() ? "" : ",") + item.Scalar();
      }
    } else if (value.IsScalar()) {
      text = value.Scalar();
    } else if (value.IsNull()) {
      return Fail(name, key, "has no value");
    } else {
      return Fail(value, key, option->type == base::ValueType::kList ? "must be a list" : "must be one plain value");
    }
    if (std::string wrong = base::StoreValue(*option, text); !wrong.empty()) {
      return Fail(value, key, std::move(wrong));
    }
    loaded_.origins[key] = Where(value.Mark());
  }

  const std::string name_;
  const Table& table_;
  LoadedConfig& loaded_;
};

void Store(const Option& option, std::string_view text, const std::string& where, LoadedConfig& loaded) {
  if (std::string wrong = base::StoreValue(option, text); !wrong.empty()) {
    loaded.problems.push_back({where, std::string(option.key), std::move(wrong)});
  } else {
    loaded.origins[std::string(option.key)] = where;
  }
}

// Where state belongs that is neither configuration nor cache (the XDG base directory specification).
void PlaceStore(const ConfigSources& sources, LoadedConfig& loaded) {
  Config::Store& store = loaded.config.store;
  if (loaded.config.durability == "none" || !store.dir.empty()) return;
  const auto variable = [&](const char* name) {
    const auto found = sources.environment.find(name);
    // The specification has relative paths ignored.
    return found != sources.environment.end() && found->second.starts_with('/') ? found->second : std::string();
  };
  if (const std::string state = variable("XDG_STATE_HOME"); !state.empty()) {
    store.dir = state + "/muster";
    loaded.origins["store.dir"] = "XDG_STATE_HOME";
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    store.dir = home + "/.local/state/muster";
    loaded.origins["store.dir"] = "HOME";
  } else {
    loaded.problems.push_back({"default", "store.dir",
                               "neither XDG_STATE_HOME nor HOME names a folder: say where futures are to be kept, or "
                               "set durability to none to hold them in memory"});
  }
}

// One namespace may fill half of the memory: the rest is for the others, for what is under way, and for the store.
void FitMemory(const ConfigSources& sources, const Table& table, LoadedConfig& loaded) {
  constexpr std::string_view kKey = "limits.namespace_bytes_max";
  std::string& origin = loaded.origins.find(kKey)->second;
  uint64_t& bytes = loaded.config.limits.namespace_bytes_max;
  if (origin != "default" || !sources.memory_bytes.has_value() || bytes <= *sources.memory_bytes / 2) return;
  bytes = std::max<uint64_t>(*sources.memory_bytes / 2, table.Find(kKey)->min);
  origin = "half of the memory limit";
}

}  // namespace

LoadedConfig LoadConfig(const ConfigSources& sources) {
  LoadedConfig loaded;
  const Table table(loaded.config);
  for (const Option& option : table.options()) loaded.origins[std::string(option.key)] = "default";
  if (!sources.file.empty()) FileReader(sources.file, table, loaded).Read();
  for (const Option& option : table.options()) {
    const std::string variable = VariableOf(option);
    if (const auto found = sources.environment.find(variable); found != sources.environment.end()) {
      Store(option, found->second, variable, loaded);
    }
  }
  for (const auto& [key, values] : sources.flags) {
    const Option* option = table.Find(key);
    if (option == nullptr || values.empty()) continue;
    if (option->type == base::ValueType::kList) {
      Store(*option, fmt::format("{}", fmt::join(values, ",")), FlagOf(*option), loaded);
    } else if (values.size() > 1) {
      loaded.problems.push_back({FlagOf(*option), key, "given twice"});
    } else {
      Store(*option, values.front(), FlagOf(*option), loaded);
    }
  }
  PlaceStore(sources, loaded);
  FitMemory(sources, table, loaded);
  CheckTogether(loaded);
  return loaded;
}

void CheckTogether(LoadedConfig& loaded) {
  const Config& config = loaded.config;
  const auto fail = [&](std::string key, std::string message) {
    const auto origin = loaded.origins.find(key);
    loaded.problems.push_back(
        {origin == loaded.origins.end() ? "default" : origin->second, std::move(key), std::move(message)});
  };
  const auto needs_file = [&](const std::string& key, const std::string& path) {
    if (std::string wrong = base::WrongWithFile(path); !wrong.empty()) fail(key, std::move(wrong));
  };
  const bool tls = !config.tls.cert.empty();
  if (tls && config.tls.key.empty()) fail("tls.cert", "needs tls.key beside it");
  if (!tls && !config.tls.key.empty()) fail("tls.key", "needs tls.cert beside it");
  if (!tls && !config.tls.client_ca.empty()) fail("tls.client_ca", "needs tls.cert and tls.key beside it");
  needs_file("tls.cert", config.tls.cert);
  needs_file("tls.key", config.tls.key);
  needs_file("tls.client_ca", config.tls.client_ca);

  base::HostPort grpc, admin;
  base::ParseHostPort(config.grpc.listen, &grpc);
  base::ParseHostPort(config.admin.listen, &admin);
  if (!tls && !config.insecure && !base::IsLoopback(grpc.host)) {
    fail("grpc.listen",
         fmt::format("{} is not loopback, and without TLS anybody who reaches it can run every function; "
                     "set tls.cert and tls.key, or insecure to allow it",
                     config.grpc.listen));
  }
  base::HostPort plaintext;
  if (!config.grpc.plaintext_listen.empty()) {
    if (!base::ParseHostPort(config.grpc.plaintext_listen, &plaintext)) {
      fail("grpc.plaintext_listen", fmt::format("\"{}\" is no address", config.grpc.plaintext_listen));
    } else if (!tls && !config.insecure && !base::IsLoopback(plaintext.host)) {
      fail("grpc.plaintext_listen",
           fmt::format("{} is not loopback, and this listener has no TLS; set insecure to allow it",
                       config.grpc.plaintext_listen));
    }
  }
  if (!config.insecure && !base::IsLoopback(admin.host)) {
    fail("admin.listen", fmt::format("{} is not loopback, and this listener has no TLS; set insecure to allow it",
                                     config.admin.listen));
  }
  if (grpc.port != 0 && grpc.port == admin.port && grpc.host == admin.host) {
    fail("admin.listen", fmt::format("{} is grpc.listen too", config.admin.listen));
  }
  if (config.limits.payload_bytes_max > config.limits.message_bytes_max) {
    fail("limits.payload_bytes_max",
         fmt::format("{} is over limits.message_bytes_max, {}", base::BytesText(config.limits.payload_bytes_max),
                     base::BytesText(config.limits.message_bytes_max)));
  }
  if (config.durability != "none" && !config.store.dir.empty() && config.store.backup_dir == config.store.dir) {
    fail("store.backup_dir", "is store.dir too; name another folder");
  }
  for (const auto& family : config.families) {
    for (base::OptionProblem& problem : family->Check()) fail(std::move(problem.key), std::move(problem.message));
  }
}

}  // namespace muster::app
