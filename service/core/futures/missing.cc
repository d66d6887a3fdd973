#include "service/core/futures/missing.h"

#include <iterator>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/base/check.h"

namespace muster::core {
namespace {

std::string_view WhyText(base::Reason reason) {
  if (reason == base::Reason::kFutureExpired) return "expired";
  if (reason == base::Reason::kFutureLost) return "lost in a restart";
  return "not found";
}

}  // namespace

absl::Status Missing::Refusal() const {
  MUSTER_CHECK(!named_.empty());
  std::string named;
  for (const auto& [id, reason] : named_) {
    fmt::format_to(std::back_inserter(named), "{}{} ({})", named.empty() ? "" : ", ", id.ToText(), WhyText(reason));
  }
  const std::string text =
      count_ == 1 ? fmt::format("no such future in this namespace: {}", named)
                  : fmt::format("{} futures are not in this namespace: {}{}", count_, named,
                                count_ > named_.size() ? fmt::format(" and {} more", count_ - named_.size()) : "");
  return base::Refuse(named_.front().second, text);
}

}  // namespace muster::core
