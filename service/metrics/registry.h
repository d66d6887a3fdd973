// The values behind the golden list of names.h, and the handles that change them.
//
// A handle is a pointer to a cell, resolved once; on the hot path there is no lookup, no lock and no allocation.
// Cells are striped by thread, because prometheus-cpp's Histogram::Observe takes a mutex; its serializer and data model
// are what is used of it (docs/adr/0010-metrics-cells.md).
//
// Threading: handles and registry may be used from any thread. Lifetime: handles are valid as long as their registry;
// a default-constructed handle does nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/clock.h"
#include "service/base/function.h"
#include "service/base/mutex.h"
#include "service/metrics/names.h"

namespace muster::metrics {
namespace detail {

// All but the last stripe belong to one thread each while it lives, which so adds without a locked instruction; the
// threads that found none left share the last one.
inline constexpr std::size_t kStripes = 8;
inline constexpr std::size_t kShared = kStripes - 1;
inline constexpr std::size_t kBoundsMax = 24;

inline constexpr std::size_t kNoStripe = kStripes;
inline constinit thread_local std::size_t my_stripe = kNoStripe;
std::size_t TakeStripe();

// The stripe of the calling thread.
inline std::size_t Stripe() { return my_stripe != kNoStripe ? my_stripe : TakeStripe(); }

struct alignas(64) CounterStripe {
  std::atomic<std::uint64_t> value{0};
};
struct CounterCell {
  std::array<CounterStripe, kStripes> stripes;
  // What was counted elsewhere and is only shown here.
  std::atomic<double> mirrored{0};
};
struct alignas(64) GaugeStripe {
  std::atomic<double> value{0};
};
struct GaugeCell {
  std::array<GaugeStripe, kStripes> stripes;
  std::atomic<double> set{0};
};
struct alignas(64) HistogramStripe {
  std::array<std::atomic<std::uint64_t>, kBoundsMax + 1> counts{};
  std::atomic<double> sum{0};
};
struct HistogramCell {
  std::span<const double> bounds;
  std::array<HistogramStripe, kStripes> stripes;
};

// Relaxed everywhere: a value orders nothing, and a scrape may see one addition without its neighbour.
template <typename T>
void AddTo(std::atomic<T>& to, T by, std::size_t stripe) {
  T seen = to.load(std::memory_order_relaxed);
  if (stripe != kShared) {
    to.store(seen + by, std::memory_order_relaxed);
    return;
  }
  while (!to.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed)) {
  }
}

}  // namespace detail

class Counter {
 public:
  Counter() = default;
  void Add(std::uint64_t by = 1) {
    if (cell_ == nullptr) return;
    const std::size_t stripe = detail::Stripe();
    detail::AddTo(cell_->stripes[stripe].value, by, stripe);
  }
  // For a total that something else keeps: replaces what was mirrored before, adds to what was counted here.
  void Mirror(double total) {
    if (cell_ != nullptr) cell_->mirrored.store(total, std::memory_order_relaxed);
  }
  double Value() const;

 private:
  friend class Registry;
  explicit Counter(detail::CounterCell* cell) : cell_(cell) {}
  detail::CounterCell* cell_ = nullptr;
};

// Shows what was set last plus all that was added: use one or the other.
class Gauge {
 public:
  Gauge() = default;
  void Set(double value) {
    if (cell_ != nullptr) cell_->set.store(value, std::memory_order_relaxed);
  }
  void Add(double by = 1) {
    if (cell_ == nullptr) return;
    const std::size_t stripe = detail::Stripe();
    detail::AddTo(cell_->stripes[stripe].value, by, stripe);
  }
  void Sub(double by = 1) { Add(-by); }
  double Value() const;

 private:
  friend class Registry;
  explicit Gauge(detail::GaugeCell* cell) : cell_(cell) {}
  detail::GaugeCell* cell_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  void Observe(double value) {
    if (cell_ == nullptr) return;
    std::size_t bucket = 0;
    while (bucket < cell_->bounds.size() && value > cell_->bounds[bucket]) ++bucket;
    const std::size_t stripe = detail::Stripe();
    detail::HistogramStripe& mine = cell_->stripes[stripe];
    detail::AddTo(mine.counts[bucket], std::uint64_t{1}, stripe);
    detail::AddTo(mine.sum, value, stripe);
  }
  // In seconds; a negative duration counts as none.
  void Observe(base::Duration duration) {
    Observe(duration.count() < 0 ? 0.0 : static_cast<double>(duration.count()) * 1e-6);
  }
  std::uint64_t Count() const;
  double Sum() const;

 private:
  friend class Registry;
  explicit Histogram(detail::HistogramCell* cell) : cell_(cell) {}
  detail::HistogramCell* cell_ = nullptr;
};

class Registry {
 public:
  // Series of one metric; past it, all further label values share the one whose values are all "other".
  static constexpr std::size_t kSeriesMax = 1024;

  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The series of these label values, made on first use; takes a lock, so resolve once and keep the handle. The type
  // and the number of values must be the golden list's (checked).
  Counter GetCounter(Id id, std::initializer_list<std::string_view> values = {});
  Gauge GetGauge(Id id, std::initializer_list<std::string_view> values = {});
  Histogram GetHistogram(Id id, std::initializer_list<std::string_view> values = {});

  // Runs before each scrape, on the scraper's thread, to set gauges from what others keep. Removed when the returned
  // object dies, which waits for a scrape under way.
  class Collector;
  [[nodiscard]] std::unique_ptr<Collector> OnScrape(base::UniqueFunction<void()> update);

  // Prometheus' text format, version 0.0.4.
  std::string Render();
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  friend class Collector;
  template <typename Cell>
  Cell* Resolve(Id id, Type type, std::initializer_list<std::string_view> values);

  struct Series {
    std::unique_ptr<detail::CounterCell> counter;
    std::unique_ptr<detail::GaugeCell> gauge;
    std::unique_ptr<detail::HistogramCell> histogram;
  };

  base::Mutex mutex_;
  std::array<std::map<std::vector<std::string>, Series>, kMetricCount> series_ MUSTER_GUARDED_BY(mutex_);
  // Held while collectors run, so that none dies under a scrape. Taken before mutex_.
  base::Mutex collectors_mutex_;
  std::list<base::UniqueFunction<void()>> collectors_ MUSTER_GUARDED_BY(collectors_mutex_);
};

class Registry::Collector {
 public:
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

 private:
  friend class Registry;
  Collector(Registry& registry, std::list<base::UniqueFunction<void()>>::iterator at) : registry_(registry), at_(at) {}
  Registry& registry_;
  const std::list<base::UniqueFunction<void()>>::iterator at_;
};

// docs/reference/metrics.md.
std::string ReferenceMarkdown();

}  // namespace muster::metrics
