#include "service/core/futures/groups.h"

#include "service/base/check.h"

namespace muster::core {

std::string NamespacedKey(NamespaceId ns, const std::string& word) {
  std::string key(reinterpret_cast<const char*>(&ns), sizeof(ns));
  key += word;
  return key;
}

void Groups::Join(NamespaceId ns, const std::string& name, GroupMember& member) {
  MUSTER_CHECK(member.group == nullptr) << "a future is in one group";
  std::string key = NamespacedKey(ns, name);
  std::unique_ptr<Group>& group = groups_[key];
  if (!group) {
    group = std::make_unique<Group>();
    group->key = std::move(key);
  }
  group->members.PushBack(member);
  member.group = group.get();
}

void Groups::Leave(GroupMember& member) {
  Group* group = member.group;
  if (group == nullptr) return;
  member.hook.Unlink();
  member.group = nullptr;
  if (group->members.empty()) groups_.erase(std::string(group->key));
}

const Group* Groups::Find(NamespaceId ns, const std::string& name) const {
  const auto found = groups_.find(NamespacedKey(ns, name));
  return found == groups_.end() ? nullptr : found->second.get();
}

}  // namespace muster::core
