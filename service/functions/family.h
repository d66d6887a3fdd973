// A family: functions that belong together, with the options that an operator sets for them.
//
//   class MailFamily final : public Family {
//    public:
//     std::string_view name() const override { return "mail"; }
//     std::vector<base::Option> Options() override {
//       return {{"mail.server", base::ValueType::kAddress, &options_.server, "Where mail is handed in."}};
//     }
//     absl::Status Register(jobs::Registry& registry, const Environment& environment) const override;
//    ...
//
// A folder below service/functions/ is a family. service/app/settings/families.cc lists them; the configuration, --help
// and the reference pages of options and functions come from what they say here, and from nothing else.
//
// Threading: before the service starts. Lifetime: what Register adds owns copies of what it needs, so a family may die
// as soon as it has registered; the registry dies after the loops have stopped.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "service/base/options/option.h"
#include "service/jobs/registry.h"

namespace muster::executor {
class Reactor;
}

namespace muster::functions {

// What a family may use of the server. It outlives every job.
struct Environment {
  // Watches sockets. Null where a test has none; functions that need it are then left out.
  executor::Reactor* reactor = nullptr;
  // Time stands still until a test moves it.
  bool manual_clock = false;
  // For the reference page: everything is added, whatever is configured, and none of it is called.
  bool describe = false;
};

class Family {
 public:
  Family() = default;
  virtual ~Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  virtual std::string_view name() const = 0;

  // Bound to this object's values, which hold the defaults until somebody sets others. All keys of one section
  // ("mail.") stand together, and no other family has that section.
  virtual std::vector<base::Option> Options() { return {}; }

  // What is wrong with the values beyond the bounds of each: a file that is not there, two that contradict each other.
  virtual std::vector<base::OptionProblem> Check() const { return {}; }

  // Adds the functions that the options ask for. kInvalidArgument or kFailedPrecondition, with what to change, when
  // they cannot be had; kAlreadyExists when a name is taken. Nothing is added then.
  virtual absl::Status Register(jobs::Registry& registry, const Environment& environment) const = 0;

  // For the reference page: which functions exist under which condition, as a part of a sentence. Empty: all, always.
  virtual std::string_view existence() const { return {}; }
};

using Families = std::vector<std::unique_ptr<Family>>;

}  // namespace muster::functions
