#include "service/metrics/metrics.h"

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/thread.h"

namespace muster::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Name to type, as the live page says.
std::map<std::string, std::string> TypesOn(const std::string& page) {
  std::map<std::string, std::string> types;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, type;
    words >> hash >> keyword >> name >> type;
    if (hash == "#" && keyword == "TYPE") types[name] = type;
  }
  return types;
}

void TouchEverything(Metrics& metrics) {
  metrics.Rpc(RpcType::kUnary, "muster.v1.FutureService", "Submit");
  metrics.Function("echo", "async");
  metrics.StreamsOpen("Run");
  metrics.LoopBlocked(0);
  metrics.SetLimit("waiters_max", 1);
  metrics.LoopLag(0);
  metrics.SetBuildInfo("0.1.0", "abc", "1.51.1");
  metrics.SetDurability("none");
}

TEST(Metrics, ThePageShowsTheGoldenListAndNothingElse) {
  Metrics metrics;
  TouchEverything(metrics);
  std::map<std::string, std::string> golden;
  for (const Definition& definition : kDefinitions) {
    constexpr const char* kTypes[] = {"counter", "gauge", "histogram"};
    golden[std::string(definition.name)] = kTypes[static_cast<int>(definition.type)];
  }
  EXPECT_EQ(TypesOn(metrics.registry.Render()), golden);
}

TEST(Metrics, NamesFollowTheConventions) {
  std::set<std::string_view> seen;
  for (const Definition& definition : kDefinitions) {
    SCOPED_TRACE(definition.name);
    EXPECT_TRUE(seen.insert(definition.name).second) << "twice";
    EXPECT_TRUE(definition.name.starts_with("muster_") || definition.name.starts_with("grpc_server_") ||
                definition.name.starts_with("process_"));
    EXPECT_EQ(definition.name.ends_with("_total"), definition.type == Type::kCounter);
    EXPECT_EQ(definition.buckets == Buckets::kNone, definition.type != Type::kHistogram);
    EXPECT_EQ(definition.name.ends_with("_seconds") && definition.type != Type::kGauge,
              definition.type == Type::kHistogram);
    EXPECT_TRUE(definition.help.ends_with("."));
    for (const std::string_view forbidden : {"id", "namespace", "name", "message"}) {
      EXPECT_NE(definition.labels, forbidden);
      EXPECT_THAT("," + std::string(definition.labels) + ",", Not(HasSubstr("," + std::string(forbidden) + ",")));
    }
  }
}

TEST(Metrics, AnRpcCountsItsStartMessagesCodeAndTime) {
  Metrics metrics;
  RpcMetrics rpc = metrics.Rpc(RpcType::kUnary, "muster.v1.FutureService", "Submit");
  rpc.Started();
  rpc.MsgReceived();
  rpc.MsgSent(2);
  rpc.Handled(5, 0.003);
  rpc.Handled(1000, 0.003);
  const std::string page = metrics.registry.Render();
  const std::string method = R"({grpc_type="unary",grpc_service="muster.v1.FutureService",grpc_method="Submit")";
  EXPECT_THAT(page, HasSubstr("grpc_server_started_total" + method + "} 1\n"));
  EXPECT_THAT(page, HasSubstr("grpc_server_msg_received_total" + method + "} 1\n"));
  EXPECT_THAT(page, HasSubstr("grpc_server_msg_sent_total" + method + "} 2\n"));
  EXPECT_THAT(page, HasSubstr("grpc_server_handled_total" + method + R"(,grpc_code="NotFound"} 1)"));
  EXPECT_THAT(page, HasSubstr("grpc_server_handled_total" + method + R"(,grpc_code="Unknown"} 1)"));
  EXPECT_THAT(page, HasSubstr("grpc_server_handled_total" + method + R"(,grpc_code="OK"} 0)"));
  EXPECT_THAT(page, HasSubstr("grpc_server_handling_seconds_count" + method + "} 2\n"));
}

TEST(Metrics, AHistogramSumsAndCumulates) {
  Metrics metrics;
  metrics.job_queue.Observe(std::chrono::microseconds(25));  // on a bound: belongs to it
  metrics.job_queue.Observe(std::chrono::microseconds(26));
  metrics.job_queue.Observe(std::chrono::seconds(100));      // past the last bound
  metrics.job_queue.Observe(std::chrono::microseconds(-5));  // a clock that stood still counts as zero
  EXPECT_EQ(metrics.job_queue.Count(), 4u);
  EXPECT_DOUBLE_EQ(metrics.job_queue.Sum(), 100.000051);
  const std::string page = metrics.registry.Render();
  EXPECT_THAT(page, HasSubstr("muster_job_queue_seconds_bucket{le=\"2.5e-05\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("muster_job_queue_seconds_bucket{le=\"60\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("muster_job_queue_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(Metrics, ThreadsLoseNoCount) {
  Metrics metrics;
  constexpr int kThreads = 12, kCounts = 20'000;  // more than there are stripes
  {
    std::vector<base::Thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back("count", [&] {
        for (int n = 0; n < kCounts; ++n) {
          metrics.loop_turns.Add();
          metrics.submit_to_done.Observe(0.5);
          metrics.waits_open.Add();
        }
      });
    }
    metrics.registry.Render();  // a scrape at the same time
  }
  EXPECT_EQ(metrics.loop_turns.Value(), kThreads * kCounts);
  EXPECT_EQ(metrics.submit_to_done.Count(), static_cast<unsigned>(kThreads * kCounts));
  EXPECT_DOUBLE_EQ(metrics.submit_to_done.Sum(), kThreads * kCounts * 0.5);
  EXPECT_EQ(metrics.waits_open.Value(), kThreads * kCounts);
}

TEST(Metrics, LabelsStayBounded) {
  Metrics metrics;
  for (int i = 0; i < 300; ++i) metrics.Function("f" + std::to_string(i), "async").Submitted();
  std::string page = metrics.registry.Render();
  EXPECT_THAT(page, HasSubstr(R"(muster_futures_submitted_total{function="f255",kind="async"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(muster_futures_submitted_total{function="other",kind="async"} 44)"));

  for (std::size_t i = 0; i < Registry::kSeriesMax + 10; ++i) metrics.LoopBlocked(i).Add();
  page = metrics.registry.Render();
  EXPECT_THAT(page, HasSubstr("muster_loop_blocked_total{loop=\"other\"} 10\n"));
}

TEST(Metrics, OnlyLimitsCountAsLimitHits) {
  Metrics metrics;
  metrics.LimitHit(base::Reason::kQueueFull);
  metrics.LimitHit(base::Reason::kFutureNotFound);
  const std::string page = metrics.registry.Render();
  EXPECT_THAT(page, HasSubstr("muster_limit_hits_total{reason=\"QUEUE_FULL\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("muster_limit_hits_total{reason=\"SET_TOO_LARGE\"} 0\n"));
  EXPECT_THAT(page, Not(HasSubstr("FUTURE_NOT_FOUND")));
}

TEST(Metrics, OnlyTerminalStatesCountAsDone) {
  Metrics metrics;
  FunctionMetrics echo = metrics.Function("echo", "async");
  echo.Done(FutureState::kSucceeded);
  echo.Done(FutureState::kRunning);
  metrics.Combinator("gather").Done(FutureState::kCancelled);
  const std::string page = metrics.registry.Render();
  EXPECT_THAT(page, HasSubstr(R"(muster_futures_done_total{function="echo",state="succeeded"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(muster_futures_done_total{function="none",state="cancelled"} 1)"));
  EXPECT_THAT(page, Not(HasSubstr(R"(state="running"} 1)")));
  EXPECT_THAT(page, Not(HasSubstr(R"(muster_job_run_seconds_count{function="none"})")));
}

TEST(Metrics, ACollectorRunsAtEachScrapeUntilItDies) {
  Metrics metrics;
  int scrapes = 0;
  {
    auto collector = metrics.registry.OnScrape([&] { metrics.pool_busy.Set(++scrapes); });
    metrics.registry.Render();
    EXPECT_THAT(metrics.registry.Render(), HasSubstr("muster_blocking_pool_busy 2\n"));
  }
  metrics.registry.Render();
  EXPECT_EQ(scrapes, 2);
}

TEST(Metrics, TheProcessIsShown) {
  Metrics metrics;
  auto process = CollectProcess(metrics);
  metrics.registry.Render();
  EXPECT_GT(metrics.registry.GetGauge(Id::kProcessResident).Value(), 1e6);
  EXPECT_GT(metrics.registry.GetGauge(Id::kProcessVirtual).Value(),
            metrics.registry.GetGauge(Id::kProcessResident).Value());
  EXPECT_GE(metrics.registry.GetGauge(Id::kProcessFds).Value(), 3);
  EXPECT_GE(metrics.registry.GetGauge(Id::kProcessFdsMax).Value(), 3);
  EXPECT_GE(metrics.registry.GetGauge(Id::kProcessThreads).Value(), 1);
  EXPECT_GT(metrics.registry.GetGauge(Id::kProcessStart).Value(), 1.5e9);
}

TEST(Metrics, AHandleWithoutRegistryDoesNothing) {
  Counter counter;
  Gauge gauge;
  Histogram histogram;
  counter.Add();
  gauge.Add();
  histogram.Observe(1.0);
  RpcMetrics().Handled(0, 1.0);
  EXPECT_EQ(counter.Value() + gauge.Value() + histogram.Sum(), 0);
}

TEST(Metrics, TheReferenceNamesEveryMetric) {
  const std::string page = ReferenceMarkdown();
  for (const Definition& definition : kDefinitions) {
    EXPECT_THAT(page, HasSubstr("| `" + std::string(definition.name) + "` |"));
  }
}

}  // namespace
}  // namespace muster::metrics
