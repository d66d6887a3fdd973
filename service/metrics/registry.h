// The values behind the golden list of names.h, and the handles that change them.
//
// A handle is a pointer to a cell, resolved once; on the hot path there is no lookup, no lock and no allocation.
// Counters and histograms are striped by thread, because prometheus-cpp's Histogram::Observe takes a mutex; its
// serializer and data model are what is used of it (docs/adr/0010-metrics-cells.md).
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

inline constexpr std::size_t kStripes = 4;
inline constexpr std::size_t kBoundsMax = 24;

// The stripe of the calling thread: the first kStripes threads that count have one each to themselves.
std::size_t Stripe();

struct alignas(64) CounterStripe {
  std::atomic<std::uint64_t> value{0};
};
struct CounterCell {
  std::array<CounterStripe, kStripes> stripes;
  // What was counted elsewhere and is only shown here.
  std::atomic<double> mirrored{0};
};
struct GaugeCell {
  std::atomic<double> value{0};
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
inline void AddTo(std::atomic<double>& to, double by) {
  double seen = to.load(std::memory_order_relaxed);
  while (!to.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed)) {
  }
}

}  // namespace detail

class Counter {
 public:
  Counter() = default;
  void Add(std::uint64_t by = 1) {
    if (cell_ != nullptr) cell_->stripes[detail::Stripe()].value.fetch_add(by, std::memory_order_relaxed);
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

class Gauge {
 public:
  Gauge() = default;
  void Set(double value) {
    if (cell_ != nullptr) cell_->value.store(value, std::memory_order_relaxed);
  }
  void Add(double by = 1) {
    if (cell_ != nullptr) detail::AddTo(cell_->value, by);
  }
  void Sub(double by = 1) { Add(-by); }
  double Value() const { return cell_ == nullptr ? 0 : cell_->value.load(std::memory_order_relaxed); }

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
    detail::HistogramStripe& stripe = cell_->stripes[detail::Stripe()];
    stripe.counts[bucket].fetch_add(1, std::memory_order_relaxed);
    detail::AddTo(stripe.sum, value);
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
