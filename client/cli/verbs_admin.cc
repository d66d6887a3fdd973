// admin: what an operator does to the store, of a running server through its admin port, or of a folder.

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include "client/cli/admin_port.h"
#include "client/cli/admin_store.h"
#include "client/cli/duration.h"
#include "client/cli/verbs.h"
#include "service/base/status.h"

namespace muster::cli {
namespace {

constexpr std::chrono::milliseconds kFirstPoll(20);
constexpr std::chrono::milliseconds kPollMax(500);

struct AdminFlags {
  std::string address = "localhost:7412";
  std::string store;   // empty: a running server
  std::string name;    // of a backup
  std::string backup;  // a folder
};

ExitCode NoAnswer(Session& session, const AdminPort& port, const absl::Status& status) {
  if (session.interrupt.raised()) return session.Interrupted("nothing was changed", {});
  if (absl::IsInvalidArgument(status)) return session.Usage(std::string(status.message()), "muster admin --help");
  return session.Failed(kUnavailable,
                        fmt::format("no server answers at {}: {}", port.address(), std::string(status.message())),
                        "--admin or MUSTER_ADMIN names the server's admin.listen; --store DIR needs no server");
}

// A refusal in HTTP's words, in ours.
ExitCode Refused(Session& session, const AdminPort& port, const AdminPort::Answer& answer) {
  switch (answer.status) {
    case 400:
      return session.Usage(answer.body, {});
    case 404:
    case 405:
      return session.Failed(kRefused, fmt::format("the server at {} keeps nothing", port.address()),
                            "its durability is none, or this is no musterd, or an older one; `muster info` tells");
    case 503:
      return session.Failed(kRefused, answer.body, "`muster admin operation` shows how it stands");
    default:
      return session.Failed(kInternal, fmt::format("the server says {}: {}", answer.status, answer.body), {});
  }
}

// "done compact: 3 MiB before, 1 MiB now"
struct OperationState {
  std::string state;      // idle, running, done, failed
  std::string operation;  // compact
  std::string result;
};
OperationState ParseState(const std::string& line) {
  OperationState parsed;
  const std::size_t space = line.find(' ');
  parsed.state = line.substr(0, space);
  if (space == std::string::npos) return parsed;
  const std::size_t colon = line.find(": ", space);
  parsed.operation = line.substr(space + 1, colon == std::string::npos ? colon : colon - space - 1);
  if (colon != std::string::npos) parsed.result = line.substr(colon + 2);
  return parsed;
}

void PrintState(Session& session, const OperationState& state) {
  if (session.table()) {
    std::string line = state.state;
    if (!state.operation.empty()) line += " " + state.operation;
    if (!state.result.empty()) line += ": " + state.result;
    session.Print(line + "\n");
    return;
  }
  Json json = {{"state", state.state}};
  if (!state.operation.empty()) json["operation"] = state.operation;
  if (!state.result.empty()) json["result"] = state.result;
  session.PrintJson(json);
}

// False after Ctrl-C.
bool Pause(Session& session, base::Duration duration) {
  pollfd raised = {session.interrupt.event_fd(), POLLIN, 0};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  (void)poll(&raised, 1, static_cast<int>(ms));
  return !session.interrupt.raised();
}

// Asks until the operation has ended. nullopt: time ran out; `last` has what was heard last.
absl::StatusOr<std::optional<AdminPort::Answer>> AwaitOperation(Session& session, AdminPort& port,
                                                                AdminPort::Answer last) {
  const base::SystemClock clock;
  const base::Instant end = session.globals.timeout ? base::Later(clock.Now(), *session.globals.timeout) : base::kNever;
  base::Duration pause = kFirstPoll;
  while (last.status == 200 && ParseState(last.body).state == "running") {
    const base::Instant now = clock.Now();
    if (now >= end) return std::nullopt;
    if (!Pause(session, std::min<base::Duration>(pause, std::max<base::Duration>(end - now, kFirstPoll)))) {
      return absl::CancelledError("interrupted");
    }
    pause = std::min<base::Duration>(pause * 2, kPollMax);
    MUSTER_ASSIGN_OR_RETURN(last, port.Post("/store/operation"));
  }
  return last;
}

ExitCode Operate(Session& session, const AdminFlags& flags, const std::string& operation) {
  AdminPort port(flags.address, session.interrupt);
  absl::StatusOr<AdminPort::Answer> begun = port.Post("/store/" + operation);
  if (!begun.ok()) return NoAnswer(session, port, begun.status());
  if (begun->status != 200) return Refused(session, port, *begun);
  absl::StatusOr<std::optional<AdminPort::Answer>> ended;
  {
    const Progress progress(session.err, !session.globals.quiet, fmt::format("{} at {}", operation, flags.address));
    ended = AwaitOperation(session, port, *std::move(begun));
  }
  if (session.interrupt.raised()) {
    return session.Interrupted("the server goes on", "`muster admin operation` shows how it stands");
  }
  if (!ended.ok()) return NoAnswer(session, port, ended.status());
  if (!ended->has_value()) {
    session.Note(
        fmt::format("muster: time ran out before {} was done; the server goes on: `muster admin operation` shows "
                    "how it stands",
                    operation));
    return kTimedOut;
  }
  if ((*ended)->status != 200) return Refused(session, port, **ended);
  const OperationState state = ParseState((*ended)->body);
  if (state.operation != operation) {
    return session.Failed(
        kInternal,
        fmt::format("how {} ended is not known: the server has gone on to \"{}\"", operation, (*ended)->body),
        "its log tells");
  }
  if (state.state != "done") return session.Failed(kJobFailed, fmt::format("{}: {}", operation, state.result), {});
  PrintState(session, state);
  return kOk;
}

ExitCode ShowOperation(Session& session, const AdminFlags& flags) {
  AdminPort port(flags.address, session.interrupt);
  const absl::StatusOr<AdminPort::Answer> answer = port.Post("/store/operation");
  if (!answer.ok()) return NoAnswer(session, port, answer.status());
  if (answer->status != 200) return Refused(session, port, *answer);
  PrintState(session, ParseState(answer->body));
  return kOk;
}

// One figure of /metrics: a number with the page's own words for it.
struct Figure {
  std::string name;
  std::string help;
  double value = 0;
};

// Those about the store, in the page's order. A histogram is its count and its sum.
std::vector<Figure> FiguresOf(const std::string& page) {
  std::vector<Figure> figures;
  std::map<std::string, std::string> helps;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    at = end + 1;
    constexpr std::string_view kHelp = "# HELP ";
    if (line.starts_with(kHelp)) {
      const std::size_t space = std::min(line.find(' ', kHelp.size()), line.size() - 1);
      helps[line.substr(kHelp.size(), space - kHelp.size())] = line.substr(space + 1);
      continue;
    }
    const std::size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string::npos || line.find('{') != std::string::npos) continue;
    Figure figure;
    figure.name = line.substr(0, space);
    if (!figure.name.starts_with("muster_store_") && !figure.name.starts_with("muster_journal_") &&
        !figure.name.starts_with("muster_recover")) {
      continue;
    }
    figure.value = std::strtod(line.c_str() + space + 1, nullptr);
    std::string family = figure.name;
    for (const std::string_view suffix : {"_count", "_sum"}) {
      if (family.ends_with(suffix)) family.resize(family.size() - suffix.size());
    }
    figure.help = helps[family];
    figures.push_back(std::move(figure));
  }
  return figures;
}

std::string ValueText(const Figure& figure) {
  const std::string& name = figure.name;
  if (name.find("_bytes") != std::string::npos) {
    return BytesOf(figure.value > 0 ? static_cast<uint64_t>(figure.value) : 0);
  }
  if (name.ends_with("_seconds") || name.ends_with("_seconds_sum")) {
    return FormatDuration(base::Duration(static_cast<int64_t>(figure.value * 1e6)));
  }
  return fmt::format("{:.0f}", figure.value);
}

std::string WordsOf(const Figure& figure) {
  const bool count = figure.name.ends_with("_count");
  if (!count && !figure.name.ends_with("_sum")) return figure.help;
  return fmt::format("{}: {}.", figure.help.substr(0, figure.help.rfind('.')), count ? "how many" : "in all");
}

ExitCode ShowServer(Session& session, const AdminFlags& flags) {
  AdminPort port(flags.address, session.interrupt);
  const absl::StatusOr<AdminPort::Answer> page = port.Get("/metrics");
  if (!page.ok()) return NoAnswer(session, port, page.status());
  if (page->status != 200) return Refused(session, port, *page);
  const std::vector<Figure> figures = FiguresOf(page->body);
  if (figures.empty()) return Refused(session, port, {404, {}});
  if (page->body.find("muster_durability{mode=\"none\"} 1") != std::string::npos) {
    return Refused(session, port, {404, {}});
  }
  if (!session.table()) {
    Json json = Json::object();
    for (const Figure& figure : figures) json[figure.name] = figure.value;
    session.PrintJson(json);
    return kOk;
  }
  Table table({"VALUE", "WHAT", "METRIC"});
  for (const Figure& figure : figures) {
    table.Add({{ValueText(figure), Colour::kBold}, {WordsOf(figure)}, {figure.name, Colour::kDim}});
  }
  session.Print(table.Text(session.out));
  return kOk;
}

// Flags of its own for each verb: what the environment says of --admin goes to all of them, given or not.
struct AdminVerb {
  CLI::App* verb = nullptr;
  std::shared_ptr<AdminFlags> flags = std::make_shared<AdminFlags>();

  void AskServer() const {
    verb->add_option("--admin", flags->address, "host:port of the server's admin port; default localhost:7412")
        ->envname("MUSTER_ADMIN")
        ->type_name("ADDRESS");
  }
  CLI::Option* AddStore(const std::string& help) const {
    return verb->add_option("--store", flags->store, help)->type_name("FOLDER");
  }
  void Does(Verb& chosen, ExitCode (*run)(Session&, const AdminFlags&)) const {
    verb->callback(
        [flags = flags, run, &chosen] { chosen = [flags, run](Session& session) { return run(session, *flags); }; });
  }
};

AdminVerb AddVerb(CLI::App& admin, const std::string& name, const std::string& help) {
  AdminVerb added;
  added.verb = admin.add_subcommand(name, help);
  return added;
}

ExitCode Backup(Session& session, const AdminFlags& flags) {
  return Operate(session, flags, "backup/" + PathPart(flags.name));
}
ExitCode Restore(Session& session, const AdminFlags& flags) { return RestoreStore(session, flags.backup, flags.store); }
ExitCode Verify(Session& session, const AdminFlags& flags) {
  return flags.store.empty() ? Operate(session, flags, "verify") : VerifyStore(session, flags.store);
}
ExitCode Compact(Session& session, const AdminFlags& flags) {
  return flags.store.empty() ? Operate(session, flags, "compact") : CompactStore(session, flags.store);
}
ExitCode Stats(Session& session, const AdminFlags& flags) {
  return flags.store.empty() ? ShowServer(session, flags) : ShowStore(session, flags.store);
}

}  // namespace

void AddAdminVerbs(CLI::App& app, Verb& chosen) {
  CLI::App* admin = app.add_subcommand("admin", "Look after the store of a server, or a store that no server runs on");
  admin->require_subcommand(1);

  const AdminVerb backup = AddVerb(*admin, "backup", "Have the server make a backup in its store.backup_dir");
  backup.verb->add_option("NAME", backup.flags->name, "What to call it: no folder of this name may be there yet")
      ->required();
  backup.AskServer();
  backup.Does(chosen, &Backup);

  const AdminVerb restore = AddVerb(*admin, "restore", "Make a store out of a backup, and verify it");
  restore.verb->add_option("BACKUP", restore.flags->backup, "The backup's folder; it is only read")
      ->type_name("FOLDER")
      ->required();
  restore.AddStore("Where the store is made: a folder that is missing or empty")->required();
  restore.Does(chosen, &Restore);

  const AdminVerb verify = AddVerb(*admin, "verify", "Read every byte of the store, and compare checksums");
  verify.AskServer();
  verify.AddStore("This folder, read here: its rows are decoded and compared too; a server may run on it");
  verify.Does(chosen, &Verify);

  const AdminVerb compact = AddVerb(*admin, "compact", "Give back the disk space of what was deleted");
  compact.AskServer();
  compact.AddStore("This folder, worked on here: no server may run on it");
  compact.Does(chosen, &Compact);

  const AdminVerb stats = AddVerb(*admin, "stats", "Show the figures of the store");
  stats.AskServer();
  stats.AddStore("This folder, read here: rows and futures are counted; a server may run on it");
  stats.Does(chosen, &Stats);

  const AdminVerb operation =
      AddVerb(*admin, "operation", "Show what the server does, or did last, of backup, compact and verify");
  operation.AskServer();
  operation.Does(chosen, &ShowOperation);
}

}  // namespace muster::cli
