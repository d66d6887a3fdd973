#include "client/cli/job_options.h"

#include <algorithm>
#include <initializer_list>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/duration.h"
#include "service/base/status.h"
#include "service/values/bounds.h"
#include "service/values/options.h"

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

namespace {

std::string Hours(base::Duration duration) {
  return fmt::format("{}h", std::chrono::duration_cast<std::chrono::hours>(duration).count());
}

// What the table says of a flag. Its help may name what holds unless an operator says otherwise.
struct FlagText {
  FlagText(const char* f, const char* s, const char* h)
      : flag(f),
        shown(s),
        help(fmt::format(fmt::runtime(h), fmt::arg("retention", Hours(values::kRetentionDefault)),
                         fmt::arg("request_id_ttl_max", Hours(values::Limits().request_id_ttl_max)))) {}
  const char* flag;
  const char* shown;
  std::string help;
};

// An option of each kind as a flag.
class FlagAdder {
 public:
  FlagAdder(CLI::App& verb, JobFlags& flags) : verb_(verb), flags_(flags) {}

  CLI::Option* Add(const FlagText& text, std::string& target) {
    return verb_.add_option(text.flag, target, text.help)->type_name(text.shown);
  }
  CLI::Option* Add(const FlagText& text, client::OptionTypes::Words&) {
    return verb_.add_option(text.flag, flags_.pairs[text.flag], text.help)
        ->type_name(text.shown)
        ->expected(1)
        ->take_all();
  }
  CLI::Option* Add(const FlagText& text, std::optional<base::Duration>& target) {
    return AddDuration(verb_, text.flag, target, text.help)->type_name(text.shown);
  }
  CLI::Option* Add(const FlagText& text, v1::Execution& target) {
    return verb_.add_flag_callback(text.flag, [&target] { target = v1::EXECUTION_AT_MOST_ONCE; }, text.help);
  }
  CLI::Option* Add(const FlagText& text, v1::Durability& target) {
    const auto set = [&target](const std::string& level) {
      if (level == "none") target = v1::DURABILITY_NONE;
      if (level == "async") target = v1::DURABILITY_ASYNC;
      if (level == "sync") target = v1::DURABILITY_SYNC;
    };
    return verb_.add_option_function<std::string>(text.flag, set, text.help)
        ->type_name(text.shown)
        ->check(CLI::IsMember({"none", "async", "sync"}));
  }
  CLI::Option* Add(const FlagText& text, bool& target) { return verb_.add_flag(text.flag, target, text.help); }

 private:
  CLI::App& verb_;
  JobFlags& flags_;
};

// Flags for the options that are meant for these.
void AddFlags(CLI::App& verb, JobFlags& flags, std::initializer_list<values::OptionFor> these, const char* group) {
  FlagAdder adder(verb, flags);
  const auto among = [&](values::OptionFor whom) { return std::find(these.begin(), these.end(), whom) != these.end(); };
#define MUSTER_ADD_SAID(name, kind, whom, flag, shown, help) \
  if (among(values::OptionFor::whom)) adder.Add(FlagText(flag, shown, help), flags.options.name)->group(group);
#define MUSTER_ADD_KEPT(name, kind, whom, most, bit, flag, shown, help) \
  MUSTER_ADD_SAID(name, kind, whom, flag, shown, help)
  MUSTER_JOB_OPTIONS(MUSTER_ADD_KEPT, MUSTER_ADD_SAID)
#undef MUSTER_ADD_KEPT
#undef MUSTER_ADD_SAID
}

}  // namespace

void AddJobFlags(CLI::App& verb, JobFlags& flags, JobFlagSet set) {
  using values::OptionFor;
  AddFlags(verb, flags, {OptionFor::kAny}, "Future");
  if (set == JobFlagSet::kAll) AddFlags(verb, flags, {OptionFor::kJobs, OptionFor::kBodies}, "Future");
}

void AddAttachedFlags(CLI::App& verb, JobFlags& flags) {
  AddFlags(verb, flags, {values::OptionFor::kAttached}, "Options");
}

namespace {

absl::Status SetPairs(const JobFlags& flags, const char* flag, client::OptionTypes::Words& target) {
  const auto given = flags.pairs.find(flag);
  if (given == flags.pairs.end()) return absl::OkStatus();
  MUSTER_ASSIGN_OR_RETURN(target, ParsePairs(given->second, flag));
  return absl::OkStatus();
}
// Options of all other kinds are there already.
absl::Status SetPairs(const JobFlags&, const char*, const auto&) { return absl::OkStatus(); }

}  // namespace

absl::StatusOr<client::JobOptions> ToJobOptions(const JobFlags& flags) {
  client::JobOptions options = flags.options;
#define MUSTER_SET_PAIRS(name, kind, whom, most, bit, flag, ...) \
  MUSTER_RETURN_IF_ERROR(SetPairs(flags, flag, options.name));
  MUSTER_JOB_OPTIONS(MUSTER_SET_PAIRS, MUSTER_NO_OPTION)
#undef MUSTER_SET_PAIRS
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
