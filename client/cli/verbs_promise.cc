// promise create, promise set and promise fail.

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/job_options.h"
#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

ExitCode Create(Session& session, const JobFlags& flags) {
  const auto options = ToJobOptions(flags);
  if (!options.ok()) return session.Usage(std::string(options.status().message()), "muster promise create --help");
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto promise = client->CreatePromise(*options);
  if (!promise.ok()) return session.Fail("cannot create a promise", promise.status());
  if (session.table()) {
    session.Print(promise->id() + "\n");
  } else {
    session.PrintJson(Json{{"id", promise->id()}});
  }
  return kOk;
}

// What set and fail print with -o json.
ExitCode Settled(Session& session, const std::string& id, v1::FutureState state) {
  if (!session.table()) session.PrintJson(Json{{"id", id}, {"state", NameOf(state)}});
  return kOk;
}

struct SetValueFlags {
  std::string id;
  InputOptions input;
};

ExitCode SetValue(Session& session, const SetValueFlags& flags) {
  auto value = ReadInput(flags.input);
  if (!value.ok()) return session.Usage(std::string(value.status().message()), "muster promise set --help");
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const absl::Status status = client->SetResult(flags.id, *std::move(value));
  if (!status.ok()) return session.Fail("cannot settle " + flags.id, status);
  return Settled(session, flags.id, v1::FUTURE_STATE_SUCCEEDED);
}

struct SetErrorFlags {
  std::string id;
  std::string type = "Error";
  std::string message;
  std::string details;
};

ExitCode SetError(Session& session, const SetErrorFlags& flags) {
  client::Error error;
  error.set_kind(v1::ERROR_KIND_APPLICATION);
  error.set_type(flags.type);
  error.set_message(flags.message);
  if (!flags.details.empty()) {
    const auto details = ParseJson(flags.details);
    if (!details.ok()) {
      return session.Usage("--details is no JSON: " + std::string(details.status().message()),
                           "muster promise fail --help");
    }
    *error.mutable_details() = ToPayload(*details);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const absl::Status status = client->SetException(flags.id, error);
  if (!status.ok()) return session.Fail("cannot settle " + flags.id, status);
  return Settled(session, flags.id, v1::FUTURE_STATE_FAILED);
}

}  // namespace

void AddPromiseVerbs(CLI::App& app, Verb& chosen) {
  auto* promise = app.add_subcommand("promise", "Futures that a client settles");
  promise->require_subcommand(1);

  auto* create = promise->add_subcommand("create", "Make a promise and print its id");
  auto job = std::make_shared<JobFlags>();
  AddJobFlags(*create, *job, JobFlagSet::kPromise);
  create->callback([job, &chosen] { chosen = [job](Session& session) { return Create(session, *job); }; });

  auto* set = promise->add_subcommand("set", "Settle a promise with a value");
  auto value = std::make_shared<SetValueFlags>();
  set->add_option("ID", value->id, "Which")->required();
  AddInput(*set, value->input);
  set->callback([value, &chosen] { chosen = [value](Session& session) { return SetValue(session, *value); }; });

  auto* fail = promise->add_subcommand("fail", "Settle a promise with an error");
  auto error = std::make_shared<SetErrorFlags>();
  fail->add_option("ID", error->id, "Which")->required();
  fail->add_option("--type", error->type, "The error's own name, such as ValueError; default Error");
  fail->add_option("--message", error->message, "For people");
  fail->add_option("--details", error->details, "For programs")->type_name("JSON");
  fail->callback([error, &chosen] { chosen = [error](Session& session) { return SetError(session, *error); }; });
}

}  // namespace muster::cli
