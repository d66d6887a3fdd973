// Clients of one simulated server, over a network that delays, with a disk that takes its time and a power switch: what
// they are told is recorded for the linearizability checker.
//
// The server does what service/runtime does: it applies commands at once, makes what has changed into batches of rows,
// one under way at a time, and lets an answer out only when all that was decided before it is durable. A crash keeps
// the rows that are durable and nothing else. Everything follows from the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/core/shard.h"
#include "service/runtime/row_writer.h"
#include "service/store/journal.h"
#include "tests/linearizability/history.h"
#include "tests/simulation/random.h"
#include "tests/support/shard_asks.h"

namespace muster::simulation {

struct HistoryPlan {
  uint64_t seed = 1;
  int shards = 1;
  int clients = 4;
  int keys = 3;
  int operations = 40;  // of all clients
};

class HistoryWorld {
 public:
  explicit HistoryWorld(const HistoryPlan& plan);
  // The history. `crashes` counts them.
  const std::vector<linearizability::Operation>& Run();
  int crashes() const { return crashes_; }

 private:
  static constexpr values::NamespaceId kNs = 1;
  static constexpr uint16_t kTag = 77;

  struct Client {
    std::optional<size_t> operation;  // under way
    core::Token token = core::kNoToken;
  };
  struct Held {
    core::Token token;
    linearizability::Reply reply;
    std::string result;
  };

  void At(base::Duration after, std::function<void()> what);
  base::Duration Soon(uint64_t most) { return base::Duration(1 + random_.Below(most)); }
  std::string KeyOf(uint64_t key) const { return "k" + std::to_string(key); }
  bool IsJob(uint64_t key) const { return key % 2 == 1; }
  size_t ShardOf(uint64_t key) const { return key % shards_.size(); }

  // Clients.
  void Act(size_t client);
  void Invoke(size_t client, linearizability::Operation operation, std::function<void(core::Token)> request);
  void Receive(core::Token token, linearizability::Reply reply, const std::string& result);

  // The server.
  void MakeShards();
  template <typename Command>
  void Apply(size_t shard, Command command);
  void Carry(size_t shard);
  void Answer(core::Token token, linearizability::Reply reply, std::string result);
  void Get(size_t shard, core::Token token, const values::FutureId& id);
  bool Undurable() const;
  void EndTurn();
  void WriteBatch();
  void OnDurable();
  void EndJob(const values::FutureId& id, uint32_t attempt, values::OutcomeRef outcome);

  void Crash();
  void Restart();
  void RestoreRows(size_t shard);

  const HistoryPlan plan_;
  Random random_;
  base::Instant now_{std::chrono::seconds(1'000'000)};
  std::multimap<base::Instant, std::pair<uint64_t, std::function<void()>>> events_;  // of a life of the server
  uint64_t life_ = 1;
  int crashes_ = 0;
  int left_;

  std::vector<Client> clients_;
  std::map<std::string, values::FutureId> ids_;  // that anybody was told
  linearizability::Recorder recorder_;
  core::Token last_token_ = 0;
  uint64_t last_value_ = 0;

  std::vector<std::unique_ptr<core::Shard>> shards_;
  std::map<std::string, std::string> disk_;
  runtime::RowWriter writer_;
  store::Batch under_way_;
  bool committing_ = false;
  uint64_t batches_ = 0;
  std::vector<Held> held_, committed_;
  core::Effects effects_;
};

}  // namespace muster::simulation
