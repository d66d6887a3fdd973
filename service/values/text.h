// A text that is empty most of the time and never changes in part: it takes one pointer, and memory of the block pool
// only when there is something in it. A std::string takes 32 bytes for saying nothing.
//
//   values::Text name = "job";
//   if (name == given) ...         // as a string_view, which it becomes by itself
//   std::string copy(name);
//
// Threading: as a std::string.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <utility>

namespace muster::values {

class Text {
 public:
  Text() = default;
  // From whatever a string_view is made of.
  template <std::convertible_to<std::string_view> T>
  Text(const T& text) : block_(Copy(text)) {}  // NOLINT(google-explicit-constructor): as a std::string
  Text(const Text& other) : block_(Copy(other.view())) {}
  Text(Text&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Text& operator=(Text other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Text() { Free(block_); }

  bool empty() const { return block_ == nullptr; }
  size_t size() const { return view().size(); }
  // Good until the text is changed or gone.
  std::string_view view() const;
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)

  template <std::convertible_to<std::string_view> T>
  friend bool operator==(const Text& a, const T& b) {
    return a.view() == std::string_view(b);
  }

 private:
  static char* Copy(std::string_view text);  // null for nothing
  static void Free(char* block) noexcept;

  char* block_ = nullptr;  // how many bytes there are, then they
};

}  // namespace muster::values
