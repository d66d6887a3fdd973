#include "service/jobs/registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "fmt/format.h"

namespace muster::jobs {
namespace {

constexpr size_t kNameMax = 128;

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kNameMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace

absl::Status Registry::Add(Function function) {
  if (!IsName(function.name)) {
    return absl::InvalidArgumentError(
        fmt::format("function name \"{}\": must be 1 to {} characters of a-z, A-Z, 0-9, '.', '_' and '-'",
                    function.name, kNameMax));
  }
  if (Find(function.name) != nullptr) {
    return absl::AlreadyExistsError(fmt::format("a function named \"{}\" is registered already", function.name));
  }
  functions_.push_back(std::make_unique<const Function>(std::move(function)));
  by_name_.emplace(functions_.back()->name, functions_.back().get());
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

const Function* Registry::Find(std::string_view name) const {
  // The map's own kind of string_view: a lookup copies nothing.
  const auto found = by_name_.find(absl::string_view(name.data(), name.size()));
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<const Function*> Registry::Sorted() const {
  std::vector<const Function*> sorted;
  sorted.reserve(functions_.size());
  for (const auto& function : functions_) sorted.push_back(function.get());
  std::sort(sorted.begin(), sorted.end(), [](const Function* a, const Function* b) { return a->name < b->name; });
  return sorted;
}

}  // namespace muster::jobs
