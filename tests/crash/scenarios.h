// What clients do all day: each scenario makes a few futures, brings them to their end across whatever kills come, lets
// the judge see all of it, and deletes them.
//
// A scenario returns false when the run is over. It ends with nothing of its own left but what it gave to the archive.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "service/base/mutex.h"
#include "tests/crash/client.h"

namespace muster::crash {

// Futures that outlive their scenario, to be looked at again after many more deaths. Threading: any thread.
class Archive {
 public:
  struct Entry {
    std::string key;
    std::string id;
    bool deleted = false;  // it must stay away
  };
  void Add(Entry entry);
  // One of them, by chance; nothing when there is none.
  bool Pick(simulation::Random& random, Entry* entry);
  // The oldest ones above `max`.
  std::vector<Entry> TakeAbove(size_t max);

 private:
  base::Mutex mutex_;
  std::vector<Entry> entries_ MUSTER_GUARDED_BY(mutex_);
};

struct ScenarioOptions {
  int batch = 200;  // futures in a bulk
};

// Runs scenario after scenario, chosen by chance, until the run is to finish.
void RunScenarios(Client& client, Archive& archive, const ScenarioOptions& options);
// Only bulks.
void RunBulks(Client& client, Archive& archive, const ScenarioOptions& options);
// Big inputs, one after another. They keep the disk busy for milliseconds at a time, in which the commits of others
// wait: a server that answered before its commit would be found out then.
void RunHeavy(Client& client);
// Looks at what is archived, and lets go of the oldest.
void RunAudit(Client& client, Archive& archive);

}  // namespace muster::crash
