#include "service/runtime/dispatcher.h"

#include <utility>
#include <vector>

#include "service/base/check.h"
#include "service/runtime/job_run.h"
#include "service/runtime/shard_runner.h"

namespace muster::runtime {

Dispatcher::Dispatcher(ShardRunner& runner) : runner_(runner) {}

Dispatcher::~Dispatcher() {
  // Bodies that were suspended when the loop stopped for good: their frames cannot be resumed any more, and what they
  // held goes with the process.
  async_.clear();
}

void Dispatcher::Start(core::StartJob start) {
  const jobs::Function& function = runner_.shared().registry.At(start.function);
  const core::FutureId id = start.id;
  runner_.shared().usage.running_jobs.fetch_add(1, std::memory_order_relaxed);
  if (function.kind == core::FunctionKind::kAsync) {
    auto* run = new AsyncRun(runner_, function, std::move(start));
    async_[id] = run;
    runner_.loop().Schedule(*run);
    return;
  }
  auto run = std::make_shared<BlockingRun>(runner_, function, std::move(start));
  blocking_[id] = run;
  run->Enqueue();
}

void Dispatcher::Withdraw(const core::WithdrawJob& withdraw) {
  if (const auto found = async_.find(withdraw.id); found != async_.end()) {
    found->second->Withdraw();
    return;
  }
  if (const auto found = blocking_.find(withdraw.id); found != blocking_.end()) {
    const std::shared_ptr<BlockingRun> run = found->second;
    if (run->Withdraw()) return;
    run->DeliverCancel(/*abandoned=*/true);  // a thread had just taken it
  }
}

void Dispatcher::Cancel(const core::CancelJob& cancel) {
  if (const auto found = async_.find(cancel.id); found != async_.end()) {
    found->second->DeliverCancel(cancel);
    return;
  }
  if (const auto found = blocking_.find(cancel.id); found != blocking_.end()) {
    found->second->DeliverCancel(cancel.abandoned);
  }
}

void Dispatcher::CancelAll(const std::string& message) {
  core::CancelJob cancel;
  cancel.message = message;
  for (const auto& [id, run] : async_) run->DeliverCancel(cancel);
  for (const auto& [id, run] : blocking_) run->DeliverCancel(/*abandoned=*/false);
}

}  // namespace muster::runtime
