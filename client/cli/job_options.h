// The flags that become FutureOptions, and what can be submitted: shared by submit, call, run and promise create.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/input.h"
#include "muster/options.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
class Option;
}  // namespace CLI

namespace muster::cli {

// An option that takes "1.5s" and the like.
CLI::Option* AddDuration(CLI::App& verb, const std::string& names, std::optional<base::Duration>& target,
                         const std::string& help);

// Bound to the command line: stays where it is once AddJobFlags has been called.
struct JobFlags {
  client::JobOptions options;  // all but the pairs
  // KEY=VALUE, by the flag that they were given with.
  std::map<std::string, std::vector<std::string>> pairs;
};
enum class JobFlagSet { kAll, kPromise };

void AddJobFlags(CLI::App& verb, JobFlags& flags, JobFlagSet set = JobFlagSet::kAll);
// Besides, for a verb that stays until the future is done.
void AddAttachedFlags(CLI::App& verb, JobFlags& flags);
absl::StatusOr<client::JobOptions> ToJobOptions(const JobFlags& flags);

// A function with its input, or a combinator over futures that exist.
struct SpecFlags {
  std::string function;
  InputOptions input;
  std::vector<std::string> gather;
  bool gather_given = false;
  bool return_exceptions = false;
  std::string shield;
  std::string wait_for;
  std::optional<base::Duration> grace;
  JobFlags job;
};

void AddSpecFlags(CLI::App& verb, SpecFlags& flags);
// `timeout` is the global --timeout: for wait_for it is the spec's own.
absl::StatusOr<client::FutureSpec> ToSpec(const SpecFlags& flags, std::optional<base::Duration> timeout);

}  // namespace muster::cli
