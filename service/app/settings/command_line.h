// musterd's command line: what to do, and the options that were given as flags.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace muster::app {

struct CommandLine {
  enum class Action { kRun, kValidate, kPrintConfig, kPrintReference, kVersion, kHelp };
  Action action = Action::kRun;
  std::string config_file;                                // of --config
  std::string reference;                                  // of --print-reference
  std::map<std::string, std::vector<std::string>> flags;  // by option key
};

// kInvalidArgument says which argument is wrong, and what may have been meant.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv);

std::string HelpText(std::string_view program);

}  // namespace muster::app
