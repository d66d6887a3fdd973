// The server dies and starts again: what was committed comes back, what was not is gone, and nobody has seen it.
#include <fmt/format.h>

#include "tests/simulation/world.h"

namespace muster::simulation {

core::ShardOptions World::OptionsOf(size_t shard) const {
  core::ShardOptions options;
  options.index = static_cast<values::ShardIndex>(shard);
  options.incarnation = incarnation_;
  options.shards = static_cast<values::ShardIndex>(plan_.shards);
  options.journaled = plan_.crashes;
  options.nesting_max = 4;
  options.undelivered_retention = std::chrono::seconds(5);
  options.request_id_window = std::chrono::seconds(20);
  options.request_ids_max = 6;
  return options;
}

void World::Crash() {
  Trace("crash");
  ++incarnation_;
  events_.clear();
  network_.clear();
  last_arrival_.clear();
  under_way_ = 0;
  bodies_.clear();
  awaiting_.clear();
  asked_.clear();
  calls_.clear();
  for (const auto& [token, stream] : model_.streams()) left_streams_.emplace_back(stream, stream_ids_[token]);
  model_.OnCrash();
  now_ += SomeTime(4);
  shards_.clear();
  std::vector<core::Shard*> shards;
  std::vector<const test::RecordStore*> stores;
  for (size_t at = 0; at < stores_.size(); ++at) {
    shards_.push_back(std::make_unique<core::Shard>(OptionsOf(at)));
    shards_.back()->KnowNamespace(kNs, 77);
    shards.push_back(shards_.back().get());
    stores.push_back(stores_[at].get());
  }
  const absl::Status restored = test::RestoreAll(stores, shards, now_, [this](size_t shard, core::Effects& effects) {
    for (core::Effect& effect : effects) {
      if (!std::holds_alternative<core::Dropped>(effect)) On(shard, effect);
    }
    for (core::Effect& effect : effects) {
      if (std::holds_alternative<core::Dropped>(effect)) On(shard, effect);
    }
  });
  SIM_EXPECT(restored.ok(), "what was committed is damaged: " + restored.ToString());
  for (size_t at = 0; at < shards_.size(); ++at) {
    int64_t bytes = 0;
    shards_[at]->ForEachRestored([&](const core::Changed& changed) {
      const KnownFuture* known = model_.Find(changed.id);
      SIM_EXPECT(known != nullptr && !known->dropped, "what was gone came back: " + changed.id.ToText());
      SIM_EXPECT(known->state == changed.to, "a future came back in another state: " + changed.id.ToText());
      bytes += changed.bytes_held;
    });
    model_.CheckBytes(at, bytes);
    for (const values::FutureId& id : ids_) {
      const KnownFuture& known = *model_.Find(id);
      if (id.shard != at || !Visible(known)) continue;
      const auto view = test::Get(*shards_[at], kNs, id, false);
      SIM_EXPECT(view.ok(), "a future is lost: " + id.ToText());
      if (values::IsDone(view->state)) model_.OnOutcome(id, view->state, view->outcome);
    }
    shards_[at]->CheckInvariants();
    stores_[at]->Commit(*shards_[at]);
  }
  for (size_t at = 0; at < shards_.size(); ++at) {
    bool more = true;
    while (more) {
      core::Effects out;
      more = shards_[at]->Resume(1 + random_.Below(3), now_, out);
      stores_[at]->Commit(*shards_[at]);
      Absorb(at, out, false);
    }
  }
  if (under_way_ == 0) model_.CheckNothingLingers();
}

// Readers come back with the position that they had before the crash.
void World::ResumeAfterCrash() {
  if (left_streams_.empty()) return;
  const auto [before, ids] = left_streams_.back();
  left_streams_.pop_back();
  core::AttachStream command;
  command.token = ++last_token_;
  command.ns = kNs;
  command.resume_after = before.position;
  OpenStream stream;
  stream.shard = before.shard;
  stream.position = before.position;
  stream.earlier = before.earlier;
  stream.earlier.insert(before.delivered.begin(), before.delivered.end());
  for (const values::FutureId& id : ids) {
    if (!Visible(*model_.Find(id))) continue;
    command.set.ids.push_back(id);
    if (stream.earlier.count(id) == 0) stream.members.insert(id);
  }
  model_.OpenStreamOf(command.token, stream);
  stream_ids_[command.token] = command.set.ids;
  Do(before.shard, std::move(command));
}

}  // namespace muster::simulation
