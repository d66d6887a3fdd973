// Words by key, such as labels: most often none, else a few. It takes one pointer, and nothing else while it is empty;
// a std::map takes 48 bytes for saying nothing. Kept in the order of the keys, each of which stands once.
//
//   values::Words labels = {{"team", "blue"}};
//   labels["of"] = name;
//   for (const auto& [key, value] : labels) ...
//
// Threading: as a std::map. What is inserted or assigned by key moves the others: no iterator stays good.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::values {

class Words {
 public:
  using value_type = std::pair<std::string, std::string>;
  using const_iterator = const value_type*;

  Words() = default;
  Words(std::initializer_list<value_type> words) : Words(words.begin(), words.end()) {}
  // Pairs in any order. Of those with one key the first counts, as in a map.
  template <typename Iterator>
  Words(Iterator first, Iterator last) {
    if (first == last) return;
    list_ = std::make_unique<List>();
    for (; first != last; ++first) list_->emplace_back(first->first, first->second);
    Sort();
  }
  Words(const Words& other) : list_(other.empty() ? nullptr : std::make_unique<List>(*other.list_)) {}
  Words(Words&&) noexcept = default;
  Words& operator=(Words other) noexcept {
    list_.swap(other.list_);
    return *this;
  }
  ~Words() = default;

  bool empty() const { return list_ == nullptr; }
  size_t size() const { return empty() ? 0 : list_->size(); }
  const_iterator begin() const { return empty() ? nullptr : list_->data(); }
  const_iterator end() const { return begin() + size(); }
  const_iterator find(std::string_view key) const;
  // Of a key that is there.
  const std::string& at(std::string_view key) const;
  std::string& operator[](std::string_view key);
  // Of keys and values together.
  size_t bytes() const;

  friend bool operator==(const Words& a, const Words& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  using List = std::vector<value_type>;

  void Sort();

  std::unique_ptr<List> list_;  // null, not empty
};

}  // namespace muster::values
