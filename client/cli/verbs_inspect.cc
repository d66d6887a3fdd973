// get, ls, cancel and rm.

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/input.h"
#include "client/cli/set_flags.h"
#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

struct GetFlags {
  std::string id;
  bool value = false;
  bool raw = false;
};

ExitCode Get(Session& session, const GetFlags& flags) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  auto future = client->Get(flags.id);
  if (!future.ok()) return session.Fail("cannot get " + flags.id, future.status());
  if (future->outcome_omitted()) {
    // Too large for one message: a gather, slice by slice.
    auto outcome = client->Handle(flags.id).Await(session.globals.timeout);
    if (!outcome.ok()) return session.Fail("cannot get the result of " + flags.id, outcome.status());
    *future->mutable_outcome() = *std::move(outcome);
    future->set_outcome_omitted(false);
  }
  if (!flags.value && !flags.raw) {
    if (session.table()) {
      session.Print(Describe(session.out, *future));
    } else {
      session.PrintJson(ToJson(*future));
    }
    return kOk;
  }
  if (!client::IsDone(future->state())) {
    return session.Fail(fmt::format("{} is {}", flags.id, NameOf(future->state())),
                        absl::FailedPreconditionError("it has no result yet; `muster wait` waits for it"));
  }
  return PrintOutcome(session, flags.id, future->outcome(), flags.raw);
}

struct ListFlags {
  std::vector<std::string> states;
  std::vector<std::string> labels;
  client::ListFilter filter;
  std::uint32_t limit = 100;
};

const std::vector<std::pair<const char*, v1::FutureState>>& States() {
  static const std::vector<std::pair<const char*, v1::FutureState>> states = {
      {"pending", v1::FUTURE_STATE_PENDING},     {"delayed", v1::FUTURE_STATE_DELAYED},
      {"queued", v1::FUTURE_STATE_QUEUED},       {"running", v1::FUTURE_STATE_RUNNING},
      {"succeeded", v1::FUTURE_STATE_SUCCEEDED}, {"failed", v1::FUTURE_STATE_FAILED},
      {"cancelled", v1::FUTURE_STATE_CANCELLED},
  };
  return states;
}

void PrintList(Session& session, const std::vector<client::FutureInfo>& futures) {
  if (session.globals.format == Format::kJson) {
    Json list = Json::array();
    for (const auto& future : futures) list.push_back(ToJson(future));
    return session.PrintJson(list);
  }
  if (session.globals.format == Format::kJsonLines) {
    for (const auto& future : futures) session.PrintJson(ToJson(future));
    return;
  }
  const base::Instant now = base::SystemClock().Now();
  Table table({"ID", "STATE", "FUNCTION", "AGE", "TOOK", "GROUP", "NAME"});
  for (const auto& future : futures) {
    std::string state = NameOf(future.state());
    if (future.cancelling() > 0 && !client::IsDone(future.state())) state += " (cancelling)";
    const auto* created = future.has_create_time() ? &future.create_time() : nullptr;
    const auto* started = future.has_start_time() ? &future.start_time() : nullptr;
    const auto* ended = future.has_end_time() ? &future.end_time() : nullptr;
    table.Add({{future.id()},
               {state, ColourOf(future.state())},
               {future.function().empty() ? "-" : future.function()},
               {Elapsed(created, nullptr, now)},
               {started == nullptr ? "-" : Elapsed(started, ended, now)},
               {future.group().empty() ? "-" : future.group()},
               {future.name()}});
  }
  session.Print(table.Text(session.out));
}

ExitCode List(Session& session, ListFlags flags) {
  for (const std::string& wanted : flags.states) {
    for (const auto& [name, state] : States()) {
      if (wanted == name) flags.filter.states.push_back(state);
    }
  }
  auto labels = ParsePairs(flags.labels, "--label");
  if (!labels.ok()) return session.Usage(std::string(labels.status().message()), "muster ls --help");
  flags.filter.labels = *std::move(labels);
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  constexpr std::uint32_t kPage = 1000;
  std::vector<client::FutureInfo> futures;
  std::string token;
  do {
    const auto left = flags.limit == 0 ? kPage : flags.limit - static_cast<std::uint32_t>(futures.size());
    flags.filter.page_size = std::min(kPage, left);
    auto page = client->List(flags.filter, token);
    if (!page.ok()) return session.Fail("cannot list", page.status());
    for (auto& future : page->futures) futures.push_back(std::move(future));
    token = page->next_page_token;
  } while (!token.empty() && (flags.limit == 0 || futures.size() < flags.limit));
  PrintList(session, futures);
  if (!token.empty()) session.Note(fmt::format("muster: the first {} are shown; --limit 0 shows all", futures.size()));
  return kOk;
}

struct CancelFlags {
  SetFlags set;
  std::string message;
};

ExitCode Cancel(Session& session, CancelFlags flags) {
  if (const absl::Status read = ReadIds(flags.set); !read.ok()) {
    return session.Usage(std::string(read.message()), "muster cancel --help");
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto response = client->Cancel(ToSet(flags.set), flags.message);
  if (!response.ok()) return session.Fail("cannot cancel", response.status());
  ExitCode code = kOk;
  Json list = Json::array();
  Table table({"ID", "EFFECT"});
  for (const auto& item : response->items()) {
    const bool missing = item.effect() == v1::CANCEL_EFFECT_NOT_FOUND;
    if (missing) code = kNotFound;
    list.push_back(Json{{"id", item.id()}, {"effect", NameOf(item.effect())}});
    table.Add({{item.id()}, {NameOf(item.effect()), missing ? Colour::kRed : Colour::kNone}});
  }
  if (session.table()) {
    session.Print(table.Text(session.out));
  } else if (session.globals.format == Format::kJson) {
    session.PrintJson(list);
  } else {
    for (const Json& one : list) session.PrintJson(one);
  }
  return code;
}

ExitCode Remove(Session& session, SetFlags flags) {
  if (const absl::Status read = ReadIds(flags); !read.ok()) {
    return session.Usage(std::string(read.message()), "muster rm --help");
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto response = client->Delete(ToSet(flags));
  if (!response.ok()) return session.Fail("cannot delete", response.status());
  ExitCode code = kOk;
  Json failures = Json::array();
  for (const auto& failure : response->failures()) {
    const absl::Status status = client::FromItemStatus(failure.status());
    failures.push_back(Json{{"id", failure.id()}, {"error", ToJson(status)}});
    code = session.Fail("cannot delete " + failure.id(), status);
  }
  if (session.table()) {
    session.Print(fmt::format("{} deleted\n", response->deleted_count()));
  } else {
    Json json;
    json["deleted_count"] = response->deleted_count();
    json["failures"] = failures;
    session.PrintJson(json);
  }
  return code;
}

}  // namespace

void AddInspectVerbs(CLI::App& app, Verb& chosen) {
  auto* get = app.add_subcommand("get", "Show one future as it stands");
  auto get_flags = std::make_shared<GetFlags>();
  get->add_option("ID", get_flags->id, "Which")->required();
  get->add_flag("--value", get_flags->value, "Print its value only, as `call` does");
  get->add_flag("--raw", get_flags->raw, "Print the bytes of its value and nothing else");
  get->callback([get_flags, &chosen] { chosen = [get_flags](Session& session) { return Get(session, *get_flags); }; });

  auto* list = app.add_subcommand("ls", "List futures");
  auto list_flags = std::make_shared<ListFlags>();
  std::vector<std::string> names;
  for (const auto& [name, state] : States()) names.emplace_back(name);
  list->add_option("--state", list_flags->states, "Only this state; may be given many times")
      ->check(CLI::IsMember(names))
      ->type_name("STATE")
      ->expected(1)
      ->take_all();
  list->add_option("--function", list_flags->filter.function, "Only jobs of this function")->type_name("NAME");
  list->add_option("--group", list_flags->filter.group, "Only this group");
  list->add_option("--label", list_flags->labels, "Only with this label; may be given many times")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  list->add_option("--limit", list_flags->limit, "At most so many; 0: all; default 100")->type_name("N");
  list->callback(
      [list_flags, &chosen] { chosen = [list_flags](Session& session) { return List(session, *list_flags); }; });

  auto* cancel = app.add_subcommand("cancel", "Cancel futures; for a running job this is a request");
  auto cancel_flags = std::make_shared<CancelFlags>();
  AddSetFlags(*cancel, cancel_flags->set);
  cancel->add_option("--message", cancel_flags->message, "Reaches whoever awaits them");
  cancel->callback([cancel_flags, &chosen] {
    chosen = [cancel_flags](Session& session) { return Cancel(session, *cancel_flags); };
  });

  auto* remove = app.add_subcommand("rm", "Forget futures that are done, with their results");
  auto remove_flags = std::make_shared<SetFlags>();
  AddSetFlags(*remove, *remove_flags);
  remove->callback([remove_flags, &chosen] {
    chosen = [remove_flags](Session& session) { return Remove(session, *remove_flags); };
  });
}

}  // namespace muster::cli
