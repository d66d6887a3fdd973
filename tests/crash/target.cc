#include "tests/crash/target.h"

namespace muster::crash {

void Target::ConnectLocked() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  // A pool of its own: a connection of an earlier life at the same address must not be found again.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto connection = std::make_shared<Connection>();
  connection->stub = muster::v1::FutureService::NewStub(
      grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments));
  connection->incarnation = incarnation_;
  connection_ = std::move(connection);
  changed_.NotifyAll();
}

void Target::Up(const std::string& address, uint64_t incarnation) {
  base::MutexLock lock(mutex_);
  address_ = address;
  incarnation_ = incarnation;
  ConnectLocked();
}

void Target::Down() {
  base::MutexLock lock(mutex_);
  ++breaks_;
  connection_.reset();
  deaths_.try_emplace(incarnation_, Clock::now());  // one that died before it was up says nothing of the one before
}

void Target::Cut() {
  base::MutexLock lock(mutex_);
  for (grpc::ClientContext* context : calls_) context->TryCancel();
  ++breaks_;
  ConnectLocked();
}

void Target::Settle() {
  base::MutexLock lock(mutex_);
  settled_ = Clock::now();
}

void Target::Stop() {
  base::MutexLock lock(mutex_);
  stopped_ = finishing_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
  changed_.NotifyAll();
}

void Target::Finish() {
  base::MutexLock lock(mutex_);
  finishing_ = true;
}

std::shared_ptr<Target::Connection> Target::AwaitBlocking() {
  base::MutexLock lock(mutex_);
  while (connection_ == nullptr && !stopped_) changed_.Wait(mutex_);
  return stopped_ ? nullptr : connection_;
}

uint64_t Target::breaks() const {
  base::MutexLock lock(mutex_);
  return breaks_;
}

std::optional<Target::Clock::time_point> Target::DeathOf(uint64_t incarnation) const {
  base::MutexLock lock(mutex_);
  const auto found = deaths_.find(incarnation);
  if (found == deaths_.end()) return std::nullopt;
  return found->second;
}

bool Target::stopped() const {
  base::MutexLock lock(mutex_);
  return stopped_;
}

bool Target::finishing() const {
  base::MutexLock lock(mutex_);
  return finishing_;
}

Target::Clock::duration Target::settled_for() const {
  base::MutexLock lock(mutex_);
  return settled_.has_value() ? Clock::now() - *settled_ : Clock::duration::zero();
}

void Target::PauseBlocking(std::chrono::milliseconds duration) {
  const Clock::time_point end = Clock::now() + duration;
  base::MutexLock lock(mutex_);
  while (!stopped_) {
    const auto left = end - Clock::now();
    if (left <= Clock::duration::zero()) return;
    changed_.WaitFor(mutex_, left);
  }
}

void Target::Begin(grpc::ClientContext* context) {
  base::MutexLock lock(mutex_);
  calls_.insert(context);
  if (stopped_) context->TryCancel();
}

void Target::End(grpc::ClientContext* context) {
  base::MutexLock lock(mutex_);
  calls_.erase(context);
}

}  // namespace muster::crash
