#include "tests/crash/scenarios.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster::crash {
namespace {

using Body = Spec::Body;
using Keys = std::vector<std::string>;

constexpr size_t kArchiveMax = 400;

int Between(simulation::Random& random, int low, int high) {
  return low + static_cast<int>(random.Below(static_cast<uint64_t>(high - low + 1)));
}

void PauseABit(Client& client, int ms_max) {
  client.Pause(std::chrono::milliseconds(client.random().Below(static_cast<uint64_t>(ms_max) + 1)));
}

Spec Sleep(int ms, bool at_most_once = false) {
  return {.body = Body::kSleep, .at_most_once = at_most_once, .value = fmt::format("{}.{:03}", ms / 1000, ms % 1000)};
}

// Any job that ends by itself, soon.
Spec AnyJob(Client& client, const std::string& key) {
  simulation::Random& random = client.random();
  switch (random.Below(8)) {
    case 0:
      return {.body = Body::kFail, .value = "failure of " + key};
    case 1:
      return {.body = Body::kFile, .value = "content of " + key};
    case 2:
      return {.body = Body::kFile, .at_most_once = true, .value = "content of " + key};
    case 3:
      return Sleep(Between(random, 0, 150), true);
    case 4:
    case 5:
      return Sleep(Between(random, 0, 150));
    case 6:
      return {.delay_ms = static_cast<uint32_t>(Between(random, 1, 200)), .value = "delayed " + key};
    default:
      return {.value = "echo of " + key};
  }
}

// Deletes them, but now and then some stay for the archive, and of the deleted some are asked for later.
bool PutAway(Client& client, Archive& archive, Keys keys) {
  simulation::Random& random = client.random();
  while (!keys.empty() && random.OneIn(3)) {
    archive.Add({keys.back(), client.IdOf(keys.back())});
    keys.pop_back();
  }
  if (keys.empty()) return true;
  const size_t keep = random.OneIn(4) ? 1 : 0;
  const std::string id = client.IdOf(keys.front());
  if (!client.Delete(keys, keep)) return false;
  if (keep != 0) archive.Add({keys.front(), id, true});
  return true;
}

bool Bulk(Client& client, Archive& archive, const ScenarioOptions& options) {
  simulation::Random& random = client.random();
  std::vector<Client::Item> items;
  Keys keys;
  for (int count = Between(random, 1, options.batch); count > 0; --count) {
    keys.push_back(client.NewKey());
    Spec spec{.value = keys.back()};
    if (random.OneIn(20)) spec = {.body = Body::kFail, .value = "failure of " + keys.back()};
    if (random.OneIn(20)) spec = Sleep(Between(random, 0, 20));
    items.emplace_back(keys.back(), spec);
  }
  if (!client.SubmitBatch(items)) return false;
  // As a client would that never read the answer.
  if (random.OneIn(4) && !client.SubmitBatch(items)) return false;
  if (random.OneIn(2) ? !client.AwaitStream(keys) : !client.AwaitDone(keys)) return false;
  if (!client.Get(keys[random.Below(keys.size())])) return false;
  if (random.OneIn(3)) {
    archive.Add({keys.back(), client.IdOf(keys.back())});
    keys.pop_back();
  }
  return keys.empty() || client.Delete(keys);
}

bool Jobs(Client& client, Archive& archive) {
  simulation::Random& random = client.random();
  Keys keys;
  std::vector<Spec> specs;
  for (int count = Between(random, 3, 12); count > 0; --count) {
    keys.push_back(client.NewKey());
    specs.push_back(AnyJob(client, keys.back()));
    if (!client.Submit(keys.back(), specs.back())) return false;
    const size_t any = random.Below(keys.size());
    switch (random.Below(6)) {
      case 0:
        if (!client.Submit(keys[any], specs[any])) return false;
        break;
      case 1:
        if (!client.SubmitOther(keys[any], {.value = "another spec"})) return false;
        break;
      case 2:
        if (!client.Cancel(keys[any])) return false;
        break;
      default:
        if (!client.Get(keys[any])) return false;
    }
  }
  if (random.OneIn(2)) PauseABit(client, 100);
  if (!client.AwaitDone(keys)) return false;
  client.NoteRuns(keys);
  return PutAway(client, archive, keys);
}

bool Promises(Client& client, Archive& archive) {
  simulation::Random& random = client.random();
  Keys keys;
  const Spec promise{.body = Body::kPromise};
  for (int count = Between(random, 2, 6); count > 0; --count) {
    keys.push_back(client.NewKey());
    if (!client.Submit(keys.back(), promise)) return false;
    if (random.OneIn(3) && !client.Submit(keys.back(), promise)) return false;
    if (random.OneIn(3) && !client.SubmitOther(keys.back(), promise)) return false;
  }
  for (const std::string& key : keys) {
    PauseABit(client, 20);
    if (random.OneIn(4)) {
      if (!client.Cancel(key)) return false;
    }
    if (!client.Settle(key, key + "-first", "value of " + key)) return false;
    if (random.OneIn(2) && !client.Settle(key, key + "-first", "value of " + key)) return false;
    if (random.OneIn(2) && !client.Settle(key, key + "-second", "another value")) return false;
    if (random.OneIn(3) && !client.Cancel(key)) return false;
    if (!client.Get(key)) return false;
  }
  // One that nobody settles, for as long as it stays in the archive.
  if (random.OneIn(3)) {
    const std::string pending = client.NewKey();
    if (!client.Submit(pending, promise)) return false;
    archive.Add({pending, client.IdOf(pending)});
    client.Forget(pending);
  }
  if (!client.AwaitDone(keys)) return false;
  return PutAway(client, archive, keys);
}

bool Gathers(Client& client, Archive& archive) {
  simulation::Random& random = client.random();
  Keys members, promises;
  for (int count = Between(random, 2, 10); count > 0; --count) {
    members.push_back(client.NewKey());
    Spec spec = AnyJob(client, members.back());
    if (random.OneIn(2)) {
      spec = {.body = Body::kPromise};
      promises.push_back(members.back());
    }
    if (!client.Submit(members.back(), spec)) return false;
  }
  // The order of the results is not that of the ends; one member may stand twice.
  Spec gather{.body = Body::kGather, .return_exceptions = true, .members = members};
  if (random.OneIn(3)) gather.members.push_back(members.front());
  const std::string key = client.NewKey();
  if (!client.Submit(key, gather) || !client.Get(key)) return false;
  if (random.OneIn(3) && !client.Submit(key, gather)) return false;
  const std::string outer = client.NewKey();
  const Spec nested{.body = Body::kGather, .return_exceptions = true, .members = {key, members.back()}};
  if (!client.Submit(outer, nested)) return false;
  for (const std::string& promise : promises) {
    PauseABit(client, 40);
    if (random.OneIn(5)) {
      if (!client.Cancel(promise)) return false;
    } else if (!client.Settle(promise, promise + "-settle", "value of " + promise)) {
      return false;
    }
  }
  if (!client.AwaitDone(members)) return false;
  if (random.OneIn(2) ? !client.AwaitGather(key) : !client.AwaitDone({key})) return false;
  if (!client.Get(key) || !client.AwaitDone({outer})) return false;
  members.push_back(key);
  members.push_back(outer);
  // In the archive they go one by one: what a gather was seen to come to outlives its members.
  if (!random.OneIn(6)) return client.Delete(members);
  for (const std::string& member : members) archive.Add({member, client.IdOf(member)});
  return true;
}

bool Calls(Client& client, Archive& archive) {
  Keys keys;
  for (int count = Between(client.random(), 1, 4); count > 0; --count) {
    keys.push_back(client.NewKey());
    const Spec spec = AnyJob(client, keys.back());
    if (!client.Call(keys.back(), spec)) return false;
    if (client.random().OneIn(3) && !client.Call(keys.back(), spec)) return false;
  }
  client.NoteRuns(keys);
  return PutAway(client, archive, keys);
}

bool Streams(Client& client, Archive& archive) {
  simulation::Random& random = client.random();
  std::vector<Client::Item> items;
  Keys keys;
  for (int count = Between(random, 10, 60); count > 0; --count) {
    keys.push_back(client.NewKey());
    items.emplace_back(keys.back(), Sleep(Between(random, 0, 300)));
  }
  if (!client.SubmitBatch(items)) return false;
  if (!client.AwaitStream(keys, Between(random, 0, 5))) return false;
  return PutAway(client, archive, keys);
}

// Many bodies that must not run twice, at once: some have run to their end and are not known to have started when the
// server dies, unless it waited for that.
bool Once(Client& client, Archive& archive) {
  std::vector<Client::Item> items;
  Keys keys;
  for (int count = Between(client.random(), 5, 40); count > 0; --count) {
    keys.push_back(client.NewKey());
    items.emplace_back(keys.back(), Spec{.body = Body::kFile, .at_most_once = true, .value = "of " + keys.back()});
  }
  if (!client.SubmitBatch(items) || !client.AwaitDone(keys)) return false;
  client.NoteRuns(keys);
  return PutAway(client, archive, keys);
}

// A job that would run for an hour: only a cancel that is remembered ends it.
bool Endless(Client& client, Archive& archive) {
  simulation::Random& random = client.random();
  const std::string key = client.NewKey();
  if (!client.Submit(key, Sleep(3'600'000, random.OneIn(3)))) return false;
  for (int looks = Between(random, 0, 6); looks > 0; --looks) {
    PauseABit(client, 120);
    if (!client.Get(key)) return false;
  }
  if (!client.Cancel(key) || !client.AwaitDone({key})) return false;
  return PutAway(client, archive, {key});
}

}  // namespace

void Archive::Add(Entry entry) {
  base::MutexLock lock(mutex_);
  entries_.push_back(std::move(entry));
}

bool Archive::Pick(simulation::Random& random, Entry* entry) {
  base::MutexLock lock(mutex_);
  if (entries_.empty()) return false;
  *entry = entries_[random.Below(entries_.size())];
  return true;
}

std::vector<Archive::Entry> Archive::TakeAbove(size_t max) {
  base::MutexLock lock(mutex_);
  std::vector<Entry> taken;
  if (entries_.size() <= max) return taken;
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(entries_.size() - max);
  taken.assign(entries_.begin(), end);
  entries_.erase(entries_.begin(), end);
  return taken;
}

void RunScenarios(Client& client, Archive& archive, const ScenarioOptions& options) {
  bool going = true;
  while (going && !client.run().target.finishing()) {
    switch (client.random().Below(11)) {
      case 0:
        going = Bulk(client, archive, options);
        break;
      case 1:
      case 2:
        going = Jobs(client, archive);
        break;
      case 3:
      case 4:
        going = Promises(client, archive);
        break;
      case 5:
      case 6:
        going = Gathers(client, archive);
        break;
      case 7:
        going = Calls(client, archive);
        break;
      case 8:
        going = Streams(client, archive);
        break;
      case 9:
        going = Once(client, archive);
        break;
      default:
        going = Endless(client, archive);
    }
  }
}

void RunBulks(Client& client, Archive& archive, const ScenarioOptions& options) {
  while (!client.run().target.finishing() && Bulk(client, archive, options)) {
  }
}

void RunHeavy(Client& client) {
  constexpr int kInputs = 3;  // together they fit into a message
  const Spec spec{.body = Body::kChecksum, .value = "900"};
  while (!client.run().target.finishing()) {
    std::vector<Client::Item> items;
    Keys keys;
    for (int count = 0; count < kInputs; ++count) {
      keys.push_back(client.NewKey());
      items.emplace_back(keys.back(), spec);
    }
    if (!client.SubmitBatch(items) || !client.AwaitDone(keys) || !client.Delete(keys)) return;
    PauseABit(client, 20);
  }
}

void RunAudit(Client& client, Archive& archive) {
  Archive::Entry entry;
  while (!client.run().target.finishing()) {
    if (archive.Pick(client.random(), &entry)) {
      if (!client.GetById(entry.key, entry.id)) return;
    }
    for (const Archive::Entry& old : archive.TakeAbove(kArchiveMax)) {
      if (old.deleted) {
        client.run().book->Note({.kind = Record::Kind::kForget, .key = old.key});
      } else if (!client.LetGo(old.key, old.id)) {
        return;
      }
    }
    PauseABit(client, 5);
  }
}

}  // namespace muster::crash
