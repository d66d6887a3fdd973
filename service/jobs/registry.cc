#include "service/jobs/registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "fmt/format.h"

#include "service/base/nearest.h"
#include "service/jobs/error.h"
#include "service/values/bounds.h"

namespace muster::jobs {
namespace {

constexpr size_t kResemblingDistanceMax = 3;

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > values::kFunctionNameMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

absl::Status MissingFunction(const Function& function) {
  return Failure("UnknownFunction", fmt::format("this server has no function \"{}\" any more", function.name));
}

coro::Task<absl::StatusOr<Payload>> RunMissing(const Function* function) { co_return MissingFunction(*function); }

}  // namespace

absl::Status Registry::Add(Function function) {
  if (!IsName(function.name)) {
    return absl::InvalidArgumentError(
        fmt::format("function name \"{}\": must be 1 to {} characters of a-z, A-Z, 0-9, '.', '_' and '-'",
                    function.name, values::kFunctionNameMax));
  }
  if (Find(function.name) != nullptr) {
    return absl::AlreadyExistsError(fmt::format("a function named \"{}\" is registered already", function.name));
  }
  function.id = static_cast<values::FunctionId>(functions_.size());
  by_name_.emplace(function.name, function.id);
  functions_.push_back(std::make_unique<Function>(std::move(function)));
  return absl::OkStatus();
}

absl::Status Registry::AddAsync(std::string name, std::string description, Payload input_example, AsyncBody body) {
  Function function;
  function.name = std::move(name);
  function.kind = values::FunctionKind::kAsync;
  function.description = std::move(description);
  function.input_example = std::move(input_example);
  function.async = std::move(body);
  return Add(std::move(function));
}

absl::Status Registry::AddBlocking(std::string name, std::string description, Payload input_example,
                                   BlockingBody body) {
  Function function;
  function.name = std::move(name);
  function.kind = values::FunctionKind::kBlocking;
  function.description = std::move(description);
  function.input_example = std::move(input_example);
  function.blocking = std::move(body);
  return Add(std::move(function));
}

values::FunctionId Registry::AddMissing(std::string name, values::FunctionKind kind) {
  auto function = std::make_unique<Function>();
  function->id = static_cast<values::FunctionId>(functions_.size());
  function->kind = kind;
  function->missing = true;
  function->name = std::move(name);
  const Function* self = function.get();  // lives as long as the registry
  function->async = [self](JobContext&, Payload) { return RunMissing(self); };
  function->blocking = [self](BlockingContext&, Payload) { return MissingFunction(*self); };
  functions_.push_back(std::move(function));
  return functions_.back()->id;
}

const Function* Registry::Find(std::string_view name) const {
  // The map's own kind of string_view: a lookup copies nothing.
  const auto found = by_name_.find(absl::string_view(name.data(), name.size()));
  return found == by_name_.end() ? nullptr : functions_[found->second].get();
}

std::vector<const Function*> Registry::Sorted() const {
  std::vector<const Function*> sorted;
  sorted.reserve(functions_.size());
  for (const auto& function : functions_) {
    if (!function->missing) sorted.push_back(function.get());
  }
  std::sort(sorted.begin(), sorted.end(), [](const Function* a, const Function* b) { return a->name < b->name; });
  return sorted;
}

std::vector<std::string> Registry::Resembling(std::string_view name, size_t max) const {
  // A hostile name must not cost more than a real one could.
  const std::string_view bounded = name.substr(0, values::kFunctionNameMax);
  std::vector<std::pair<size_t, std::string>> near;
  for (const auto& function : functions_) {
    if (function->missing) continue;
    const size_t distance = base::EditDistance(bounded, function->name);
    const bool shares_prefix = !bounded.empty() && function->name.compare(0, bounded.size(), bounded) == 0;
    if (distance <= kResemblingDistanceMax || shares_prefix) near.emplace_back(distance, function->name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < near.size() && i < max; ++i) names.push_back(std::move(near[i].second));
  return names;
}

}  // namespace muster::jobs
