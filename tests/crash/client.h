// One client: its calls are made again until they are answered, whatever dies meanwhile, and all that it means to do,
// is told and sees goes into the book.
//
// Each verb returns false when the run is over and the client is to leave; everything else is a matter for the judge.
//
// Threading: one thread. Lifetime: target, book and watch outlive it.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/crash/book.h"
#include "tests/crash/file_watch.h"
#include "tests/crash/target.h"
#include "tests/crash/wire.h"
#include "tests/simulation/random.h"

namespace muster::crash {

// Shared by all clients of a run.
struct Run {
  Target target;
  std::unique_ptr<Book> book;
  std::unique_ptr<FileWatch> files;
  std::atomic<uint64_t> lost_answers{0};  // a counter; relaxed
  // What a client waits for the end of something, once the server is left alone.
  std::chrono::seconds patience{60};
};

class Client {
 public:
  using Item = std::pair<std::string, Spec>;  // key, spec

  Client(Run& run, int number, uint64_t seed) : run_(run), number_(number), random_(seed) {}

  // A key that no other future has.
  std::string NewKey();
  simulation::Random& random() { return random_; }
  Run& run() { return run_; }
  bool over() const { return run_.target.stopped(); }
  void Pause(std::chrono::milliseconds duration) { run_.target.PauseBlocking(duration); }

  // --- Submits; repeated until acknowledged -------------------------------------------------------------------------
  [[nodiscard]] bool Submit(const std::string& key, const Spec& spec);
  [[nodiscard]] bool SubmitBatch(const std::vector<Item>& items);
  // Submits and awaits in one call.
  [[nodiscard]] bool Call(const std::string& key, const Spec& spec);
  // Submits another spec under the request id of `key`, which was acknowledged.
  [[nodiscard]] bool SubmitOther(const std::string& key, const Spec& spec);

  // --- Changes ------------------------------------------------------------------------------------------------------
  [[nodiscard]] bool Settle(const std::string& key, const std::string& request_id, const std::string& value);
  [[nodiscard]] bool Cancel(const std::string& key);
  // Deletes what is done, and forgets what it knew, but for what `keep` names: that stays in the book, to be asked for.
  [[nodiscard]] bool Delete(const std::vector<std::string>& keys, size_t keep = 0);
  // Ends and deletes what another client made.
  [[nodiscard]] bool LetGo(const std::string& key, const std::string& id);
  void Know(const std::string& key, const std::string& id);
  void Forget(const std::string& key);

  // --- Sights -------------------------------------------------------------------------------------------------------
  [[nodiscard]] bool Get(const std::string& key) { return GetById(key, IdOf(key)); }
  [[nodiscard]] bool GetById(const std::string& key, const std::string& id);
  // Until all are done.
  [[nodiscard]] bool AwaitDone(const std::vector<std::string>& keys);
  // The same by AsCompleted, taken up again where it broke. `leave_after`: breaks it by itself after so many messages,
  // once.
  [[nodiscard]] bool AwaitStream(const std::vector<std::string>& keys, int leave_after = 0);
  // A gather's results by the RPC that brings them in slices.
  [[nodiscard]] bool AwaitGather(const std::string& key);
  // Notes how often the bodies of file jobs ran.
  void NoteRuns(const std::vector<std::string>& keys);

  const std::string& IdOf(const std::string& key) const { return ids_.at(key); }

 private:
  using Stub = pb::FutureService::Stub;
  struct Told {
    grpc::Status status;
    uint64_t incarnation = 0;
    uint64_t since = 0;
  };

  // Calls until there is an answer of the server; false when the run is over.
  template <typename In, typename Out>
  bool Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const In&, Out*), const In& request, Out* response,
           Told* told);
  void Note(Record record, const Told& told);
  void NoteAcknowledged(const std::string& key, const std::string& id, bool repeated, const Told& told);
  void NoteMissingOrRefused(const std::string& key, const Told& told);
  // One stream from its opening to its end or break; true in `ended` when all were delivered.
  bool OneStream(const std::string& stream, const std::vector<std::string>& keys, int leave_after, std::string* token,
                 bool* ended);
  // True when there is no more waiting for `keys`, and the judge was told.
  bool Overdue(const std::vector<std::string>& keys, const std::string& what);

  Run& run_;
  const int number_;
  simulation::Random random_;
  uint64_t keys_ = 0;
  std::unordered_map<std::string, std::string> ids_;  // by key
  std::unordered_map<std::string, std::string> keys_by_id_;
  std::unordered_set<std::string> files_;  // keys of jobs that write one
};

}  // namespace muster::crash
