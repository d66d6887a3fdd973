// functions, info and health.

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

struct FunctionFlags {
  std::string name;
  bool names = false;
};

// The first sentence, for a table.
std::string Summary(const std::string& description) {
  const std::size_t line = description.find('\n');
  const std::size_t sentence = description.find(". ");
  return description.substr(0, std::min(line, sentence == std::string::npos ? sentence : sentence + 1));
}

ExitCode Functions(Session& session, const FunctionFlags& flags) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto functions = client->ListFunctions();
  if (!functions.ok()) return session.Fail("cannot list functions", functions.status());
  if (!flags.name.empty()) {
    for (const auto& function : *functions) {
      if (function.name() != flags.name) continue;
      if (session.table()) {
        session.Print(Describe(session.out, function));
      } else {
        session.PrintJson(ToJson(function));
      }
      return kOk;
    }
    return session.Fail(fmt::format("no function '{}'", flags.name),
                        absl::NotFoundError("`muster functions` lists all"));
  }
  Json list = Json::array();
  Table table({"NAME", "KIND", "DESCRIPTION"});
  for (const auto& function : *functions) {
    if (flags.names) session.Print(function.name() + "\n");
    list.push_back(ToJson(function));
    table.Add({{function.name(), Colour::kBold}, {NameOf(function.kind())}, {Summary(function.description())}});
  }
  if (flags.names) return kOk;
  if (session.table()) {
    session.Print(table.Text(session.out));
  } else if (session.globals.format == Format::kJson) {
    session.PrintJson(list);
  } else {
    for (const Json& one : list) session.PrintJson(one);
  }
  return kOk;
}

ExitCode Info(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto info = client->GetServerInfo();
  if (!info.ok()) return session.Fail("cannot ask the server", info.status());
  if (session.table()) {
    session.Print(Describe(session.out, *info));
  } else {
    session.PrintJson(ToJson(*info));
  }
  return kOk;
}

struct HealthFlags {
  std::string service;
  bool live = false;
};

// For whoever looks after a container: a probe is no use when it hangs.
constexpr base::Duration kHealthTimeout = std::chrono::seconds(5);

ExitCode Health(Session& session, const HealthFlags& flags) {
  const auto client = session.Connect(session.globals.timeout.value_or(kHealthTimeout));
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const std::string service = flags.live ? "live" : flags.service;
  const auto serving = client->CheckHealth(service);
  if (!serving.ok()) return session.Fail("cannot ask for the server's health", serving.status());
  const std::string text = *serving ? "SERVING" : "NOT_SERVING";
  if (session.table()) {
    session.Print(text + "\n");
  } else {
    session.PrintJson({{"service", service}, {"status", text}});
  }
  return *serving ? kOk : kJobFailed;
}

}  // namespace

void AddServerVerbs(CLI::App& app, Verb& chosen) {
  auto* functions = app.add_subcommand("functions", "List what can be called, or show one function");
  auto flags = std::make_shared<FunctionFlags>();
  functions->add_option("NAME", flags->name, "Show this one, with an example");
  functions->add_flag("--names", flags->names, "Names only, one a line");
  functions->callback([flags, &chosen] { chosen = [flags](Session& session) { return Functions(session, *flags); }; });

  auto* info = app.add_subcommand("info", "Show the server's version, durability and limits");
  info->callback([&chosen] { chosen = [](Session& session) { return Info(session); }; });

  auto* health = app.add_subcommand("health", "Ask over a new connection whether the server takes work");
  auto asked = std::make_shared<HealthFlags>();
  auto* live =
      health->add_flag("--live", asked->live, "Whether it is alive: also while it reads its store and while it drains");
  health->add_option("--service", asked->service, "What to ask of, as in grpc.health.v1; default the whole server")
      ->excludes(live);
  health->callback([asked, &chosen] { chosen = [asked](Session& session) { return Health(session, *asked); }; });
}

}  // namespace muster::cli
