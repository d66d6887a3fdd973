// What a client may conclude from the effects alone, kept apart from the core: the judge of a simulation.
//
// The model knows each future by its changes, and from that which waits must have ended, what a stream must deliver and
// what a combinator may come to. Whatever disagrees ends the run.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/core/shard.h"

namespace muster::simulation {

[[noreturn]] void Fail(const std::string& what);
#define SIM_EXPECT(condition, what) \
  do {                              \
    if (!(condition)) Fail(what);   \
  } while (false)

struct KnownFuture {
  values::FutureId id;
  values::NamespaceId ns = 0;
  values::FutureKind kind = values::FutureKind::kJob;
  values::State state = values::State::kPending;
  uint64_t order = 0;  // of completion in its shard
  values::OutcomeRef outcome;
  bool dropped = false;
  bool deleted = false;
  bool may_run_again = false;  // it ran when the server died
  // Combinators:
  std::vector<values::FutureId> members;
  bool return_exceptions = false;
  bool has_timeout = false;
};

struct OpenWait {
  size_t shard = 0;
  std::vector<values::FutureId> members;  // distinct
  values::ReturnWhen return_when = values::ReturnWhen::kAllCompleted;
  base::Instant deadline = base::kNever;
};

struct OpenStream {
  size_t shard = 0;
  std::set<values::FutureId> members;
  std::set<values::FutureId> delivered;
  // Of the streams that this one takes up again: what they delivered, and how far that was.
  std::set<values::FutureId> earlier;
  uint64_t position = 0;
  uint64_t last_order = 0;
  base::Instant deadline = base::kNever;
  bool told = false;  // StreamReady came and nothing was found missing since
};

class Model {
 public:
  explicit Model(size_t shards) : last_order_(shards, 0), bytes_(shards, 0) {}

  void OnChanged(size_t shard, const core::Changed& changed);
  void OnDropped(size_t shard, const core::Dropped& dropped, base::Instant now);
  // The first sight of an outcome; every later one must be the same.
  void OnOutcome(const values::FutureId& id, values::State state, const values::OutcomeRef& outcome);

  void OpenWaitOf(core::Token token, OpenWait wait) { waits_[token] = std::move(wait); }
  void OnWaitEnded(const core::WaitEnded& ended, base::Instant now);
  void CloseWait(core::Token token) { waits_.erase(token); }
  // After each call: no wait of the shard is open that should have ended. `ticked`: nor one whose deadline has passed.
  void CheckWaits(size_t shard, base::Instant now, bool ticked) const;

  void OpenStreamOf(core::Token token, OpenStream stream) { streams_[token] = std::move(stream); }
  void OnStreamReady(core::Token token);
  void OnTaken(core::Token token, const std::vector<core::Completion>& taken, const core::StreamStatus& status,
               base::Instant now);
  void CloseStream(core::Token token) { streams_.erase(token); }

  void OnCombinator(const values::FutureId& id, std::vector<values::FutureId> members, bool return_exceptions,
                    bool has_timeout);
  // The server has died: whoever waited is gone, and what ran may run again.
  void OnCrash();
  void CheckBytes(size_t shard, int64_t bytes) const;
  // When a combinator's outcome is known.
  void CheckCombinator(const KnownFuture& future) const;
  // With no message under way: no combinator lingers whose members say it should have ended.
  void CheckNothingLingers() const;
  // At the very end.
  void CheckAllGone() const;

  KnownFuture* Find(const values::FutureId& id);
  const KnownFuture* Find(const values::FutureId& id) const { return const_cast<Model*>(this)->Find(id); }
  const std::map<values::FutureId, KnownFuture>& futures() const { return futures_; }
  const std::map<core::Token, OpenWait>& waits() const { return waits_; }
  const std::map<core::Token, OpenStream>& streams() const { return streams_; }

 private:
  bool Satisfied(const OpenWait& wait) const;

  std::map<values::FutureId, KnownFuture> futures_;
  std::map<core::Token, OpenWait> waits_;
  std::map<core::Token, OpenStream> streams_;
  std::vector<uint64_t> last_order_;
  std::vector<int64_t> bytes_;
};

}  // namespace muster::simulation
