#include "service/app/main.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include <fmt/format.h>
#include <sys/stat.h>

#include "service/app/server.h"
#include "service/app/settings/cgroup.h"
#include "service/app/settings/command_line.h"
#include "service/app/settings/config.h"
#include "service/app/settings/families.h"
#include "service/app/settings/logging.h"
#include "service/app/signals.h"
#include "service/app/tls.h"
#include "service/app/version.h"
#include "service/base/failpoint.h"
#include "service/functions/reference.h"
#include "service/metrics/registry.h"

extern char** environ;

namespace muster::app {
namespace {

constexpr int kFailed = 1, kBadConfiguration = 2;

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (const size_t equals = text.find('='); equals != std::string::npos) {
      variables[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return variables;
}

// What only reading the files and addresses can tell.
void CheckDeeply(LoadedConfig& loaded) {
  const Config& config = loaded.config;
  if (!loaded.problems.empty() || config.tls.cert.empty()) return;
  const auto material = LoadTlsMaterial({config.tls.cert, config.tls.key, config.tls.client_ca});
  if (!material.ok()) {
    loaded.problems.push_back({loaded.origins.at("tls.cert"), "tls", std::string(material.status().message())});
  }
}

// A folder that the operator names must have a place: it may be a mount that is missing. The default's is made, as the
// XDG base directory specification wants it: for the user alone.
bool MakeDefaultStoreParent(const LoadedConfig& loaded) {
  const std::string& origin = loaded.origins.at("store.dir");
  if (loaded.config.durability == "none" || (origin != "XDG_STATE_HOME" && origin != "HOME")) return true;
  std::string made;
  const std::string parent = loaded.config.store.dir.substr(0, loaded.config.store.dir.rfind('/'));
  for (size_t slash = parent.find('/', 1);; slash = parent.find('/', slash + 1)) {
    made = parent.substr(0, slash);
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) {
      fmt::print(stderr,
                 "musterd: can't make {}, where futures are to be kept: {}; set store.dir, or durability to none\n",
                 made, std::strerror(errno));
      return false;
    }
    if (slash == std::string::npos) return true;
  }
}

int Report(const LoadedConfig& loaded) {
  for (const Problem& problem : loaded.problems) fmt::print(stderr, "{}\n", ToString(problem));
  fmt::print(stderr, "{} problem{} in the configuration\n", loaded.problems.size(),
             loaded.problems.size() == 1 ? "" : "s");
  return kBadConfiguration;
}

int PrintReference(const std::string& what) {
  fmt::print("{}", what == "metrics"     ? metrics::ReferenceMarkdown()
                   : what == "functions" ? functions::ReferenceMarkdown(AllFamilies())
                                         : ConfigReferenceMarkdown());
  return 0;
}

}  // namespace

int Main(int argc, const char* const* argv, const AddFunctions& add) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(argc, argv);
  if (!line.ok()) {
    fmt::print(stderr, "musterd: {}\n", std::string(line.status().message()));
    return kBadConfiguration;
  }
  using Action = CommandLine::Action;
  if (line->action == Action::kHelp) {
    fmt::print("{}", HelpText("musterd"));
    return 0;
  }
  if (line->action == Action::kVersion) {
    fmt::print("musterd {}\n", VersionText());
    return 0;
  }
  if (line->action == Action::kPrintReference) return PrintReference(line->reference);

  ConfigSources sources;
  sources.environment = Environment();
  sources.memory_bytes = ReadCgroupLimits().memory_bytes;
  sources.flags = line->flags;
  sources.file = line->config_file;
  if (const auto found = sources.environment.find("MUSTER_CONFIG");
      sources.file.empty() && found != sources.environment.end()) {
    sources.file = found->second;
  }
  LoadedConfig loaded = LoadConfig(sources);
  CheckDeeply(loaded);
  if (!loaded.problems.empty()) return Report(loaded);
  if (line->action == Action::kValidate) {
    fmt::print("the configuration is valid\n");
    return 0;
  }
  if (line->action == Action::kPrintConfig) {
    fmt::print("{}", PrintConfig(loaded));
    return 0;
  }

  if (const auto failpoints = sources.environment.find("MUSTER_FAILPOINT"); failpoints != sources.environment.end()) {
    if (const absl::Status armed = base::ArmFailpoints(failpoints->second); !armed.ok()) {
      fmt::print(stderr, "MUSTER_FAILPOINT: {}\n", std::string(armed.message()));
      return kBadConfiguration;
    }
  }

  if (!MakeDefaultStoreParent(loaded)) return kFailed;
  BlockSignals();
  StartLogging(loaded.config.log.level, loaded.config.log.format);
  const absl::Status status = RunServer(loaded.config, add);
  if (!status.ok()) base::LogError("musterd can't serve", {{"error", std::string(status.message())}});
  StopLogging();
  return status.ok() ? 0 : kFailed;
}

}  // namespace muster::app
