// docs/reference/cli.md, made from the command line's own tree and the table of exit codes. A test compares the two.

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

constexpr char kHead[] = R"(# The `muster` command

<!-- Made by `muster --help-markdown`; do not edit. -->

`muster [GLOBAL OPTIONS] VERB [ARGUMENTS]`. Global options may stand before or behind the verb.
[The tour](../how-to/cli.md) shows it at work.

)";

constexpr char kOutput[] = R"(
## Output

`-o table` is for people: aligned, cut to the terminal, coloured on a terminal unless `NO_COLOR` is set, and free to
change. `-o json` prints one document, `-o jsonl` one a line. Their fields are stable: some may be added, none is renamed,
and nothing is cut.

| what | fields |
| --- | --- |
| submit | `id`, `state`, `deduplicated` |
| completion (`call`, `watch`, in `wait`) | `id`, `state`, `attempt`, `outcome`; `outcome_omitted` when it was too large for the message |
| outcome | one of `value` (with `content_type` and `metadata` where there are any), `error`, `cancelled` (`message`), `results` (a gather's outcomes) |
| value | JSON as it is, text as a string, bytes as `{"base64", "content_type"}` |
| error | `kind` (`application`, `cancelled`, `timed_out`, `queue_timed_out`, `interrupted`, `invalid_input`), `type`, `message`, `details`, `origin_id`, `cause` |
| `run` (always JSON unless `-o table`) | `line` and a completion; or `line`, `state` = `rejected`, `error` |
| `wait` | `end` (`satisfied`, `timed_out`), `done` (completions), `pending` (ids), `pending_count`; jsonl: completions, then `{"id", "state": "pending"}` |
| `gather` | `results` (outcomes in order), or `error` and `error_index`; jsonl: outcomes |
| future (`get`, `ls`) | `id`, `namespace`, `state`, `function`, `name`, `group`, `labels`, `cancelling`, `attempt`, `durability`, `create_time`, `start_time`, `end_time`, `expire_time`, `progress`, `member_ids`, `outcome` |
| `cancel` | `id`, `effect` (`cancelled`, `requested`, `already_done`, `not_found`) |
| `rm` | `deleted_count`, `failures` (`id`, `error`) |
| `promise` | `id`; set and fail: `id`, `state` |
| `functions` | `name`, `kind`, `description`, `input_example` |
| `info` | `version`, `instance_id`, `durability`, `features`, `time`, `manual_clock`, `limits` |
| `admin backup`, `compact`, `verify`, `operation` | `state` (`idle`, `running`, `done`, `failed`), `operation`, `result` |
| `admin stats` | the store's metrics by name |
| `admin stats --store` | `store`, `schema`, `shards`, `written_by`, `disk_bytes`, `free_bytes`, `tables` (each `rows`, `bytes`), `states` (futures in each), `namespaces` (the same for each) |
| `admin verify --store`, `restore` | the same, `damaged` (how many things), `damage` (the first hundred) |
| `admin compact --store` | `store`, `bytes_before`, `bytes_after` |
| refusal (in `run`, `rm`) | `code`, `reason`, `message` |

States are `pending`, `delayed`, `queued`, `running`, `succeeded`, `failed`, `cancelled`, `expired`. Absent fields have
no value. Times are RFC 3339.

Errors go to stderr as `muster: WHAT (REASON)` and, where there is something to do about it, a line `hint:`. The progress
line, remarks and errors never go to stdout.
)";

constexpr char kDurations[] = R"(
## Durations

A number with a unit: `250ms`, `1.5s`, `2m`, `1h`, `3d`, also `1h30m`; units are `us ms s m h d`.
)";

// Text that a Markdown table cell can hold.
std::string InCell(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|') safe += '\\';
    if (c == '\n') {
      safe += ' ';
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string OptionName(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::vector<std::string> names;
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (option.get_items_expected_max() > 0 && option.get_type_size_max() > 0) {
    std::string type = option.get_type_name();
    type = type.substr(0, type.find(':'));
    text += " " + (type.empty() ? "TEXT" : type);
  }
  return text;
}

std::string Options(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_group().empty() || option->get_lnames() == std::vector<std::string>{"help"}) continue;
    std::string help = option->get_description();
    if (!option->get_envname().empty()) help += fmt::format(" (environment: `{}`)", option->get_envname());
    text += fmt::format("| `{}` | {} |\n", InCell(OptionName(*option)), InCell(help));
  }
  return text.empty() ? text : "\n| option | meaning |\n| --- | --- |\n" + text;
}

void AddVerb(const CLI::App& verb, const std::string& path, std::string& text) {
  const auto children = verb.get_subcommands([](const CLI::App*) { return true; });
  text += fmt::format("\n### muster {}\n\n{}.\n", path, verb.get_description());
  text += Options(verb);
  for (const CLI::App* child : children) AddVerb(*child, path + " " + child->get_name(), text);
}

}  // namespace

std::string HelpMarkdown(const CLI::App& app) {
  std::string text = kHead;
  text += "## Global options\n" + Options(app) + "\n## Verbs\n";
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    AddVerb(*verb, verb->get_name(), text);
  }
  text += kOutput;
  text += kDurations;
  text += "\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n";
#define MUSTER_EXIT_CODE_ROW(name, code, meaning) text += fmt::format("| {} | {} |\n", code, meaning);
  MUSTER_EXIT_CODES(MUSTER_EXIT_CODE_ROW)
#undef MUSTER_EXIT_CODE_ROW
  return text;
}

}  // namespace muster::cli
