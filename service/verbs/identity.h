// Who calls.
#pragma once

#include <variant>

namespace muster::verbs {

// Nobody has said who they are: whoever reaches the server may do everything.
struct Anonymous {
  friend bool operator==(const Anonymous&, const Anonymous&) = default;
};

// Found out by Enter, and nowhere else; each way to be known is an alternative.
using Identity = std::variant<Anonymous>;

}  // namespace muster::verbs
