#include "client/cli/job_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/duration.h"
#include "service/base/status.h"

namespace muster::cli {

CLI::Option* AddDuration(CLI::App& verb, const std::string& names, std::optional<base::Duration>& target,
                         const std::string& help) {
  const auto parse = [&target, names](const std::string& text) {
    const auto duration = ParseDuration(text);
    if (!duration.ok()) throw CLI::ValidationError(names, std::string(duration.status().message()));
    target = *duration;
  };
  return verb.add_option_function<std::string>(names, parse, help)->type_name("DURATION");
}

void AddJobFlags(CLI::App& verb, JobFlags& flags, JobFlagSet set) {
  client::JobOptions& options = flags.options;
  const char* group = "Future";
  verb.add_option("--name", options.name, "A name for people; default Task-N")->group(group);
  verb.add_option("--label", flags.labels, "A label for `muster ls`; may be given many times")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->group(group);
  verb.add_option("--group", options.group, "A word that stands for all futures submitted with it")->group(group);
  verb.add_option("--request-id", options.request_id, "Submitted again with the same id, it is the same future")
      ->type_name("ID")
      ->group(group);
  AddDuration(verb, "--request-id-ttl", options.request_id_ttl, "How long the request id outlives the future (max 24h)")
      ->group(group);
  AddDuration(verb, "--retention", options.retention, "How long the result is kept; default 1h")->group(group);
  verb.add_option("--durability", flags.durability, "Refuse unless the server offers at least: none, async, sync")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"none", "async", "sync"}))
      ->group(group);
  if (set == JobFlagSet::kPromise) return;
  AddDuration(verb, "--delay", options.delay, "Start no sooner than this")->group(group);
  AddDuration(verb, "--queue-timeout", options.queue_timeout, "Fail if it has not started by then")->group(group);
  AddDuration(verb, "--run-timeout", options.run_timeout, "Cancel an attempt that runs longer")->group(group);
  verb.add_flag("--at-most-once", flags.at_most_once, "Never run it again after a crash of the server")->group(group);
  verb.add_option("--metadata", flags.metadata, "Handed to the job, such as traceparent; may be given many times")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->group(group);
}

absl::StatusOr<client::JobOptions> ToJobOptions(const JobFlags& flags) {
  client::JobOptions options = flags.options;
  MUSTER_ASSIGN_OR_RETURN(options.labels, ParsePairs(flags.labels, "--label"));
  MUSTER_ASSIGN_OR_RETURN(options.metadata, ParsePairs(flags.metadata, "--metadata"));
  if (flags.durability == "none") options.min_durability = v1::DURABILITY_NONE;
  if (flags.durability == "async") options.min_durability = v1::DURABILITY_ASYNC;
  if (flags.durability == "sync") options.min_durability = v1::DURABILITY_SYNC;
  if (flags.at_most_once) options.execution = v1::EXECUTION_AT_MOST_ONCE;
  return options;
}

void AddSpecFlags(CLI::App& verb, SpecFlags& flags) {
  verb.add_option("FUNCTION", flags.function, "What to call; `muster functions` lists what there is");
  AddInput(verb, flags.input);
  const char* group = "Combinators, instead of FUNCTION";
  verb.add_option("--gather", flags.gather, "A future of the results of these, in order")
      ->type_name("ID...")
      ->expected(0, -1)
      ->group(group);
  verb.add_flag("--return-exceptions", flags.return_exceptions, "With --gather: failures are results like others")
      ->group(group);
  verb.add_option("--shield", flags.shield, "A future that follows this one and whose cancel does not reach it")
      ->type_name("ID")
      ->group(group);
  verb.add_option("--wait-for", flags.wait_for, "A future that follows this one and cancels it after --timeout")
      ->type_name("ID")
      ->group(group);
  AddDuration(verb, "--grace", flags.grace, "With --wait-for: how long the cancelled one may take to end; default 10s")
      ->group(group);
  AddJobFlags(verb, flags.job);
  verb.parse_complete_callback([&verb, &flags] { flags.gather_given = verb.count("--gather") > 0; });
}

absl::StatusOr<client::FutureSpec> ToSpec(const SpecFlags& flags, std::optional<base::Duration> timeout) {
  const int combinators = int{flags.gather_given} + int{!flags.shield.empty()} + int{!flags.wait_for.empty()};
  if (combinators > 1) return absl::InvalidArgumentError("give one of --gather, --shield and --wait-for");
  MUSTER_ASSIGN_OR_RETURN(const client::JobOptions options, ToJobOptions(flags.job));
  if (combinators == 0) {
    if (flags.function.empty()) {
      return absl::InvalidArgumentError(
          "there is nothing to submit: give a FUNCTION, --gather, --shield or --wait-for");
    }
    MUSTER_ASSIGN_OR_RETURN(client::Payload input, ReadInput(flags.input));
    return client::CallOf(flags.function, std::move(input), options);
  }
  if (!flags.function.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("a combinator calls no function: leave out '{}' (ids go behind --gather)", flags.function));
  }
  if (flags.gather_given) return client::GatherOf(flags.gather, flags.return_exceptions, options);
  if (!flags.shield.empty()) return client::ShieldOf(flags.shield, options);
  return client::WaitForOf(flags.wait_for, timeout, flags.grace, options);
}

}  // namespace muster::cli
