#include "service/dispatch/ready.h"

namespace muster::dispatch {

Ready::~Ready() {
  for (auto& [function, queue] : queues_) {
    while (ReadyJob* job = queue->jobs.PopFront()) delete job;
  }
}

ReadyJob& Ready::Push(core::StartJob&& start) {
  std::unique_ptr<Queue>& queue = queues_[start.function];
  if (queue == nullptr) queue = std::make_unique<Queue>();
  auto* job = new ReadyJob(std::move(start), ++last_);
  queue->jobs.PushBack(*job);
  ++queue->size;
  ++size_;
  return *job;
}

std::unique_ptr<ReadyJob> Ready::Take(ReadyJob& job) {
  --queues_.find(job.start.function)->second->size;
  --size_;
  job.hook.Unlink();
  return std::unique_ptr<ReadyJob>(&job);
}

ReadyJob* Ready::Oldest(values::FunctionId function) const {
  const auto found = queues_.find(function);
  return found == queues_.end() ? nullptr : found->second->jobs.Front();
}

size_t Ready::size(values::FunctionId function) const {
  const auto found = queues_.find(function);
  return found == queues_.end() ? 0 : found->second->size;
}

}  // namespace muster::dispatch
