// UniqueFunction<R(Args...)>: a move-only std::function, so that callbacks may own what they need.
//
// Threading: none of its own. Callables of up to 48 bytes that move without throwing are stored in place: no
// allocation.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "service/base/check.h"

namespace muster::base {

template <typename Signature>
class UniqueFunction;

template <typename R, typename... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}  // NOLINT: as std::function

  template <typename F>
    requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  UniqueFunction(F&& callable) {  // NOLINT: as std::function
    using Callable = std::decay_t<F>;
    if constexpr (IsInline<Callable>()) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
      operations_ = &kInlineOperations<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(callable)));
      operations_ = &kHeapOperations<Callable>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { TakeFrom(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      Reset();
      TakeFrom(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { Reset(); }

  explicit operator bool() const { return operations_ != nullptr; }

  R operator()(Args... args) {
    MUSTER_CHECK(operations_ != nullptr) << "an empty function was called";
    return operations_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t kInlineSize = 48;

  struct Operations {
    R (*call)(void*, Args&&...);
    void (*relocate)(void* from, void* to);  // moves to raw memory and destroys the source
    void (*destroy)(void*);
  };

  template <typename Callable>
  static constexpr bool IsInline() {
    return sizeof(Callable) <= kInlineSize && alignof(Callable) <= alignof(std::max_align_t) &&
           std::is_nothrow_move_constructible_v<Callable>;
  }

  template <typename Callable>
  static R Invoke(Callable& callable, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      callable(std::forward<Args>(args)...);
    } else {
      return callable(std::forward<Args>(args)...);
    }
  }

  template <typename Callable>
  static constexpr Operations kInlineOperations = {
      [](void* storage, Args&&... args) -> R {
        return Invoke(*static_cast<Callable*>(storage), std::forward<Args>(args)...);
      },
      [](void* from, void* to) {
        auto* callable = static_cast<Callable*>(from);
        ::new (to) Callable(std::move(*callable));
        callable->~Callable();
      },
      [](void* storage) { static_cast<Callable*>(storage)->~Callable(); },
  };

  template <typename Callable>
  static constexpr Operations kHeapOperations = {
      [](void* storage, Args&&... args) -> R {
        return Invoke(**static_cast<Callable**>(storage), std::forward<Args>(args)...);
      },
      [](void* from, void* to) { ::new (to) Callable*(*static_cast<Callable**>(from)); },
      [](void* storage) { delete *static_cast<Callable**>(storage); },
  };

  void TakeFrom(UniqueFunction& other) {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->relocate(other.storage_, storage_);
  }
  void Reset() {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[kInlineSize];
};

}  // namespace muster::base
