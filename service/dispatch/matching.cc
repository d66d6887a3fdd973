#include "service/dispatch/matching.h"

#include <algorithm>

namespace muster::dispatch {

Matching::PlaceIndex Matching::AddPlace() {
  room_.push_back(0);
  return static_cast<PlaceIndex>(room_.size() - 1);
}

const Matching::Places& Matching::PlacesOf(values::FunctionId function) const {
  static const Places kNone;
  const auto found = served_by_.find(function);
  return found == served_by_.end() ? kNone : found->second;
}

void Matching::CountUnserved(values::FunctionId function, bool unserved) {
  const ReadyJob* oldest = ready_.Oldest(function);
  if (oldest == nullptr) return;
  size_t& count = unserved_[static_cast<size_t>(oldest->start.kind)];  // all jobs of a function are of its kind
  count = unserved ? count + ready_.size(function) : count - ready_.size(function);
}

void Matching::Serve(values::FunctionId function, PlaceIndex place) {
  Places& places = served_by_[function];
  if (std::find(places.begin(), places.end(), place) != places.end()) return;
  places.push_back(place);
  std::sort(places.begin(), places.end());
  if (places.size() > 1) return;
  CountUnserved(function, false);
  if (const ReadyJob* oldest = ready_.Oldest(function)) waiting_.emplace(oldest->order, function);
}

void Matching::Unserve(values::FunctionId function) {
  if (!served(function)) return;
  served_by_.erase(function);
  CountUnserved(function, true);
  if (const ReadyJob* oldest = ready_.Oldest(function)) waiting_.erase({oldest->order, function});
}

ReadyJob& Matching::Push(core::StartJob&& start) {
  ReadyJob& job = ready_.Push(std::move(start));
  const values::FunctionId function = job.start.function;
  if (!served(function)) {
    ++unserved_[static_cast<size_t>(job.start.kind)];
  } else if (ready_.Oldest(function) == &job) {
    waiting_.emplace(job.order, function);
  }
  return job;
}

std::unique_ptr<ReadyJob> Matching::Take(ReadyJob& job) {
  const values::FunctionId function = job.start.function;
  const bool is_served = served(function);
  const bool was_oldest = ready_.Oldest(function) == &job;
  if (!is_served) --unserved_[static_cast<size_t>(job.start.kind)];
  std::unique_ptr<ReadyJob> taken = ready_.Take(job);
  if (!is_served || !was_oldest) return taken;
  auto entry = waiting_.extract({taken->order, function});
  const ReadyJob* oldest = ready_.Oldest(function);
  if (oldest != nullptr) {  // the same node again: taking one job after the other allocates nothing
    entry.value().first = oldest->order;
    waiting_.insert(std::move(entry));
  }
  return taken;
}

std::optional<Matching::Decision> Matching::Next() const {
  for (const auto& [order, function] : waiting_) {
    std::optional<PlaceIndex> best;
    for (const PlaceIndex place : PlacesOf(function)) {
      if (room_[place] > (best.has_value() ? room_[*best] : 0)) best = place;
    }
    if (best.has_value()) return Decision{ready_.Oldest(function), *best};
  }
  return std::nullopt;
}

bool Matching::Wants(PlaceIndex place) const {
  for (const auto& [order, function] : waiting_) {
    const Places& places = PlacesOf(function);
    if (std::find(places.begin(), places.end(), place) != places.end()) return true;
  }
  return false;
}

size_t Matching::unserved() const {
  size_t sum = 0;
  for (const size_t count : unserved_) sum += count;
  return sum;
}

}  // namespace muster::dispatch
