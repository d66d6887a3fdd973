#include "service/metrics/registry.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "service/base/check.h"

namespace muster::metrics {
namespace detail {

namespace {

// A bit for each stripe that a thread has. Whoever takes one sees what its last owner added (acquire, release), and
// goes on from there.
std::atomic<unsigned> taken{0};

struct Owner {
  ~Owner() {
    if (my_stripe < kShared) taken.fetch_and(~(1u << my_stripe), std::memory_order_release);
    my_stripe = kShared;  // what this thread still counts on its way out
  }
};

}  // namespace

std::size_t TakeStripe() {
  unsigned seen = taken.load(std::memory_order_relaxed);
  for (std::size_t stripe = 0; stripe < kShared;) {
    const unsigned bit = 1u << stripe;
    if ((seen & bit) != 0) {
      ++stripe;
    } else if (taken.compare_exchange_weak(seen, seen | bit, std::memory_order_acquire, std::memory_order_relaxed)) {
      static thread_local const Owner owner;
      return my_stripe = stripe;
    }
  }
  return my_stripe = kShared;
}

}  // namespace detail

namespace {

std::vector<std::string> SplitLabels(std::string_view labels) {
  std::vector<std::string> names;
  while (!labels.empty()) {
    const std::size_t comma = labels.find(',');
    names.emplace_back(labels.substr(0, comma));
    labels = comma == std::string_view::npos ? std::string_view() : labels.substr(comma + 1);
  }
  return names;
}

double TotalOf(const detail::CounterCell& cell) {
  std::uint64_t counted = 0;
  for (const auto& stripe : cell.stripes) counted += stripe.value.load(std::memory_order_relaxed);
  return static_cast<double>(counted) + cell.mirrored.load(std::memory_order_relaxed);
}

double TotalOf(const detail::GaugeCell& cell) {
  double total = cell.set.load(std::memory_order_relaxed);
  for (const auto& stripe : cell.stripes) total += stripe.value.load(std::memory_order_relaxed);
  return total;
}

prometheus::ClientMetric::Histogram Merge(const detail::HistogramCell& cell) {
  prometheus::ClientMetric::Histogram merged;
  std::uint64_t cumulative = 0;
  for (std::size_t bucket = 0; bucket <= cell.bounds.size(); ++bucket) {
    for (const auto& stripe : cell.stripes) cumulative += stripe.counts[bucket].load(std::memory_order_relaxed);
    const bool last = bucket == cell.bounds.size();
    merged.bucket.push_back({cumulative, last ? std::numeric_limits<double>::infinity() : cell.bounds[bucket]});
  }
  for (const auto& stripe : cell.stripes) merged.sample_sum += stripe.sum.load(std::memory_order_relaxed);
  merged.sample_count = cumulative;
  return merged;
}

prometheus::MetricType ToPrometheus(Type type) {
  switch (type) {
    case Type::kCounter:
      return prometheus::MetricType::Counter;
    case Type::kGauge:
      return prometheus::MetricType::Gauge;
    case Type::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

template <typename Cell, typename Series>
std::unique_ptr<Cell>& CellOf(Series& series) {
  if constexpr (std::is_same_v<Cell, detail::CounterCell>) {
    return series.counter;
  } else if constexpr (std::is_same_v<Cell, detail::GaugeCell>) {
    return series.gauge;
  } else {
    return series.histogram;
  }
}

}  // namespace

std::span<const double> BoundsOf(Buckets buckets) {
  static constexpr double kLatency[] = {25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3,
                                        50e-3, 0.1,   0.25,   0.5,    1,      2.5,  5,      10,   30,    60};
  static constexpr double kDuration[] = {1e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5,  1,
                                         2.5,  5,    10,    30,    60,    300, 1800, 7200, 86400};
  static_assert(std::size(kLatency) <= detail::kBoundsMax && std::size(kDuration) <= detail::kBoundsMax);
  switch (buckets) {
    case Buckets::kNone:
      break;
    case Buckets::kLatency:
      return kLatency;
    case Buckets::kDuration:
      return kDuration;
  }
  return {};
}

double Counter::Value() const { return cell_ == nullptr ? 0 : TotalOf(*cell_); }
double Gauge::Value() const { return cell_ == nullptr ? 0 : TotalOf(*cell_); }
std::uint64_t Histogram::Count() const { return cell_ == nullptr ? 0 : Merge(*cell_).sample_count; }
double Histogram::Sum() const { return cell_ == nullptr ? 0 : Merge(*cell_).sample_sum; }

Registry::Registry() {
  // What has no labels is on the page from the start: a rate over something that appears with its first event misses
  // that event.
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (!kDefinitions[i].labels.empty()) continue;
    const Id id{i};
    switch (kDefinitions[i].type) {
      case Type::kCounter:
        GetCounter(id);
        break;
      case Type::kGauge:
        GetGauge(id);
        break;
      case Type::kHistogram:
        GetHistogram(id);
        break;
    }
  }
}

Registry::~Registry() {
  base::MutexLock lock(collectors_mutex_);
  MUSTER_CHECK(collectors_.empty()) << "a collector outlives its registry";
}

template <typename Cell>
Cell* Registry::Resolve(Id id, Type type, std::initializer_list<std::string_view> values) {
  const Definition& definition = DefinitionOf(id);
  MUSTER_CHECK(definition.type == type) << definition.name << " is of another type";
  const std::size_t labels =
      definition.labels.empty() ? 0 : std::count(definition.labels.begin(), definition.labels.end(), ',') + 1;
  MUSTER_CHECK_EQ(values.size(), labels) << definition.name;
  std::vector<std::string> key(values.begin(), values.end());
  base::MutexLock lock(mutex_);
  auto& family = series_[static_cast<std::size_t>(id)];
  if (family.size() >= kSeriesMax && !family.contains(key)) key.assign(labels, "other");
  auto& cell = CellOf<Cell>(family[std::move(key)]);
  if (cell == nullptr) {
    cell = std::make_unique<Cell>();
    if constexpr (std::is_same_v<Cell, detail::HistogramCell>) cell->bounds = BoundsOf(definition.buckets);
  }
  return cell.get();
}

Counter Registry::GetCounter(Id id, std::initializer_list<std::string_view> values) {
  return Counter(Resolve<detail::CounterCell>(id, Type::kCounter, values));
}
Gauge Registry::GetGauge(Id id, std::initializer_list<std::string_view> values) {
  return Gauge(Resolve<detail::GaugeCell>(id, Type::kGauge, values));
}
Histogram Registry::GetHistogram(Id id, std::initializer_list<std::string_view> values) {
  return Histogram(Resolve<detail::HistogramCell>(id, Type::kHistogram, values));
}

std::unique_ptr<Registry::Collector> Registry::OnScrape(base::UniqueFunction<void()> update) {
  base::MutexLock lock(collectors_mutex_);
  collectors_.push_back(std::move(update));
  return std::unique_ptr<Collector>(new Collector(*this, std::prev(collectors_.end())));
}

Registry::Collector::~Collector() {
  base::MutexLock lock(registry_.collectors_mutex_);
  registry_.collectors_.erase(at_);
}

std::string Registry::Render() {
  {
    base::MutexLock lock(collectors_mutex_);
    for (auto& update : collectors_) update();
  }
  std::vector<prometheus::MetricFamily> families;
  base::MutexLock lock(mutex_);
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (series_[i].empty()) continue;
    const Definition& definition = kDefinitions[i];
    const std::vector<std::string> names = SplitLabels(definition.labels);
    prometheus::MetricFamily family;
    family.name = std::string(definition.name);
    family.help = std::string(definition.help);
    family.type = ToPrometheus(definition.type);
    for (const auto& [values, series] : series_[i]) {
      prometheus::ClientMetric metric;
      for (std::size_t label = 0; label < names.size(); ++label) metric.label.push_back({names[label], values[label]});
      if (series.counter != nullptr) metric.counter.value = TotalOf(*series.counter);
      if (series.gauge != nullptr) metric.gauge.value = TotalOf(*series.gauge);
      if (series.histogram != nullptr) metric.histogram = Merge(*series.histogram);
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::string ReferenceMarkdown() {
  std::string text =
      "# Metrics\n\n"
      "Every metric that `musterd` shows at `/metrics` of its admin listener (port 7412). This page is generated from\n"
      "`service/metrics/names.h`; `musterd --print-reference=metrics` prints it.\n\n"
      "Labels hold words of bounded sets: no ids, no free text. Long polls and streams (`Wait`, `Call`, `Gather`,\n"
      "`AsCompleted`, `Run`) last as long as what they wait for: leave them out of latency objectives.\n\n"
      "| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n";
  for (const Definition& definition : kDefinitions) {
    constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
    std::string labels;
    for (const std::string& name : SplitLabels(definition.labels)) {
      labels += (labels.empty() ? "`" : ", `") + name + "`";
    }
    text += "| `" + std::string(definition.name) + "` | " +
            std::string(kTypes[static_cast<std::size_t>(definition.type)]) + " | " + labels + " | " +
            std::string(definition.help) + " |\n";
  }
  text += "\n## Buckets\n\n";
  for (const auto& [buckets, what] : {std::pair{Buckets::kLatency, "What the service itself takes"},
                                      std::pair{Buckets::kDuration, "What jobs take"}}) {
    text += std::string(what) + ", in seconds:";
    for (const double bound : BoundsOf(buckets)) {
      std::string number = std::to_string(bound);
      number.erase(number.find_last_not_of('0') + 1);
      if (number.back() == '.') number.pop_back();
      text += " " + number;
    }
    text += ". Metrics:";
    for (const Definition& definition : kDefinitions) {
      if (definition.buckets == buckets) text += " `" + std::string(definition.name) + "`";
    }
    text += ".\n\n";
  }
  text.pop_back();
  return text;
}

}  // namespace muster::metrics
