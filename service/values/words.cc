#include "service/values/words.h"

#include "service/base/check.h"

namespace muster::values {
namespace {

bool Before(const Words::value_type& word, std::string_view key) { return word.first < key; }

}  // namespace

Words::const_iterator Words::find(std::string_view key) const {
  const const_iterator found = std::lower_bound(begin(), end(), key, &Before);
  return found != end() && found->first == key ? found : end();
}

const std::string& Words::at(std::string_view key) const {
  const const_iterator found = find(key);
  MUSTER_CHECK(found != end()) << "no word has this key";
  return found->second;
}

std::string& Words::operator[](std::string_view key) {
  if (list_ == nullptr) list_ = std::make_unique<List>();
  auto at = std::lower_bound(list_->begin(), list_->end(), key, &Before);
  if (at == list_->end() || at->first != key) at = list_->emplace(at, key, std::string());
  return at->second;
}

size_t Words::bytes() const {
  size_t bytes = 0;
  for (const auto& [key, value] : *this) bytes += key.size() + value.size();
  return bytes;
}

void Words::Sort() {
  const auto before = [](const value_type& a, const value_type& b) { return a.first < b.first; };
  const auto same = [](const value_type& a, const value_type& b) { return a.first == b.first; };
  // Rows have them in order: then it is one walk.
  if (!std::is_sorted(list_->begin(), list_->end(), before)) {
    std::stable_sort(list_->begin(), list_->end(), before);
  }
  list_->erase(std::unique(list_->begin(), list_->end(), same), list_->end());
}

}  // namespace muster::values
