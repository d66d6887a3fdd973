#include "service/http/router.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace muster::http {
namespace {

// What is below the route's path, if it fits.
std::optional<std::string_view> RestBelow(std::string_view route, std::string_view path) {
  if (path == route) return std::string_view();
  const bool whole_folder = route.size() > 1 && route.ends_with('/');
  if (!whole_folder || !path.starts_with(route)) return std::nullopt;
  return path.substr(route.size());
}

}  // namespace

Answer AnswerOf(absl::StatusOr<std::string> text) {
  Answer answer;
  if (text.ok()) {
    answer.body = *std::move(text);
    return answer;
  }
  answer.body = std::string(text.status().message()) + "\n";
  switch (text.status().code()) {
    case absl::StatusCode::kNotFound:
      answer.status = 404;
      break;
    case absl::StatusCode::kInvalidArgument:
      answer.status = 400;
      break;
    default:
      answer.status = 503;
  }
  return answer;
}

void Router::Add(Method method, std::string path, Handler handler) {
  entries_.push_back(Entry{method, std::move(path), std::move(handler)});
}

Answer Router::Route(Method method, std::string_view path) {
  for (Entry& entry : entries_) {
    if (entry.method != method) continue;
    if (const auto rest = RestBelow(entry.path, path)) return entry.handler(*rest);
  }
  return NotFound(method);
}

bool Router::Takes(Method method) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.method == method; });
}

std::string Router::Allowed() const { return Takes(Method::kPost) ? "GET, HEAD, POST" : "GET, HEAD"; }

// Pages are named; commands are not: they are for programs that know them.
Answer Router::NotFound(Method method) const {
  Answer answer;
  answer.status = 404;
  if (method == Method::kPost) {
    answer.body = "there is no such command here\n";
    return answer;
  }
  std::vector<std::string_view> pages;
  for (const Entry& entry : entries_) {
    if (entry.method == method && entry.path != "/") pages.push_back(entry.path);
  }
  answer.body = "There are ";
  for (size_t index = 0; index < pages.size(); ++index) {
    if (index > 0) answer.body += index + 1 == pages.size() ? " and " : ", ";
    answer.body += pages[index];
  }
  answer.body += ".\n";
  return answer;
}

}  // namespace muster::http
