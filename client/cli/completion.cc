// Shell completion scripts, made from the command line's own tree, so that they never lag behind it. Names of functions
// are asked of the server, for half a second at most.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

struct Option {
  std::string name;  // "--timeout"
  std::string help;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> values;
};

struct VerbNode {
  std::string path;  // "promise set"; empty at the root
  std::string help;
  std::vector<Option> options;
  std::vector<std::string> verbs;
  bool takes_function = false;
};

// "{table,json,jsonl}" as IsMember shows it.
std::vector<std::string> ValuesOf(const std::string& name) {
  if (name == "--output" || name == "-o") return {"table", "json", "jsonl"};
  if (name == "--durability") return {"none", "async", "sync"};
  if (name == "--state") return {"pending", "delayed", "queued", "running", "succeeded", "failed", "cancelled"};
  return {};
}

void Collect(const CLI::App& app, const std::string& path, std::vector<VerbNode>& nodes) {
  VerbNode node;
  node.path = path;
  node.help = app.get_description();
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) {
      node.takes_function = node.takes_function || option->get_name(true) == "FUNCTION";
      continue;
    }
    if (option->get_group().empty()) continue;  // hidden
    std::vector<std::string> names;
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : names) {
      Option one;
      one.name = name;
      one.help = option->get_description();
      one.takes_value = option->get_items_expected_max() > 0 && option->get_type_size_max() > 0;
      one.takes_file = option->get_type_name() == "FILE" || option->get_type_name() == "FOLDER";
      one.values = ValuesOf(name);
      node.options.push_back(std::move(one));
    }
  }
  std::vector<const CLI::App*> verbs = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* verb : verbs) node.verbs.push_back(verb->get_name());
  nodes.push_back(node);
  for (const CLI::App* verb : verbs)
    Collect(*verb, path.empty() ? verb->get_name() : path + " " + verb->get_name(), nodes);
}

std::string Words(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::vector<std::string> OptionNames(const VerbNode& node) {
  std::vector<std::string> names;
  for (const Option& option : node.options) names.push_back(option.name);
  return names;
}

constexpr char kBashHead[] = R"(# bash completion for muster: source <(muster completion bash)
_muster_functions() { muster functions --names --timeout 500ms --quiet "$@" 2>/dev/null; }
_muster() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path='' word i
  local verbs='' options='' functions=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case "$path $word" in
)";

constexpr char kBashTail[] = R"SH(  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ -n $verbs ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current")
  elif [[ $current == @* ]]; then
    mapfile -t COMPREPLY < <(compgen -P @ -f -- "${current#@}")
  elif [[ -n $functions && $previous == "${path##* }" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_muster_functions)" -- "$current")
  fi
}
complete -o filenames -F _muster muster
)SH";

std::string Bash(const std::vector<VerbNode>& nodes) {
  std::string script = kBashHead;
  std::vector<std::string> steps;
  for (const VerbNode& node : nodes) {
    if (node.path.empty()) continue;
    const std::size_t last = node.path.rfind(' ');
    steps.push_back(last == std::string::npos ? fmt::format("\" {}\"", node.path) : fmt::format("\"{}\"", node.path));
  }
  script += fmt::format("      {}) path=${{path:+$path }}$word ;;\n", fmt::join(steps, " | "));
  script += "    esac\n  done\n  case $previous in\n";
  std::vector<std::string> files;
  std::vector<std::string> seen;
  for (const VerbNode& node : nodes) {
    for (const Option& option : node.options) {
      if (std::find(seen.begin(), seen.end(), option.name) != seen.end()) continue;
      seen.push_back(option.name);
      if (!option.values.empty()) {
        script += fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\"); return ;;\n",
                              option.name, Words(option.values));
      } else if (option.takes_file) {
        files.push_back(option.name);
      }
    }
  }
  script +=
      fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n", fmt::join(files, " | "));
  script += "  esac\n  case $path in\n";
  const std::string global = Words(OptionNames(nodes.front()));
  for (const VerbNode& node : nodes) {
    std::string options = Words(OptionNames(node));
    if (!node.path.empty()) options += " " + global;
    script += fmt::format("    '{}') verbs='{}' options='{}'{} ;;\n", node.path, Words(node.verbs), options,
                          node.takes_function ? " functions=1" : "");
  }
  return script + kBashTail;
}

// zsh: quotes and brackets of a description would end the specification.
std::string ZshText(std::string text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'') {
      safe += "'\\''";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      safe += '\\';
      safe += c;
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string ZshOption(const Option& option) {
  std::string spec = fmt::format("'{}[{}]", option.name, ZshText(option.help));
  if (!option.values.empty()) {
    spec += fmt::format(":value:({})", Words(option.values));
  } else if (option.takes_file) {
    spec += ":file:_files";
  } else if (option.takes_value) {
    spec += ":value: ";
  }
  return spec + "'";
}

std::string Zsh(const std::vector<VerbNode>& nodes) {
  std::string script =
      "#compdef muster\n# zsh completion for muster: muster completion zsh > \"${fpath[1]}/_muster\"\n"
      "_muster_functions() { local -a names; names=(${(f)\"$(muster functions --names --timeout 500ms --quiet "
      "2>/dev/null)\"}); compadd -a names; }\n_muster() {\n  local curcontext=$curcontext state line path= word\n"
      "  local -a globals verbs\n  globals=(\n";
  for (const Option& option : nodes.front().options) script += "    " + ZshOption(option) + "\n";
  script += "  )\n  for word in ${words[2,CURRENT-1]}; do\n    case \"$path $word\" in\n";
  std::vector<std::string> steps;
  for (const VerbNode& node : nodes) {
    if (node.path.empty()) continue;
    steps.push_back(node.path.find(' ') == std::string::npos ? "\" " + node.path + "\"" : "\"" + node.path + "\"");
  }
  script += fmt::format("      {}) path=${{path:+$path }}$word ;;\n    esac\n  done\n  case $path in\n",
                        fmt::join(steps, "|"));
  for (const VerbNode& node : nodes) {
    script += fmt::format("    '{}')\n", node.path);
    if (!node.verbs.empty()) {
      script += "      verbs=(\n";
      for (const std::string& verb : node.verbs) {
        const std::string path = node.path.empty() ? verb : node.path + " " + verb;
        for (const VerbNode& child : nodes) {
          if (child.path == path) script += fmt::format("        '{}:{}'\n", verb, ZshText(child.help));
        }
      }
      script += "      )\n      if [[ ${words[CURRENT]} != -* ]]; then _describe verb verbs; return; fi\n";
    }
    script += "      _arguments -S";
    for (const Option& option : node.options) {
      if (!node.path.empty()) script += " \\\n        " + ZshOption(option);
    }
    script += " $globals";
    if (node.takes_function) script += " '*:function:_muster_functions'";
    script += "\n      ;;\n";
  }
  return script +
         "  esac\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _muster \"$@\"; else compdef _muster muster; "
         "fi\n";
}

std::string FishText(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'' || c == '\\') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string Fish(const std::vector<VerbNode>& nodes) {
  std::string script =
      "# fish completion for muster: muster completion fish > ~/.config/fish/completions/muster.fish\n"
      "complete -c muster -f\n";
  for (const VerbNode& node : nodes) {
    const std::size_t space = node.path.find(' ');
    std::string condition = "__fish_use_subcommand";
    if (!node.path.empty()) condition = "__fish_seen_subcommand_from " + node.path.substr(0, space);
    if (space != std::string::npos) condition += "; and __fish_seen_subcommand_from " + node.path.substr(space + 1);
    for (const std::string& verb : node.verbs) {
      const std::string path = node.path.empty() ? verb : node.path + " " + verb;
      for (const VerbNode& child : nodes) {
        if (child.path != path) continue;
        script += fmt::format("complete -c muster -n '{}' -a '{}' -d '{}'\n", condition, verb, FishText(child.help));
      }
    }
    for (const Option& option : node.options) {
      const bool is_long = option.name.size() > 2;
      script += "complete -c muster";
      if (!node.path.empty()) script += fmt::format(" -n '{}'", condition);
      script += fmt::format(" {} {} -d '{}'", is_long ? "-l" : "-s", option.name.substr(is_long ? 2 : 1),
                            FishText(option.help));
      if (!option.values.empty()) script += fmt::format(" -xa '{}'", Words(option.values));
      if (option.values.empty() && option.takes_file) script += " -rF";
      if (option.values.empty() && !option.takes_file && option.takes_value) script += " -x";
      script += "\n";
    }
    if (node.takes_function) {
      script += fmt::format(
          "complete -c muster -n '{}' -a '(muster functions --names --timeout 500ms --quiet 2>/dev/null)'\n",
          condition);
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  std::vector<VerbNode> nodes;
  Collect(app, {}, nodes);
  if (shell == "bash") return Bash(nodes);
  return shell == "zsh" ? Zsh(nodes) : Fish(nodes);
}

void AddCompletionVerb(CLI::App& app, Verb& chosen) {
  auto* completion = app.add_subcommand("completion", "Print a completion script: source <(muster completion bash)");
  auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([shell, &app, &chosen] {
    chosen = [shell, &app](Session& session) {
      session.Print(CompletionScript(app, *shell));
      return kOk;
    };
  });
}

}  // namespace muster::cli
