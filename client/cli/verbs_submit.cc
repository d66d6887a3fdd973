// submit and call.

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/job_options.h"
#include "client/cli/verbs.h"

namespace muster::cli {
namespace {

std::string SpecName(const client::FutureSpec& spec) {
  switch (spec.kind_case()) {
    case client::FutureSpec::kCall:
      return spec.call().function();
    case client::FutureSpec::kGather:
      return "gather";
    case client::FutureSpec::kShield:
      return "shield";
    default:
      return "wait_for";
  }
}

ExitCode Submit(Session& session, const SpecFlags& flags) {
  const auto spec = ToSpec(flags, session.globals.timeout);
  if (!spec.ok()) return session.Usage(std::string(spec.status().message()), "muster submit --help");
  // With --wait-for the timeout is the combinator's own.
  const auto client = flags.wait_for.empty() ? session.Connect() : session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  const auto submitted = client->Submit(*spec);
  if (!submitted.ok()) return session.Fail(fmt::format("cannot submit {}", SpecName(*spec)), submitted.status());
  if (session.table()) {
    session.Print(submitted->future.id() + "\n");
    return kOk;
  }
  Json json;
  json["id"] = submitted->future.id();
  json["state"] = NameOf(submitted->state);
  json["deduplicated"] = submitted->deduplicated;
  session.PrintJson(json);
  return kOk;
}

struct CallFlags {
  SpecFlags spec;
  bool raw = false;
};

ExitCode Call(Session& session, const CallFlags& flags) {
  auto spec = ToSpec(flags.spec, session.globals.timeout);
  if (!spec.ok()) return session.Usage(std::string(spec.status().message()), "muster call --help");
  auto* future_options = spec->mutable_options();
  if (future_options->request_id().empty()) future_options->set_request_id(client::NewRequestId());
  const auto client = session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  client::CallOptions options;
  // wait_for's --timeout is the combinator's: it ends by itself.
  if (flags.spec.wait_for.empty()) options.timeout = session.globals.timeout;
  const std::string name = SpecName(*spec);
  absl::StatusOr<client::Completion> completion;
  {
    const Progress progress(session.err, !session.globals.quiet, name);
    completion = client->Call(*spec, options);
  }
  if (!completion.ok()) {
    if (!session.interrupt.raised()) return session.Fail(fmt::format("cannot call {}", name), completion.status());
    if (flags.spec.job.options.cancel_on_disconnect)
      return session.Interrupted("the job is cancelled", "submit it again");
    return session.Interrupted("the job goes on", fmt::format("take it up again with the same call and --request-id {}",
                                                              spec->options().request_id()));
  }
  if (session.table()) return PrintOutcome(session, name, completion->outcome(), flags.raw);
  session.PrintJson(ToJson(*completion));
  return CodeOf(completion->state());
}

}  // namespace

ExitCode PrintValue(Session& session, const client::Payload& value, bool raw) {
  using client::Payload;
  if (value.body_case() == Payload::kData) {
    if (session.out.tty) {
      return session.Usage(
          fmt::format("the result is {} bytes of {}, which a terminal cannot show", value.data().size(),
                      value.content_type().empty() ? "unknown type" : value.content_type()),
          "send it elsewhere with --raw: `... --raw > FILE`");
    }
    session.Print(raw ? value.data() : Dump(ToJson(value)) + "\n");
    return kOk;
  }
  if (value.body_case() == Payload::kText) {
    if (raw) {
      session.Print(value.text());
    } else {
      const std::string text = session.out.tty ? Visible(value.text(), /*lines=*/true) : value.text();
      session.Print(text.empty() || text.back() != '\n' ? text + "\n" : text);
    }
    return kOk;
  }
  const Json json = ToJson(value);
  session.Print(session.out.tty && !raw ? DumpPretty(json) + "\n" : Dump(json) + "\n");
  return kOk;
}

ExitCode PrintOutcome(Session& session, const std::string& what, const client::Outcome& outcome, bool raw) {
  switch (outcome.kind_case()) {
    case client::Outcome::kValue:
      return PrintValue(session, outcome.value(), raw);
    case client::Outcome::kGathered: {
      const Json json = ToJson(outcome)["results"];
      session.Print((session.out.tty ? DumpPretty(json) : Dump(json)) + "\n");
      return kOk;
    }
    case client::Outcome::kError: {
      const auto& error = outcome.error();
      const std::string kind = Paint(session.err, Colour::kRed, "muster:");
      std::fputs(
          fmt::format("{} {} failed: {} ({})\n", kind, what, Visible(Brief(error), true), NameOf(error.kind())).c_str(),
          stderr);
      return error.kind() == v1::ERROR_KIND_CANCELLED ? kCancelled : kJobFailed;
    }
    case client::Outcome::kCancelled: {
      const std::string& message = outcome.cancelled().message();
      const std::string why = message.empty() ? "" : ": " + Visible(message, true);
      std::fputs(fmt::format("{} {} was cancelled{}\n", Paint(session.err, Colour::kRed, "muster:"), what, why).c_str(),
                 stderr);
      return kCancelled;
    }
    default:
      return session.Fail(what, absl::InternalError("the server sent no outcome"));
  }
}

void AddSubmitVerbs(CLI::App& app, Verb& chosen) {
  auto* submit = app.add_subcommand("submit", "Submit a job or a combinator and print its id at once");
  auto spec = std::make_shared<SpecFlags>();
  AddSpecFlags(*submit, *spec);
  submit->callback([spec, &chosen] { chosen = [spec](Session& session) { return Submit(session, *spec); }; });

  auto* call = app.add_subcommand("call", "Submit, wait, and print the value");
  auto flags = std::make_shared<CallFlags>();
  AddSpecFlags(*call, flags->spec);
  call->add_flag("--raw", flags->raw, "Print the bytes of the value and nothing else");
  AddAttachedFlags(*call, flags->spec.job);
  call->callback([flags, &chosen] { chosen = [flags](Session& session) { return Call(session, *flags); }; });
}

}  // namespace muster::cli
