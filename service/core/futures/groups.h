// The futures of a namespace that were given the same group word, in the order in which they were made. A group lives
// as long as it has members.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"

#include "service/base/intrusive_list.h"
#include "service/core/door/values.h"

namespace muster::core {

struct Future;
struct Group;

// A future's place in its group. Leaves nothing behind once Groups::Leave was called.
struct GroupMember {
  base::ListHook hook;
  Group* group = nullptr;
  Future* future = nullptr;
};

struct Group {
  std::string key;
  base::IntrusiveList<GroupMember, &GroupMember::hook> members;
};

class Groups {
 public:
  void Join(NamespaceId ns, const std::string& name, GroupMember& member);
  // Does nothing for a member of no group.
  void Leave(GroupMember& member);
  // Null when the group has no members.
  const Group* Find(NamespaceId ns, const std::string& name) const;
  size_t size() const { return groups_.size(); }

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_;
};

// A map key out of a namespace and a word within it.
std::string NamespacedKey(NamespaceId ns, const std::string& word);

}  // namespace muster::core
