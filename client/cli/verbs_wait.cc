// wait, gather and watch.

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/job_options.h"
#include "client/cli/set_flags.h"
#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

// What a running member last said of itself, for the progress line.
std::string ProgressNote(const client::CompletionStream& stream) {
  if (stream.progress().empty()) return {};
  const v1::Progress& one = stream.progress().begin()->second;
  return fmt::format("{:.0f} % {}", one.fraction() * 100, one.message());
}

// Keeps the progress line of a Wait or Gather up to date from an AsCompleted stream of its own, without outcomes. On no
// terminal it does nothing at all.
class Observer {
 public:
  Observer(Session& session, const client::Client& client, const SetFlags& set, std::string what)
      : progress_(session.err, !session.globals.quiet, std::move(what)),
        client_(client.WithNamespace(client.name_space())) {
    if (!set.ids.empty()) progress_.Set(0, set.ids.size());
    if (progress_.enabled()) thread_ = base::Thread("muster-observer", [this, set] { Observe(set); });
  }
  ~Observer() {
    client_.Interrupt();
    thread_.Join();
  }

 private:
  void Observe(const SetFlags& set) {
    client::AsCompletedOptions options;
    options.view = v1::OUTCOME_VIEW_NONE;
    options.progress_interval = std::chrono::milliseconds(500);
    auto range = client_.AsCompleted(ToSet(set), options);
    std::size_t done = 0;
    std::size_t total = set.ids.size();
    range.stream().OnMessage([&](const client::CompletionStream& stream) {
      total = std::max(total, done + stream.remaining().value_or(0));
      progress_.Set(done, total, ProgressNote(stream));
    });
    while (range.Next()) {
      ++done;
      const std::size_t remaining = range.stream().remaining().value_or(0);
      total = std::max(set.ids.empty() ? std::size_t{0} : total, done + remaining);
      progress_.Set(done, total, ProgressNote(range.stream()));
    }
  }

  Progress progress_;
  const client::Client client_;
  base::Thread thread_;
};

struct WaitFlags {
  SetFlags set;
  bool any = false;
  bool first_exception = false;
  bool states = false;
};

void PrintWait(Session& session, const client::WaitResult& result) {
  if (session.globals.format == Format::kJson) return session.PrintJson(ToJson(result));
  if (session.globals.format == Format::kJsonLines) {
    for (const auto& completion : result.done) session.PrintJson(ToJson(completion));
    for (const auto& id : result.pending_ids) session.PrintJson(Json{{"id", id}, {"state", "pending"}});
    return;
  }
  Table table({"ID", "STATE", "RESULT"});
  for (const auto& completion : result.done) {
    table.Add({{completion.id()},
               {NameOf(completion.state()), ColourOf(completion.state())},
               {Brief(completion.outcome(), completion.outcome_omitted())}});
  }
  for (const auto& id : result.pending_ids) table.Add({{id}, {"pending", Colour::kDim}, {}});
  session.Print(table.Text(session.out));
}

ExitCode Wait(Session& session, WaitFlags flags) {
  if (const absl::Status read = ReadIds(flags.set); !read.ok()) {
    return session.Usage(std::string(read.message()), "muster wait --help");
  }
  const auto client = session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  client::WaitOptions options;
  options.timeout = session.globals.timeout;
  if (flags.any) options.return_when = v1::RETURN_WHEN_FIRST_COMPLETED;
  if (flags.first_exception) options.return_when = v1::RETURN_WHEN_FIRST_EXCEPTION;
  if (flags.states) options.view = v1::OUTCOME_VIEW_NONE;
  absl::StatusOr<client::WaitResult> result;
  {
    const Observer observer(session, *client, flags.set, "waiting");
    result = client->Wait(ToSet(flags.set), options);
  }
  if (session.interrupt.raised()) {
    return session.Interrupted("nothing was cancelled", AgainHint(session.globals, "wait", SetWords(flags.set)));
  }
  if (!result.ok()) return session.Fail("cannot wait", result.status());
  PrintWait(session, *result);
  if (result->timed_out) {
    session.Note(fmt::format("muster: time ran out with {} not done; they go on", result->pending_count));
    return kTimedOut;
  }
  ExitCode code = kOk;
  for (const auto& completion : result->done) code = Worse(code, CodeOf(completion.state()));
  return code;
}

struct GatherFlags {
  SetFlags set;
  std::string of;
  bool return_exceptions = false;
  bool values = false;
};

v1::FutureState StateOf(const client::Outcome& outcome) {
  if (outcome.has_error()) return v1::FUTURE_STATE_FAILED;
  if (outcome.has_cancelled()) return v1::FUTURE_STATE_CANCELLED;
  return v1::FUTURE_STATE_SUCCEEDED;
}

Json PlainValue(const client::Outcome& outcome) {
  if (outcome.has_value()) return ToJson(outcome.value());
  if (outcome.has_gathered()) {
    Json list = Json::array();
    for (const auto& one : outcome.gathered().outcomes()) list.push_back(PlainValue(one));
    return list;
  }
  return ToJson(outcome);
}

ExitCode PrintGather(Session& session, const GatherFlags& flags, const client::GatherResult& result) {
  const Format format = session.globals.format;
  if (flags.values && !result.error) {
    Json list = Json::array();
    for (const auto& outcome : result.outcomes) list.push_back(PlainValue(outcome));
    session.Print((session.out.tty ? DumpPretty(list) : Dump(list)) + "\n");
    return kOk;
  }
  if (format == Format::kJson) session.PrintJson(ToJson(result));
  if (format == Format::kJsonLines && result.error) session.PrintJson(ToJson(result));
  if (result.error) {
    if (format == Format::kTable) {
      client::Outcome outcome;
      *outcome.mutable_error() = *result.error;
      const std::string& origin = result.error->origin_id();
      PrintOutcome(session, origin.empty() ? "gather" : fmt::format("{} (number {})", origin, result.error_index),
                   outcome, false);
    }
    return result.error->kind() == v1::ERROR_KIND_CANCELLED ? kCancelled : kJobFailed;
  }
  if (format == Format::kJsonLines) {
    for (const auto& outcome : result.outcomes) session.PrintJson(ToJson(outcome));
  } else if (format == Format::kTable) {
    Table table({"#", "STATE", "RESULT"});
    for (std::size_t i = 0; i < result.outcomes.size(); ++i) {
      const v1::FutureState state = StateOf(result.outcomes[i]);
      table.Add({{std::to_string(i)}, {NameOf(state), ColourOf(state)}, {Brief(result.outcomes[i])}});
    }
    session.Print(table.Text(session.out));
  }
  return kOk;
}

ExitCode Gather(Session& session, GatherFlags flags) {
  if (flags.of.empty()) {
    if (const absl::Status read = ReadIds(flags.set); !read.ok()) {
      return session.Usage(std::string(read.message()) + ", or --of with a gather's id", "muster gather --help");
    }
  } else if (!flags.set.ids.empty() || !flags.set.group.empty()) {
    return session.Usage("--of names a gather that was submitted: give no other ids", "muster gather --help");
  }
  const auto client = session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  client::GatherOptions options;
  options.return_exceptions = flags.return_exceptions;
  options.timeout = session.globals.timeout;
  SetFlags shown = flags.set;
  if (!flags.of.empty()) shown.ids = {flags.of};
  absl::StatusOr<client::GatherResult> result;
  {
    const Observer observer(session, *client, shown, "gathering");
    result = flags.of.empty() ? client->Gather(ToSet(flags.set), options) : client->GatherById(flags.of, options);
  }
  if (session.interrupt.raised()) {
    std::vector<std::string> words = SetWords(flags.set);
    if (!flags.of.empty()) words = {"--of", flags.of};
    return session.Interrupted("nothing was cancelled", AgainHint(session.globals, "gather", words));
  }
  if (!result.ok()) return session.Fail("cannot gather", result.status());
  return PrintGather(session, flags, *result);
}

struct WatchFlags {
  SetFlags set;
  bool states = false;
};

// Rows as they come: the columns' widths are settled before the first.
std::string WatchRow(const Session& session, const client::Completion& completion, std::size_t id_width) {
  const std::string state = NameOf(completion.state());
  std::string row = completion.id();
  row.append(id_width - std::min(id_width, row.size()) + 2, ' ');
  row += Paint(session.out, ColourOf(completion.state()), state);
  row.append(11 - std::min<std::size_t>(10, state.size()), ' ');
  std::string brief = Visible(Brief(completion.outcome(), completion.outcome_omitted()));
  const std::size_t used = id_width + 13;
  if (session.out.width > 0)
    brief = Cut(brief, std::max<std::size_t>(12, session.out.width - std::min(session.out.width, used)));
  row += brief;
  while (row.back() == ' ') row.pop_back();
  return row + "\n";
}

ExitCode Watch(Session& session, WatchFlags flags) {
  if (const absl::Status read = ReadIds(flags.set); !read.ok()) {
    return session.Usage(std::string(read.message()), "muster watch --help");
  }
  const auto client = session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  client::AsCompletedOptions options;
  options.timeout = session.globals.timeout;
  if (flags.states) options.view = v1::OUTCOME_VIEW_NONE;
  std::size_t id_width = 26;
  for (const std::string& id : flags.set.ids) id_width = std::min<std::size_t>(32, std::max(id_width, id.size()));

  Progress progress(session.err, !session.globals.quiet, "watching");
  if (progress.enabled()) options.progress_interval = std::chrono::milliseconds(500);
  if (!flags.set.ids.empty()) progress.Set(0, flags.set.ids.size());
  auto range = client->AsCompleted(ToSet(flags.set), options);
  std::size_t done = 0;
  Json all = Json::array();
  ExitCode code = kOk;
  const auto show = [&] {
    const std::size_t remaining = range.stream().remaining().value_or(0);
    progress.Set(done, done + remaining, ProgressNote(range.stream()));
  };
  range.stream().OnMessage([&](const client::CompletionStream&) { show(); });
  while (const auto completion = range.Next()) {
    ++done;
    code = Worse(code, CodeOf(completion->state()));
    show();
    progress.Hidden([&] {
      if (session.table()) session.Print(WatchRow(session, *completion, id_width));
      if (session.globals.format == Format::kJsonLines) session.PrintJson(ToJson(*completion));
    });
    if (session.globals.format == Format::kJson) all.push_back(ToJson(*completion));
  }
  const absl::Status status = range.status();
  const std::size_t remaining = range.stream().remaining().value_or(0);
  if (session.globals.format == Format::kJson) progress.Hidden([&] { session.PrintJson(all); });
  ExitCode end = code;
  progress.Hidden([&] {
    if (session.interrupt.raised()) {
      end = session.Interrupted("nothing was cancelled", AgainHint(session.globals, "watch", SetWords(flags.set)));
    } else if (range.stream().timed_out()) {
      session.Note(fmt::format("muster: time ran out with {} not done; they go on", remaining));
      end = kTimedOut;
    } else if (!status.ok()) {
      end = session.Fail("cannot watch", status);
    }
  });
  return end;
}

}  // namespace

void AddWaitVerbs(CLI::App& app, Verb& chosen) {
  auto* wait =
      app.add_subcommand("wait", "Wait until all (or any, or the first failure) are done; --timeout bounds it");
  auto wait_flags = std::make_shared<WaitFlags>();
  AddSetFlags(*wait, wait_flags->set);
  auto* any = wait->add_flag("--any", wait_flags->any, "Until any is done (FIRST_COMPLETED)");
  wait->add_flag("--first-exception", wait_flags->first_exception, "Until any has failed, else until all are done")
      ->excludes(any);
  wait->add_flag("--states", wait_flags->states, "States only, no results");
  wait->callback(
      [wait_flags, &chosen] { chosen = [wait_flags](Session& session) { return Wait(session, *wait_flags); }; });

  auto* gather = app.add_subcommand("gather", "Wait for all and print their results in the order given");
  auto gather_flags = std::make_shared<GatherFlags>();
  AddSetFlags(*gather, gather_flags->set);
  gather->add_option("--of", gather_flags->of, "A gather that was submitted, by its id")->type_name("ID");
  gather->add_flag("--return-exceptions", gather_flags->return_exceptions, "Failures are results like others");
  gather->add_flag("--values", gather_flags->values, "Print one JSON array of the plain values");
  gather->callback([gather_flags, &chosen] {
    chosen = [gather_flags](Session& session) { return Gather(session, *gather_flags); };
  });

  auto* watch = app.add_subcommand("watch", "Print each future as it completes");
  auto watch_flags = std::make_shared<WatchFlags>();
  AddSetFlags(*watch, watch_flags->set);
  watch->add_flag("--states", watch_flags->states, "States only, no results");
  watch->callback(
      [watch_flags, &chosen] { chosen = [watch_flags](Session& session) { return Watch(session, *watch_flags); }; });
}

}  // namespace muster::cli
