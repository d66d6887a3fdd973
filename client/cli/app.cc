#include "client/cli/app.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/duration.h"
#include "client/cli/job_options.h"
#include "client/cli/verbs.h"

#ifndef MUSTER_VERSION
#define MUSTER_VERSION "unknown"
#endif

namespace muster::cli {
namespace {

// Help in the order: usage, what it is, options; wide enough for one line an option.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    // The whole path of a nested verb: "muster promise set".
    for (const CLI::App* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent()) {
      std::string prefix = parent->get_name();
      prefix += ' ';
      if (name.find(prefix) != 0) name.insert(0, prefix);
    }
    return CLI::Formatter::make_usage(app, std::move(name));
  }
};

void AddGlobals(CLI::App& app, Globals& globals, bool& markdown) {
  const char* group = "Global options";
  app.add_option("--server", globals.server, "host:port of the server; default localhost:7411")
      ->envname("MUSTER_SERVER")
      ->type_name("ADDRESS")
      ->group(group);
  app.add_option("--namespace", globals.name_space, "Where the futures live; default \"default\"")
      ->envname("MUSTER_NAMESPACE")
      ->type_name("NAME")
      ->group(group);
  const std::map<std::string, Format> formats = {
      {"table", Format::kTable}, {"json", Format::kJson}, {"jsonl", Format::kJsonLines}};
  app.add_option_function<std::string>(
         "-o,--output",
         [&globals, formats](const std::string& name) {
           globals.format = formats.at(name);
           globals.format_given = true;
         },
         "table (for people), json or jsonl (stable, never cut)")
      ->check(CLI::IsMember({"table", "json", "jsonl"}))
      ->type_name("FORMAT")
      ->group(group);
  AddDuration(app, "--timeout", globals.timeout, "How long to wait, such as 250ms, 1.5s, 2m; 0 asks what is done now")
      ->group(group);
  app.add_flag("--tls", globals.tls, "Connect with TLS; implied by the three below")->group(group);
  app.add_option("--ca", globals.tls_files.ca_file, "Authorities' certificates; default the system's")
      ->envname("MUSTER_TLS_CA")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--cert", globals.tls_files.cert_file, "This client's certificate")
      ->envname("MUSTER_TLS_CERT")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--key", globals.tls_files.key_file, "Its key")
      ->envname("MUSTER_TLS_KEY")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("-q,--quiet", globals.quiet, "No progress line, no remarks")->group(group);
  app.set_version_flag("--version", "muster " MUSTER_VERSION, "Print the version")->group(group);
  app.add_flag("--help-markdown", markdown, "Print this reference as Markdown")->group("");
}

// A word that is no verb: the nearest ones.
std::string NearestVerb(const CLI::App& app, const std::string& word) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string& name = verb->get_name();
    std::size_t same = 0;
    while (same < std::min(name.size(), word.size()) && name[same] == word[same]) ++same;
    if (same >= 2 || (same == 1 && name.size() == word.size())) return fmt::format("did you mean `muster {}`? ", name);
  }
  return {};
}

int UsageError(Session& session, const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const CLI::App* verb = &app;
  std::string path = "muster";
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
    path += " " + verb->get_name();
  }
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::string hint = path + " --help";
  if (verb == &app && argc > 1 && argv[1][0] != '-') {
    message = fmt::format("'{}' is no verb", argv[1]);
    hint = NearestVerb(app, argv[1]) + "muster --help lists all";
  }
  return session.Usage(message, hint);
}

int Run(int argc, char** argv) {
  Interrupt::BlockSignals();
  Session session;
  Verb chosen;
  bool markdown = false;
  CLI::App app("Muster from the shell: submit jobs, wait for them, take their results", "muster");
  app.formatter(std::make_shared<HelpFormatter>());
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.footer("`muster VERB --help` says more. Exit codes: docs/reference/cli.md, or muster --help-markdown.");
  AddGlobals(app, session.globals, markdown);
  AddSubmitVerbs(app, chosen);
  AddRunVerb(app, chosen);
  AddWaitVerbs(app, chosen);
  AddInspectVerbs(app, chosen);
  AddPromiseVerbs(app, chosen);
  AddServerVerbs(app, chosen);
  AddAdminVerbs(app, chosen);
  AddCompletionVerb(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return UsageError(session, app, error, argc, argv);
  }
  if (markdown) {
    session.Print(HelpMarkdown(app));
    return kOk;
  }
  if (!chosen) {
    session.Print(app.help());
    return argc > 1 ? kUsage : kOk;
  }
  const auto& files = session.globals.tls_files;
  if (!files.ca_file.empty() || !files.cert_file.empty() || !files.key_file.empty()) session.globals.tls = true;
  return chosen(session);
}

}  // namespace

int Main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: %s\n", error.what());
    return kInternal;
  }
}

}  // namespace muster::cli
