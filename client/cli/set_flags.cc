#include "client/cli/set_flags.h"

#include <sstream>

#include <CLI/CLI.hpp>

#include "client/cli/input.h"
#include "service/base/status.h"

namespace muster::cli {

void AddSetFlags(CLI::App& verb, SetFlags& flags) {
  verb.add_option("ID", flags.ids, "Ids; - reads them from stdin");
  verb.add_option("--group", flags.group, "All futures of this group, instead of ids");
}

absl::Status ReadIds(SetFlags& flags) {
  std::vector<std::string> ids;
  for (const std::string& id : flags.ids) {
    if (id != "-") {
      ids.push_back(id);
      continue;
    }
    MUSTER_ASSIGN_OR_RETURN(const std::string text, ReadAll("-"));
    std::istringstream words(text);
    for (std::string word; words >> word;) ids.push_back(word);
  }
  flags.ids = std::move(ids);
  if (flags.group.empty() && flags.ids.empty()) return absl::InvalidArgumentError("no ids; give some, or --group");
  if (!flags.group.empty() && !flags.ids.empty()) return absl::InvalidArgumentError("give ids or --group, not both");
  return absl::OkStatus();
}

client::FutureSet ToSet(const SetFlags& flags) {
  return flags.group.empty() ? client::FutureSet(flags.ids) : client::FutureSet::Group(flags.group);
}

std::vector<std::string> SetWords(const SetFlags& flags) {
  if (flags.group.empty()) return flags.ids;
  return {"--group", flags.group};
}

}  // namespace muster::cli
