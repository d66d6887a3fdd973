#include "service/runtime/host/requests.h"

#include <type_traits>
#include <variant>

namespace muster::runtime {

core::Token TokenOf(const core::Effect& effect) {
  return std::visit(
      [](const auto& e) -> core::Token {
        if constexpr (requires { e.token; }) {
          return e.token;
        } else {
          return core::kNoToken;
        }
      },
      effect);
}

}  // namespace muster::runtime
