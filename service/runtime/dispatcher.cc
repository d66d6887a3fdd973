#include "service/runtime/dispatcher.h"

#include <utility>

#include "service/runtime/host/shard_host.h"
#include "service/runtime/job_run.h"

namespace muster::runtime {

Dispatcher::Dispatcher(ShardHost& runner) : runner_(runner) {}

// Bodies that were suspended when the loop stopped for good cannot be resumed any more: their frames, and what they
// hold, go with the process.
Dispatcher::~Dispatcher() = default;

AsyncRun*& Dispatcher::AsyncAt(const values::FutureId& id) {
  const size_t shard = id.shard / runner_.hosts().loops();
  if (shard >= async_.size()) async_.resize(shard + 1);
  std::vector<AsyncRun*>& runs = async_[shard];
  if (id.slot >= runs.size()) runs.resize(size_t{id.slot} + size_t{id.slot} / 2 + 64);
  return runs[id.slot];
}

AsyncRun* Dispatcher::FindAsync(const values::FutureId& id) {
  const size_t shard = id.shard / runner_.hosts().loops();
  if (shard >= async_.size() || id.slot >= async_[shard].size()) return nullptr;
  AsyncRun* run = async_[shard][id.slot];
  return run != nullptr && run->future_id() == id ? run : nullptr;
}

void Dispatcher::Start(core::StartJob&& start) {
  const jobs::Function& function = runner_.registry().At(start.function);
  CountRunning(1);
  if (function.kind == values::FunctionKind::kAsync) {
    auto* run = new AsyncRun(runner_, function, std::move(start));
    AsyncAt(run->future_id()) = run;
    runner_.loop().Schedule(*run);
    return;
  }
  auto run = std::make_shared<BlockingRun>(runner_, function, std::move(start));
  blocking_[run->future_id()] = run;
  run->Enqueue();
}

// A run that was withdrawn may still be on its way to the ready list's front when the next future has its slot.
void Dispatcher::Forget(const AsyncRun& run) {
  CountRunning(-1);
  AsyncRun*& place = AsyncAt(run.future_id());
  if (place == &run) place = nullptr;
}

void Dispatcher::Forget(const BlockingRun& run) {
  CountRunning(-1);
  blocking_.erase(run.future_id());
}

void Dispatcher::Withdraw(const core::WithdrawJob& withdraw) {
  if (AsyncRun* run = FindAsync(withdraw.id)) return run->Withdraw();
  if (const auto found = blocking_.find(withdraw.id); found != blocking_.end()) {
    const std::shared_ptr<BlockingRun> run = found->second;
    if (run->Withdraw()) return;
    run->DeliverCancel(/*abandoned=*/true);  // a thread had just taken it
  }
}

void Dispatcher::Cancel(const core::CancelJob& cancel) {
  if (AsyncRun* run = FindAsync(cancel.id)) return run->DeliverCancel(cancel);
  if (const auto found = blocking_.find(cancel.id); found != blocking_.end()) {
    found->second->DeliverCancel(cancel.abandoned);
  }
}

void Dispatcher::CancelAll(const std::string& message) {
  core::CancelJob cancel;
  cancel.message = message;
  // A cancelled body never starts another here: what it causes comes from the ready list.
  for (const auto& runs : async_) {
    for (AsyncRun* run : runs) {
      if (run != nullptr) run->DeliverCancel(cancel);
    }
  }
  for (const auto& [id, run] : blocking_) run->DeliverCancel(/*abandoned=*/false);
}

}  // namespace muster::runtime
