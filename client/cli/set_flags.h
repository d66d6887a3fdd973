// Which futures a verb is about: ids, ids from stdin, or a group.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "muster/future.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace muster::cli {

struct SetFlags {
  std::vector<std::string> ids;  // "-" reads more from stdin
  std::string group;
};

void AddSetFlags(CLI::App& verb, SetFlags& flags);
// Reads stdin where "-" asks for it. InvalidArgument when neither ids nor a group are given.
absl::Status ReadIds(SetFlags& flags);
client::FutureSet ToSet(const SetFlags& flags);
// The words that name the set on a command line.
std::vector<std::string> SetWords(const SetFlags& flags);

}  // namespace muster::cli
