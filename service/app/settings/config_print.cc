// The table of options as text: effective values, the reference page, --help.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "service/app/settings/config.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

using base::Option, base::ValueType;

std::string_view SectionOf(std::string_view key) {
  const size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string YamlValue(const Option& option) {
  const std::string text = base::ValueText(option);
  switch (option.type) {
    case ValueType::kBool:
    case ValueType::kCount:
    case ValueType::kBytes:
    case ValueType::kDuration:
    case ValueType::kChoice:
      return text;
    case ValueType::kText:
    case ValueType::kAddress:
      return Quoted(text);
    case ValueType::kList: {
      std::string list;
      for (const std::string& item : base::SplitTrimmed(text, ',')) list += (list.empty() ? "" : ", ") + Quoted(item);
      return "[" + list + "]";
    }
  }
  return text;
}

std::string LimitsText(const Option& option) {
  switch (option.type) {
    case ValueType::kCount:
    case ValueType::kBytes:
    case ValueType::kDuration:
      return fmt::format("{} to {}", base::BoundText(option, option.min), base::BoundText(option, option.max));
    case ValueType::kChoice:
      return fmt::format("{}", fmt::join(base::SplitTrimmed(option.choices, ','), ", "));
    default:
      return {};
  }
}

std::string_view TypeName(ValueType type) {
  switch (type) {
    case ValueType::kBool:
      return "true or false";
    case ValueType::kCount:
      return "number";
    case ValueType::kBytes:
      return "size";
    case ValueType::kDuration:
      return "duration";
    case ValueType::kText:
      return "text";
    case ValueType::kChoice:
      return "word";
    case ValueType::kAddress:
      return "address";
    case ValueType::kList:
      return "list";
  }
  return {};
}

// Of an option of a configuration that nobody has changed.
std::string DefaultText(const Option& option) {
  if (!option.default_note.empty()) return std::string(option.default_note);
  const std::string text = base::ValueText(option);
  return text.empty() ? "none" : text;
}

}  // namespace

std::string PrintConfig(LoadedConfig& loaded) {
  std::string text;
  std::string_view section;
  for (const Option& option : Options(loaded.config)) {
    std::string_view name = option.key;
    const std::string_view own = SectionOf(option.key);
    if (own != section && !own.empty()) text += fmt::format("{}:\n", own);
    section = own;
    if (!own.empty()) name.remove_prefix(own.size() + 1);
    const std::string line = fmt::format("{}{}: {}", own.empty() ? "" : "  ", name, YamlValue(option));
    const auto origin = loaded.origins.find(option.key);
    text += fmt::format("{:<48} # {}\n", line, origin == loaded.origins.end() ? "default" : origin->second);
  }
  return text;
}

std::string ConfigReferenceMarkdown() {
  std::string text =
      "# Configuration\n\n"
      "Every option of `musterd`. This page is generated from the tables in `service/app/settings/config.cc` and in\n"
      "`service/functions/`; `musterd --print-reference=configuration` prints it.\n\n"
      "A value comes from a flag, else from an environment variable, else from the YAML file that `--config` or\n"
      "`MUSTER_CONFIG` names, else it is the default. `musterd --print-config` shows each value and where it came "
      "from, in\n"
      "a form that is a configuration file again. `musterd --validate` names everything that is wrong, by file and "
      "line,\n"
      "and exits with 2, or with 0 when nothing is. Unknown keys are errors; unknown variables are not, because\n"
      "environments hold what others put there.\n\n"
      "```yaml\n"
      "grpc:\n"
      "  listen: 0.0.0.0:7411\n"
      "tls:\n"
      "  cert: /etc/muster/tls/tls.crt\n"
      "  key: /etc/muster/tls/tls.key\n"
      "blocking:\n"
      "  threads: 16\n"
      "limits:\n"
      "  payload_bytes_max: 256KiB\n"
      "```\n\n"
      "A *size* is a whole number of bytes with an optional unit (KiB, MiB, GiB, TiB; KB, MB, GB, TB). A *duration* "
      "is\n"
      "whole numbers with units (us, ms, s, m, h, d): `90s`, `1h30m`. A *list* is a YAML list; in a variable or a flag "
      "its\n"
      "items are separated by commas, and the flag may be repeated.\n";
  Config defaults;
  std::string_view section = "-";
  for (const Option& option : Options(defaults)) {
    const std::string_view own = SectionOf(option.key);
    if (own != section &&
        (!own.empty() || option.key == "loops" || option.key == "clock" || option.key == "insecure")) {
      text += fmt::format("\n## {}\n", own.empty() ? option.key : own);
    }
    section = own;
    text += fmt::format("\n### `{}`\n\n{}\n\n", option.key, option.help);
    text += fmt::format("- flag `{}`, variable `{}`\n", FlagOf(option), VariableOf(option));
    text += fmt::format("- {}", TypeName(option.type));
    if (const std::string limits = LimitsText(option); !limits.empty()) text += fmt::format(": {}", limits);
    const std::string value = DefaultText(option);
    const bool plain = !option.default_note.empty() || value == "none";
    text += plain ? fmt::format("; default: {}\n", value) : fmt::format("; default: `{}`\n", value);
  }
  return text;
}

std::string OptionsHelp() {
  std::string text;
  Config defaults;
  for (const Option& option : Options(defaults)) {
    const bool flag = option.type == ValueType::kBool;
    const std::string_view what = TypeName(option.type);
    const std::string name =
        flag ? FlagOf(option) : fmt::format("{} <{}>", FlagOf(option), what == "true or false" ? "bool" : what);
    text += fmt::format("  {}\n      {}\n      ", name, option.help);
    const std::string limits = LimitsText(option);
    if (!limits.empty()) text += fmt::format("{}; ", limits);
    text += fmt::format("default: {}\n", DefaultText(option));
  }
  return text;
}

}  // namespace muster::app
