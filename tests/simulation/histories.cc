#include "tests/simulation/histories.h"

#include <algorithm>
#include <utility>

#include "service/base/reason.h"
#include "service/base/status.h"
#include "service/rows/rows.h"
#include "tests/simulation/model.h"

namespace muster::simulation {

using linearizability::Call;
using linearizability::Operation;
using linearizability::Reply;

namespace {

std::string TextOf(const values::Outcome& outcome) {
  if (outcome.kind == values::Outcome::Kind::kValue) return "v:" + outcome.value.body();
  return (outcome.kind == values::Outcome::Kind::kCancelled ? "c:" : "e:") + outcome.error->message;
}

int64_t Microseconds(base::Instant instant) { return instant.time_since_epoch().count(); }

}  // namespace

HistoryWorld::HistoryWorld(const HistoryPlan& plan)
    : plan_(plan), random_(plan.seed), left_(plan.operations), clients_(static_cast<size_t>(plan.clients)) {
  MakeShards();
}

void HistoryWorld::At(base::Duration after, std::function<void()> what) {
  events_.emplace(now_ + after, std::make_pair(life_, std::move(what)));
}

const std::vector<Operation>& HistoryWorld::Run() {
  for (size_t client = 0; client < clients_.size(); ++client) Act(client);
  // Bounded: waits whose future nobody ends are left open, which is an answer that was lost.
  for (int step = 0; step < 5'000 && !events_.empty(); ++step) {
    if (left_ > 0 && random_.OneIn(60)) Crash();
    const auto next = events_.begin();
    const auto [life, what] = std::move(next->second);
    now_ = std::max(now_, next->first);
    events_.erase(next);
    if (life != 0 && life != life_) continue;  // it was on its way to a server that is dead
    what();
    EndTurn();
  }
  return recorder_.operations();
}

// --- Clients --------------------------------------------------------------------------------------------------------

void HistoryWorld::Act(size_t client) {
  if (left_-- <= 0) return;
  const uint64_t key = random_.Below(static_cast<uint64_t>(plan_.keys));
  const size_t shard = ShardOf(key);
  Operation operation;
  operation.key = KeyOf(key);
  operation.client = static_cast<int>(client);
  operation.job = IsJob(key);
  const auto known = ids_.find(operation.key);
  const uint64_t choice = known == ids_.end() ? 0 : random_.Below(9);
  if (choice <= 1) {
    const bool other = random_.OneIn(8);
    operation.call = Call::kSubmit;
    operation.argument = other ? "another spec" : "the spec";
    return Invoke(client, operation, [this, shard, key, other](core::Token token) {
      core::Submit submit;
      submit.token = token;
      submit.ns = kNs;
      submit.ns_tag = kTag;
      submit.retention = std::chrono::hours(24);
      submit.options = std::make_unique<values::Options>();
      submit.options->request_id = KeyOf(key);
      submit.spec_hash = other ? 2 : 1;
      if (IsJob(key)) {
        submit.spec = values::JobSpec{};
      } else {
        submit.spec = values::PromiseSpec{};
      }
      Apply(shard, std::move(submit));
    });
  }
  const values::FutureId id = known->second;
  if (choice <= 3 && !operation.job) {
    core::SettlePromise settle;
    settle.ns = kNs;
    settle.id = id;
    // Sometimes what another has tried already.
    const uint64_t value = last_value_ > 0 && random_.OneIn(3) ? 1 + random_.Below(last_value_) : ++last_value_;
    settle.outcome = values::Outcome::Value(values::Payload::Text(std::to_string(value)));
    settle.request_id = "settle " + std::to_string(value);
    operation.call = Call::kSettle;
    operation.argument = "v:" + std::to_string(value);
    operation.request_id = settle.request_id;
    return Invoke(client, operation, [this, shard, settle](core::Token token) {
      core::SettlePromise command = settle;
      command.token = token;
      Apply(shard, std::move(command));
    });
  }
  if (choice == 4) {
    operation.call = Call::kCancel;
    const std::string message = "enough " + std::to_string(++last_value_);
    if (!operation.job) operation.argument = "c:" + message;
    return Invoke(client, operation, [this, shard, id, message](core::Token token) {
      core::Cancel cancel;
      cancel.token = token;
      cancel.ns = kNs;
      cancel.set.ids = {id};
      cancel.message = message;
      Apply(shard, std::move(cancel));
    });
  }
  operation.call = Call::kRead;
  if (choice == 5) {
    return Invoke(client, operation, [this, shard, id](core::Token token) {
      core::AttachWait wait;
      wait.token = token;
      wait.ns = kNs;
      wait.set.ids = {id};
      wait.deadline = now_ + std::chrono::microseconds(60);
      Apply(shard, std::move(wait));
    });
  }
  Invoke(client, operation, [this, shard, id](core::Token token) { Get(shard, token, id); });
}

void HistoryWorld::Invoke(size_t client, Operation operation, std::function<void(core::Token)> request) {
  const core::Token token = ++last_token_;
  clients_[client].token = token;
  clients_[client].operation = recorder_.Invoke(std::move(operation), Microseconds(now_));
  At(Soon(20), [request = std::move(request), token] { request(token); });
}

void HistoryWorld::Receive(core::Token token, Reply reply, const std::string& result) {
  for (size_t client = 0; client < clients_.size(); ++client) {
    if (clients_[client].token != token || !clients_[client].operation) continue;
    const size_t at = *clients_[client].operation;
    clients_[client].operation.reset();
    recorder_.Answer(at, reply, result, Microseconds(now_));
    if (reply == Reply::kCreated || reply == Reply::kRepeated) {
      ids_[recorder_.operations()[at].key] = *values::FutureId::Parse(result);
    }
    At(Soon(10), [this, client] { Act(client); });
  }
}

// --- The server -----------------------------------------------------------------------------------------------------

void HistoryWorld::MakeShards() {
  shards_.clear();
  for (int at = 0; at < plan_.shards; ++at) {
    core::ShardOptions options;
    options.index = static_cast<values::ShardIndex>(at);
    options.shards = static_cast<values::ShardIndex>(plan_.shards);
    options.incarnation = static_cast<uint32_t>(life_);
    options.journaled = true;
    shards_.push_back(std::make_unique<core::Shard>(options));
    shards_.back()->KnowNamespace(kNs, kTag);
  }
}

template <typename Command>
void HistoryWorld::Apply(size_t shard, Command command) {
  shards_[shard]->Apply(std::move(command), now_, effects_);
  Carry(shard);
}

void HistoryWorld::Carry(size_t shard) {
  for (core::Effect& effect : std::exchange(effects_, {})) {
    if (auto* start = std::get_if<core::StartJob>(&effect)) {
      core::JobStarted started;
      started.id = start->id;
      started.attempt = start->attempt;
      At(Soon(30), [this, shard, started] { Apply(shard, started); });
      // Each run comes to something of its own.
      auto outcome = values::Outcome::Value(values::Payload::Text("job " + std::to_string(++last_value_)));
      At(base::Duration(40) + Soon(200),
         [this, id = start->id, attempt = start->attempt, outcome] { EndJob(id, attempt, outcome); });
    } else if (auto* cancel = std::get_if<core::CancelJob>(&effect)) {
      At(Soon(30), [this, id = cancel->id, attempt = cancel->attempt, message = cancel->message] {
        EndJob(id, attempt, values::Outcome::Cancelled(message));
      });
    } else if (auto* submitted = std::get_if<core::Submitted>(&effect)) {
      const bool reused = base::ReasonOf(submitted->refusal) == base::Reason::kRequestIdReused;
      SIM_EXPECT(reused || submitted->refusal.ok(), "a submit was refused: " + submitted->refusal.ToString());
      const Reply reply = reused ? Reply::kReused : (submitted->deduplicated ? Reply::kRepeated : Reply::kCreated);
      Answer(submitted->token, reply, reused ? "" : submitted->id.ToText());
    } else if (auto* settled = std::get_if<core::PromiseSettled>(&effect)) {
      const bool done = base::ReasonOf(settled->refusal) == base::Reason::kAlreadyDone;
      Answer(settled->token, settled->refusal.ok() ? Reply::kSettled : (done ? Reply::kAlreadyDone : Reply::kMissing),
             "");
    } else if (auto* answer = std::get_if<core::CancelAnswered>(&effect)) {
      constexpr Reply kReplies[] = {Reply::kCancelled, Reply::kRequested, Reply::kAlreadyDone, Reply::kMissing};
      Answer(answer->token, kReplies[static_cast<int>(answer->effects.front().second)], "");
    } else if (auto* ended = std::get_if<core::WaitEnded>(&effect)) {
      const bool done = !ended->done.empty();
      const Reply reply = ended->refusal.ok() ? (done ? Reply::kDone : Reply::kPending) : Reply::kMissing;
      Answer(ended->token, reply, done ? TextOf(*ended->done.front().outcome) : "");
    }
  }
  const base::Instant deadline = shards_[shard]->NextDeadline();
  if (deadline == base::kNever) return;
  At(std::max(base::Duration(1), deadline - now_), [this, shard] {
    shards_[shard]->Tick(now_, effects_);
    if (!effects_.empty()) Carry(shard);
  });
}

void HistoryWorld::Get(size_t shard, core::Token token, const values::FutureId& id) {
  const auto view = test::Get(*shards_[shard], kNs, id, true);
  if (!view.ok()) return Answer(token, Reply::kMissing, "");
  const bool done = values::IsDone(view->state);
  Answer(token, done ? Reply::kDone : Reply::kPending, done ? TextOf(*view->outcome) : "");
}

void HistoryWorld::EndJob(const values::FutureId& id, uint32_t attempt, values::OutcomeRef outcome) {
  core::JobEnded ended;
  ended.id = id;
  ended.attempt = attempt;
  ended.outcome = std::move(outcome);
  ended.started = now_;
  Apply(id.shard, std::move(ended));
}

bool HistoryWorld::Undurable() const {
  return committing_ ||
         std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->HasChanges(); });
}

void HistoryWorld::Answer(core::Token token, Reply reply, std::string result) {
  if (Undurable()) {
    held_.push_back({token, reply, std::move(result)});
  } else {
    At(Soon(20), [this, token, reply, result = std::move(result)] { Receive(token, reply, result); });
  }
}

// One batch under way at a time; what comes up meanwhile is the next.
void HistoryWorld::EndTurn() {
  if (committing_ || (held_.empty() && !Undurable())) return;
  under_way_.Clear();
  for (size_t at = 0; at < shards_.size(); ++at) {
    writer_.WriteTo(static_cast<values::ShardIndex>(at), under_way_);
    shards_[at]->TakeChanges(writer_, batches_ + 1);
  }
  ++batches_;
  committing_ = true;
  committed_ = std::exchange(held_, {});
  At(under_way_.empty() ? base::Duration(1) : Soon(40), [this] { OnDurable(); });
}

void HistoryWorld::WriteBatch() {
  under_way_.ForEach([this](std::string_view key, std::optional<std::string_view> value) {
    if (value) {
      disk_[std::string(key)] = *value;
    } else {
      disk_.erase(std::string(key));
    }
  });
}

void HistoryWorld::OnDurable() {
  WriteBatch();
  committing_ = false;
  for (Held& held : std::exchange(committed_, {})) {
    At(Soon(20), [this, held] { Receive(held.token, held.reply, held.result); });
  }
}

// --- Crashes --------------------------------------------------------------------------------------------------------

void HistoryWorld::Crash() {
  ++crashes_;
  // It may have reached the disk, and only the server never heard of it.
  if (committing_ && random_.OneIn(2)) WriteBatch();
  ++life_;  // whatever was under way, requests and answers too, comes to nothing
  committing_ = false;
  held_.clear();
  committed_.clear();
  effects_.clear();
  for (size_t client = 0; client < clients_.size(); ++client) {
    Client& each = clients_[client];
    if (each.operation) recorder_.Lose(*std::exchange(each.operation, std::nullopt), Microseconds(now_));
    each.token = core::kNoToken;
  }
  now_ += Soon(50);
  Restart();
  for (size_t client = 0; client < clients_.size(); ++client) {
    At(Soon(20), [this, client] { Act(client); });
  }
}

void HistoryWorld::Restart() {
  MakeShards();
  uint32_t depth = 0;
  for (size_t at = 0; at < shards_.size(); ++at) RestoreRows(at);
  for (auto& shard : shards_) depth = std::max(depth, shard->FinishRestoring());
  for (uint32_t level = 0; level <= depth; ++level) {
    for (auto& shard : shards_) shard->Relink(level, now_, effects_);
  }
  for (size_t at = 0; at < shards_.size(); ++at) {
    const absl::Status linked = shards_[at]->FinishRelinking(now_, effects_);
    SIM_EXPECT(linked.ok(), linked.ToString());
    effects_.clear();
    shards_[at]->Resume(1'000, now_, effects_);
    Carry(at);
    shards_[at]->CheckInvariants();
  }
}

void HistoryWorld::RestoreRows(size_t at) {
  const auto restore = [&]() -> absl::Status {
    values::FutureId last;
    for (const auto& [row, value] : disk_) {
      MUSTER_ASSIGN_OR_RETURN(const rows::Key key, rows::ParseKey(row));
      if (key.shard != at) continue;
      if (key.table == rows::Table::kMarks) {
        MUSTER_ASSIGN_OR_RETURN(const core::MarksRecord marks, rows::DecodeMarks(value));
        shards_[at]->Restore(marks);
      } else if (key.table == rows::Table::kRequest) {
        MUSTER_ASSIGN_OR_RETURN(const core::RequestRecord record,
                                rows::DecodeRequest(key.number, key.request_id, value));
        MUSTER_RETURN_IF_ERROR(shards_[at]->Restore(record));
      } else if (key.part == rows::Part::kFuture) {
        MUSTER_ASSIGN_OR_RETURN(const core::FutureRecord record, rows::DecodeFuture(key.shard, key.sequence, value));
        last = record.id;
        MUSTER_RETURN_IF_ERROR(shards_[at]->Restore(record));
      } else if (key.part == rows::Part::kInput) {
        MUSTER_ASSIGN_OR_RETURN(values::Payload input, rows::DecodePayload(value));
        MUSTER_RETURN_IF_ERROR(shards_[at]->RestoreInput(last, std::move(input)));
      }
    }
    return absl::OkStatus();
  };
  const absl::Status restored = restore();
  SIM_EXPECT(restored.ok(), restored.ToString());
}

}  // namespace muster::simulation
