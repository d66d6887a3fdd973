#include "service/dispatch/dispatcher.h"

#include <memory>
#include <utility>

#include "fmt/format.h"

#include "service/jobs/error.h"

namespace muster::dispatch {
namespace {

// Indices of places. The loop has room for all, so nobody asks it; it stands first, the others follow.
constexpr Matching::PlaceIndex kLoop = 0;
constexpr Matching::PlaceIndex kPool = 1;
constexpr Matching::PlaceIndex kFirstBounded = kPool;

// Jobs that are started in one turn when many find room at once, as when somebody begins to serve their function.
constexpr size_t kMatchedAtOnce = 256;

}  // namespace

Dispatcher::Dispatcher(Host& host, Directory& directory, PoolRoom& room, size_t loops)
    : host_(host),
      directory_(directory),
      runs_(loops),
      loop_(host, runs_, directory),
      pool_(host, runs_, room, [this] { Match(); }),
      places_{&loop_, &pool_} {
  for (size_t i = 0; i < places_.size(); ++i) matching_.AddPlace();
  matching_.SetRoom(kLoop, loop_.Room());
  directory_.Listen(*this);
}

Dispatcher::~Dispatcher() { directory_.Unlisten(*this); }

std::optional<Matching::PlaceIndex> Dispatcher::PlaceOf(values::FunctionKind kind) {
  switch (kind) {
    case values::FunctionKind::kAsync:
      return kLoop;
    case values::FunctionKind::kBlocking:
      return kPool;
    default:
      return std::nullopt;
  }
}

void Dispatcher::Start(core::StartJob&& start) {
  const Function& function = directory_.At(start.function);
  const jobs::Function* definition = function.definition();
  if (function.kind == values::FunctionKind::kAsync && definition != nullptr && matching_.empty()) [[likely]] {
    return loop_.Start(*definition, std::move(start), Waited{});
  }
  StartOrWait(function, std::move(start));
}

void Dispatcher::StartOrWait(const Function& function, core::StartJob&& start) {
  const jobs::Function* definition = function.definition();
  if (definition == nullptr && directory_.fails_unserved()) return FailUnserved(function, start);
  const std::optional<Matching::PlaceIndex> at = PlaceOf(function.kind);
  const base::Instant now = host_.TurnTime();
  const bool is_first =
      at.has_value() && matching_.size(function.id) == 0 && (*at < kFirstBounded || !matching_.Wants(*at));
  if (definition != nullptr && is_first && places_[*at]->Room() > 0) {
    return places_[*at]->Start(*definition, std::move(start), Waited{now});
  }
  Learn(function);
  ReadyJob& job = matching_.Push(std::move(start));
  job.since = now;
  runs_.Add(job);
  Match();
}

void Dispatcher::FailUnserved(const Function& function, const core::StartJob& start) {
  Ended ended;
  ended.id = start.id;
  ended.attempt = start.attempt;
  ended.started = host_.TurnTime();
  ended.outcome = jobs::ToOutcome(
      jobs::Failure("UnknownFunction", fmt::format("this server has no function \"{}\" any more", function.name)));
  host_.loop().Post([this, ended = std::move(ended)]() mutable { host_.OnReport(std::move(ended)); });
}

void Dispatcher::OnServedChanged(const Function& function) {
  host_.loop().Post([this, &function] {
    Learn(function);
    Match();
  });
}

void Dispatcher::Learn(const Function& function) {
  const std::optional<Matching::PlaceIndex> at = PlaceOf(function.kind);
  if (function.served() && at.has_value()) return matching_.Serve(function.id, *at);
  matching_.Unserve(function.id);
}

void Dispatcher::Match() {
  size_t left = kMatchedAtOnce;
  for (; left > 0; --left) {
    for (Matching::PlaceIndex i = kFirstBounded; i < places_.size(); ++i) {
      matching_.SetRoom(i, matching_.Wants(i) ? places_[i]->Room() : 0);
    }
    const std::optional<Matching::Decision> next = matching_.Next();
    if (!next.has_value()) break;
    StartReady(*next);
  }
  for (Matching::PlaceIndex i = kFirstBounded; i < places_.size(); ++i) {
    if (!matching_.Wants(i)) places_[i]->GiveRoomBack();
  }
  PublishCounts();
  if (left == 0) host_.loop().Post([this] { Match(); });
}

void Dispatcher::StartReady(const Matching::Decision& next) {
  const Function& function = directory_.At(next.job->start.function);
  const jobs::Function* definition = function.definition();
  if (definition == nullptr) return matching_.Unserve(function.id);  // withdrawn just now
  const std::unique_ptr<ReadyJob> job = matching_.Take(*next.job);
  runs_.Remove(*job);
  places_[next.place]->Start(*definition, std::move(job->start),
                             Waited{job->since, job->cancelled ? &cancel_all_ : nullptr});
}

void Dispatcher::Withdraw(const core::WithdrawJob& withdraw) {
  Run* run = runs_.Find(withdraw.id);
  if (run == nullptr) return;
  if (run->place != nullptr) return run->place->Withdraw(*run);
  runs_.Remove(*run);
  matching_.Take(static_cast<ReadyJob&>(*run));
  Match();
}

void Dispatcher::Cancel(const core::CancelJob& cancel) {
  Run* run = runs_.Find(cancel.id);
  if (run != nullptr && run->place != nullptr) run->place->Cancel(*run, cancel);
}

void Dispatcher::CancelAll(const std::string& message) {
  cancel_all_.message = message;
  // A cancelled body never starts another here: what it causes comes from the ready list.
  runs_.ForEach([&](Run& run) {
    if (run.place == nullptr) {
      static_cast<ReadyJob&>(run).cancelled = true;
    } else {
      run.place->Cancel(run, cancel_all_);
    }
  });
}

std::optional<WaitsFor> Dispatcher::WhyQueued(const values::FutureId& id) const {
  const Run* run = runs_.Find(id);
  if (run == nullptr || run->place != nullptr) return std::nullopt;
  return matching_.served(run->start.function) ? WaitsFor::kRoom : WaitsFor::kWorker;
}

void Dispatcher::PublishCounts() {
  const size_t unserved = matching_.unserved();
  waiting_.store(matching_.size() - unserved, std::memory_order_relaxed);
  unserved_.store(unserved, std::memory_order_relaxed);
  unserved_blocking_.store(matching_.unserved(values::FunctionKind::kBlocking), std::memory_order_relaxed);
}

}  // namespace muster::dispatch
