#include "service/app/settings/command_line.h"

#include <map>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "service/app/settings/config.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

absl::Status UnknownArgument(const std::string& argument) {
  std::vector<std::string> known = {"--config",          "--validate", "--print-config",
                                    "--print-reference", "--version",  "--help"};
  Config config;
  for (const base::Option& option : Options(config)) known.push_back(FlagOf(option));
  const std::optional<std::string> meant = base::DidYouMean(argument.substr(0, argument.find('=')), known);
  return absl::InvalidArgumentError(
      fmt::format("unexpected argument {}{}", argument,
                  meant.has_value() ? fmt::format("; did you mean {}?", *meant) : std::string("; see --help")));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App parser;
  parser.set_help_flag();
  parser.allow_extras();
  bool help = false, version = false, validate = false, print_config = false;
  parser.add_flag("-h,--help", help);
  parser.add_flag("-V,--version", version);
  parser.add_flag("--validate", validate);
  parser.add_flag("--print-config", print_config);
  parser.add_option("--print-reference", line.reference)
      ->check(CLI::IsMember({"configuration", "functions", "metrics"}));
  parser.add_option("-c,--config", line.config_file);
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, CLI::Option*> given;
  Config config;
  for (const base::Option& option : Options(config)) {
    const std::string key(option.key);
    if (option.type == base::ValueType::kBool) {
      given[key] = parser.add_flag(FlagOf(option))->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      given[key] = parser.add_option(FlagOf(option), values[key])
                       ->expected(1)
                       ->allow_extra_args(false)
                       ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(std::string(error.what()));
  }
  if (const std::vector<std::string> rest = parser.remaining(); !rest.empty()) return UnknownArgument(rest.front());
  for (const auto& [key, option] : given) {
    if (option->count() > 0) line.flags[key] = option->results();
  }
  using Action = CommandLine::Action;
  if (help) {
    line.action = Action::kHelp;
  } else if (version) {
    line.action = Action::kVersion;
  } else if (!line.reference.empty()) {
    line.action = Action::kPrintReference;
  } else if (print_config) {
    line.action = Action::kPrintConfig;
  } else if (validate) {
    line.action = Action::kValidate;
  }
  return line;
}

std::string HelpText(std::string_view program) {
  return fmt::format(
      "{0}: asyncio as a service. Runs jobs and serves their futures over gRPC until SIGTERM or SIGINT.\n"
      "\n"
      "usage: {0} [--config FILE] [OPTION...]\n"
      "\n"
      "  -c, --config FILE          read options from this YAML file (or MUSTER_CONFIG)\n"
      "      --validate             check the configuration and exit: 0 when it is good, 2 with a list of what is not\n"
      "      --print-config         print the effective values and where each came from, and exit\n"
      "      --print-reference WHAT print the reference page: configuration, functions or metrics\n"
      "  -V, --version              print the version and exit\n"
      "  -h, --help                 print this and exit\n"
      "\n"
      "Options. Each is a key of the file too (--grpc-listen is grpc.listen) and a variable (MUSTER_GRPC_LISTEN); "
      "flags\n"
      "win over variables, variables over the file.\n"
      "\n"
      "{1}"
      "\n"
      "Exit status: 0 after a drain, 1 when it can't serve, 2 for a bad configuration, 130 or 143 when a second "
      "signal\n"
      "cuts the drain short.\n",
      program, OptionsHelp());
}

}  // namespace muster::app
