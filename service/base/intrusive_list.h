// A doubly linked list through hooks that live inside the members: no allocation, O(1) link and unlink, 16 bytes a
// hook.
//
// Threading: none of its own. Lifetime: the list owns nothing. A hook unlinks itself when it dies; a list that dies
// unlinks its members. Neither hook nor list may move while linked.
//
//   struct Waiter { base::ListHook hook; int id; };
//   base::IntrusiveList<Waiter, &Waiter::hook> waiters;
//   waiters.PushBack(w);  waiters.Front();  w.hook.Unlink();
#pragma once

#include <bit>
#include <cstddef>

#include "service/base/check.h"

namespace muster::base {

class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { Unlink(); }

  bool linked() const { return next_ != nullptr; }
  // Takes the member out of whatever list it is in; does nothing otherwise.
  void Unlink() {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename T, ListHook T::* Hook>
  friend class IntrusiveList;

  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
};

template <typename T, ListHook T::* Hook>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    Clear();
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }

  void PushBack(T& member) { InsertBefore(head_, member.*Hook); }
  void PushFront(T& member) { InsertBefore(*head_.next_, member.*Hook); }

  // Null when empty.
  T* Front() const { return empty() ? nullptr : Owner(head_.next_); }
  T* Back() const { return empty() ? nullptr : Owner(head_.previous_); }
  T* PopFront() {
    if (empty()) return nullptr;
    T* member = Owner(head_.next_);
    (member->*Hook).Unlink();
    return member;
  }

  // Null at the end. To remove while iterating, take Next first.
  T* Next(const T& member) const {
    ListHook* next = (member.*Hook).next_;
    return next == &head_ ? nullptr : Owner(next);
  }

  // Moves every member of `other` behind this list's last, in O(1).
  void Append(IntrusiveList& other) {
    if (other.empty()) return;
    ListHook* first = other.head_.next_;
    ListHook* last = other.head_.previous_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
    other.head_.next_ = other.head_.previous_ = &other.head_;
  }

  void Clear() {
    while (!empty()) head_.next_->Unlink();
  }

  class Iterator {
   public:
    Iterator(const IntrusiveList* list, T* at) : list_(list), at_(at) {}
    T& operator*() const { return *at_; }
    T* operator->() const { return at_; }
    Iterator& operator++() {
      at_ = list_->Next(*at_);
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const IntrusiveList* list_;
    T* at_;
  };
  Iterator begin() const { return Iterator(this, Front()); }
  Iterator end() const { return Iterator(this, nullptr); }

 private:
  static void InsertBefore(ListHook& where, ListHook& hook) {
    MUSTER_CHECK(!hook.linked()) << "a hook is in one list at a time";
    hook.previous_ = where.previous_;
    hook.next_ = &where;
    where.previous_->next_ = &hook;
    where.previous_ = &hook;
  }

  // The member a hook is part of. In the Itanium C++ ABI a pointer to a data member is the offset itself.
  static T* Owner(ListHook* hook) {
    static_assert(sizeof(Hook) == sizeof(std::ptrdiff_t));
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(hook) - std::bit_cast<std::ptrdiff_t>(Hook));
  }

  ListHook head_;  // the ring's fixed point: first member after it, last before it
};

}  // namespace muster::base
