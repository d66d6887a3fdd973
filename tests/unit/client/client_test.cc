// The library against a server that fails on demand.
#include "muster/client.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cpp/detail/backoff.h"
#include "client/cpp/detail/blocking.h"
#include "client/cpp/detail/core.h"
#include "service/base/thread.h"
#include "tests/unit/client/fake_service.h"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

Options QuickOptions() {
  Options options;
  options.retry.initial = milliseconds(1);
  options.retry.pause_max = milliseconds(5);
  options.deadline = seconds(20);
  return options;
}

class ClientTest : public testing::Test {
 protected:
  Client Connect(const std::string& name_space = {}) {
    Options options = QuickOptions();
    options.name_space = name_space;
    return *Client::Connect(service_.address(), options);
  }
  static grpc::Status Unavailable() { return grpc::Status(grpc::UNAVAILABLE, "away"); }

  FakeService service_;
  const Client client_ = Connect();
};

std::vector<std::string> IdsOf(CompletionRange& range) {
  std::vector<std::string> ids;
  for (const Completion& completion : range) ids.push_back(completion.id());
  return ids;
}

TEST_F(ClientTest, SubmitIsRepeatedWithTheSameRequestId) {  // semantics 102
  service_.FailNext("Submit", Unavailable());
  service_.FailNext("Submit", Unavailable(), /*applied=*/true);
  const auto submitted = client_.Submit("echo", *FromJson("1"));
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  const auto ids = service_.request_ids();
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_FALSE(ids[0].empty());
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_EQ(service_.made(), 1);
  EXPECT_TRUE(submitted->deduplicated);
}

TEST_F(ClientTest, EverySubmitHasItsOwnRequestIdAndAGivenOneIsKept) {
  JobOptions options;
  options.request_id = "mine";
  ASSERT_TRUE(client_.Submit("echo", Payload(), options).ok());
  ASSERT_TRUE(client_.Submit("echo", Payload()).ok());
  ASSERT_TRUE(client_.Submit("echo", Payload()).ok());
  const auto ids = service_.request_ids();
  EXPECT_EQ(ids[0], "mine");
  EXPECT_NE(ids[1], ids[2]);
}

TEST_F(ClientTest, RetriesEndAfterTheirNumber) {
  for (int i = 0; i < 10; ++i) service_.FailNext("Submit", Unavailable());
  const auto submitted = client_.Submit("echo", Payload());
  EXPECT_EQ(submitted.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(service_.calls("Submit"), QuickOptions().retry.attempts_max);
}

TEST_F(ClientTest, OtherRefusalsAreNotRepeatedAndCarryTheirReason) {
  service_.FailNext("Submit", Refusal(grpc::NOT_FOUND, "no function 'ecko'", "UNKNOWN_FUNCTION"));
  const auto submitted = client_.Submit("ecko", Payload());
  EXPECT_EQ(submitted.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(submitted.status()), v1::ERROR_REASON_UNKNOWN_FUNCTION);
  EXPECT_EQ(ReasonName(submitted.status()), "UNKNOWN_FUNCTION");
  EXPECT_EQ(service_.calls("Submit"), 1);
}

TEST_F(ClientTest, ABatchTellsTheItemsApartAndGivesThemTheDefaults) {
  std::vector<FutureSpec> specs;
  specs.push_back(CallOf("echo", Payload()));
  specs.push_back(CallOf("unknown", Payload()));
  const auto results = client_.SubmitBatch(specs);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_TRUE(results->at(0).ok());
  EXPECT_EQ(ReasonOf(results->at(1).status()), v1::ERROR_REASON_UNKNOWN_FUNCTION);
}

TEST_F(ClientTest, CallReattachesWithItsRequestId) {
  service_.FailNext("Call", Unavailable(), /*applied=*/true);
  const auto value = client_.Call("echo", Payload());
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(service_.calls("Call"), 2);
  EXPECT_EQ(service_.made(), 1);
}

TEST_F(ClientTest, WaitAsksAgainUntilTheServerSaysHowItEnded) {
  service_.on_wait = [](int number, const v1::WaitRequest& request, v1::WaitResponse& response, grpc::ServerContext&) {
    response.set_end(number < 2 ? v1::WAIT_END_POLL_AGAIN : v1::WAIT_END_SATISFIED);
    if (number == 2) *response.add_done() = DoneCompletion(request.set().ids(0));
    return grpc::Status::OK;
  };
  WaitOptions options;
  options.timeout = seconds(10);
  const auto result = client_.Wait(std::vector<std::string>{"a"}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->timed_out);
  ASSERT_EQ(result->done.size(), 1u);
  const auto waits = service_.waits();
  ASSERT_EQ(waits.size(), 3u);
  EXPECT_TRUE(waits[0].has_timeout());
  EXPECT_LE(waits[2].timeout().seconds() * 1000000000 + waits[2].timeout().nanos(),
            waits[0].timeout().seconds() * 1000000000 + waits[0].timeout().nanos());
}

TEST_F(ClientTest, AWaitThatRunsOutIsAResult) {  // semantics 27
  service_.on_wait = [](int, const v1::WaitRequest&, v1::WaitResponse& response, grpc::ServerContext&) {
    response.set_end(v1::WAIT_END_TIMED_OUT);
    response.add_pending_ids("a");
    response.set_pending_count(1);
    return grpc::Status::OK;
  };
  WaitOptions options;
  options.timeout = Duration::zero();
  const auto result = client_.Wait(std::vector<std::string>{"a"}, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->timed_out);
  EXPECT_THAT(result->pending_ids, ElementsAre("a"));
  const auto future = client_.Handle("a").Await(milliseconds(1));
  EXPECT_EQ(future.status().code(), absl::StatusCode::kDeadlineExceeded);  // semantics 92
}

TEST_F(ClientTest, AsCompletedGoesOnFromTheTokenAndGivesEachOnce) {  // semantics 38, 42
  service_.on_as_completed = [](int number, const v1::AsCompletedRequest&,
                                grpc::ServerWriter<v1::AsCompletedResponse>& writer) {
    v1::AsCompletedResponse message;
    if (number == 0) {
      *message.add_completions() = DoneCompletion("b");
      message.set_resume_token("t1");
      message.set_remaining(2);
      writer.Write(message);
      return grpc::Status(grpc::UNAVAILABLE, "cut");
    }
    if (number == 1) return grpc::Status::OK;  // ends without saying how: also taken up again
    *message.add_completions() = DoneCompletion("b");
    *message.add_completions() = DoneCompletion("a");
    *message.add_completions() = DoneCompletion("c");
    message.set_resume_token("t2");
    message.set_end(v1::WAIT_END_SATISFIED);
    writer.Write(message);
    return grpc::Status::OK;
  };
  CompletionRange range = client_.AsCompleted(std::vector<std::string>{"a", "b", "c"});
  EXPECT_THAT(IdsOf(range), ElementsAre("b", "a", "c"));
  EXPECT_TRUE(range.status().ok()) << range.status();
  const auto requests = service_.as_completed();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].resume_token(), "");
  EXPECT_EQ(requests[1].resume_token(), "t1");
  EXPECT_EQ(requests[2].resume_token(), "t1");
}

TEST_F(ClientTest, AsCompletedGivesWhatIsDoneAndThenTheTimeout) {  // semantics 40, 41
  service_.on_as_completed = [](int number, const v1::AsCompletedRequest& request,
                                grpc::ServerWriter<v1::AsCompletedResponse>& writer) {
    v1::AsCompletedResponse message;
    EXPECT_TRUE(request.has_timeout());
    if (number == 0) *message.add_completions() = DoneCompletion("a");
    message.set_resume_token("t");
    message.set_remaining(1);
    message.set_end(number == 0 ? v1::WAIT_END_POLL_AGAIN : v1::WAIT_END_TIMED_OUT);
    writer.Write(message);
    return grpc::Status::OK;
  };
  AsCompletedOptions options;
  options.timeout = seconds(5);
  CompletionRange range = client_.AsCompleted(std::vector<std::string>{"a", "b"}, options);
  EXPECT_THAT(IdsOf(range), ElementsAre("a"));
  EXPECT_EQ(range.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(range.stream().timed_out());
  EXPECT_EQ(range.stream().remaining(), 1u);
  EXPECT_EQ(service_.calls("Cancel"), 0);
}

TEST_F(ClientTest, HandlesOfTwoNamespacesOrServersAreNotMixed) {  // semantics 52
  const Future here = client_.Handle("a");
  const Future elsewhere = Connect("other").Handle("b");
  const auto result = client_.Wait(std::vector<Future>{here, elsewhere});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("'other'"));

  FakeService second;
  const Client far = *Client::Connect(second.address(), QuickOptions());
  EXPECT_EQ(client_.Gather(std::vector<Future>{far.Handle("a")}).status().code(), absl::StatusCode::kInvalidArgument);
  CompletionRange range = client_.AsCompleted(std::vector<Future>{far.Handle("a")});
  EXPECT_FALSE(range.Next());
  EXPECT_EQ(range.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(service_.calls("Wait") + service_.calls("Gather") + service_.calls("AsCompleted"), 0);
}

TEST_F(ClientTest, HandlesOfTwoClientsOfOneServerMayBeMixed) {
  const auto result = client_.Wait(std::vector<Future>{client_.Handle("a"), Connect().Handle("b")});
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(client_.Handle("a"), Connect().Handle("a"));
}

// A wait that the server never answers, until its caller goes away.
grpc::Status Hang(int, const v1::WaitRequest&, v1::WaitResponse&, grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::yield();
  return grpc::Status::CANCELLED;
}

TEST_F(ClientTest, ACancelledTokenEndsTheRpcAndCancelsNoFuture) {  // semantics 35, 98
  service_.on_wait = Hang;
  detail::Core core(nullptr, "default");
  detail::BlockingRun run(core);
  std::optional<absl::StatusOr<WaitResult>> result;
  base::Thread canceller("canceller", [&] {
    service_.AwaitCalls("Wait", 1);
    run.CancelFromOutside();
  });
  run.Run(detail::StoreResult(client_.Async().Wait(std::vector<std::string>{"a"}, {}, run.token()), result));
  canceller.Join();
  EXPECT_EQ(result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(service_.calls("Wait"), 1);
  EXPECT_EQ(service_.calls("Cancel"), 0);
}

TEST_F(ClientTest, InterruptEndsWhatBlocksAndWhatWould) {
  service_.on_wait = Hang;
  base::Thread interrupter("interrupter", [&] {
    service_.AwaitCalls("Wait", 1);
    client_.Interrupt();
  });
  EXPECT_EQ(client_.Wait(std::vector<std::string>{"a"}).status().code(), absl::StatusCode::kCancelled);
  interrupter.Join();
  EXPECT_EQ(client_.Submit("echo", Payload()).status().code(), absl::StatusCode::kCancelled);
  // A clone has its own.
  EXPECT_TRUE(client_.WithNamespace("default").Submit("echo", Payload()).ok());
}

TEST_F(ClientTest, GatherJoinsItsSlicesAndStartsOverWhenTheyBreakOff) {  // semantics 44
  service_.on_gather = [](int number, grpc::ServerWriter<v1::GatherResponse>& writer) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      v1::GatherResponse slice;
      slice.set_offset(i);
      slice.set_total(3);
      slice.add_outcomes()->mutable_value()->set_text(std::to_string(i));
      writer.Write(slice);
      if (number == 0 && i == 1) return grpc::Status(grpc::UNAVAILABLE, "cut");
      if (number == 1 && i == 0) return grpc::Status::OK;
    }
    return grpc::Status::OK;
  };
  const auto result = client_.Gather(std::vector<std::string>{"a", "b", "c"});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->outcomes.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(result->outcomes[i].value().text(), std::to_string(i));
  EXPECT_EQ(service_.calls("Gather"), 3);
}

TEST_F(ClientTest, GatherBringsTheFirstErrorWithItsPlace) {  // semantics 46
  service_.on_gather = [](int, grpc::ServerWriter<v1::GatherResponse>& writer) {
    v1::GatherResponse slice;
    slice.set_total(2);
    slice.mutable_error()->set_type("ValueError");
    slice.set_error_index(1);
    writer.Write(slice);
    return grpc::Status::OK;
  };
  const auto result = client_.Gather(std::vector<std::string>{"a", "b"});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_TRUE(result->error.has_value());
  EXPECT_EQ(result->error->type(), "ValueError");
  EXPECT_EQ(result->error_index, 1u);
}

std::vector<Payload> Numbers(int count) {
  std::vector<Payload> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(FromText(std::to_string(i)));
  return inputs;
}

TEST_F(ClientTest, MapGivesResultsInOrderAndKeepsToTheCredits) {
  MapRange range = client_.Map("echo", Numbers(50));
  int next = 0;
  for (const MapResult& result : range) {
    ASSERT_TRUE(result.completion.ok()) << result.completion.status();
    EXPECT_EQ(result.index, static_cast<std::size_t>(next));
    EXPECT_EQ(result.completion->outcome().value().text(), std::to_string(next));
    ++next;
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  EXPECT_EQ(next, 50);
  EXPECT_LE(service_.runs().at(0).in_flight_max, service_.run_credits);
  EXPECT_FALSE(service_.runs().at(0).session.empty());
}

TEST_F(ClientTest, MapTakesNoMoreInputsThanItsWindow) {
  int taken = 0;
  MapOptions options;
  options.window = 3;
  MapRange range = client_.Map(
      "echo",
      [&]() -> std::optional<Payload> {
        return taken < 20 ? std::optional<Payload>(FromText(std::to_string(taken++))) : std::nullopt;
      },
      options);
  int given = 0;
  while (range.Next()) {
    ++given;
    EXPECT_LE(taken - given, 3);
  }
  EXPECT_EQ(given, 20);
}

TEST_F(ClientTest, ABrokenRunIsTakenUpUnderItsSession) {
  service_.run_breaks_after = [](int number) { return number < 3 ? 5 : -1; };
  MapOptions options;
  options.ordered = false;
  MapRange range = client_.Map("echo", Numbers(30), options);
  std::set<std::size_t> indexes;
  while (auto result = range.Next()) {
    ASSERT_TRUE(result->completion.ok());
    EXPECT_EQ(result->completion->outcome().value().text(), std::to_string(result->index));
    EXPECT_TRUE(indexes.insert(result->index).second) << "twice: " << result->index;
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  EXPECT_EQ(indexes.size(), 30u);
  const auto runs = service_.runs();
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[0].session, runs[3].session);
}

TEST_F(ClientTest, WithoutASessionABrokenRunIsAnError) {
  service_.run_breaks_after = [](int) { return 2; };
  MapOptions options;
  options.run.resumable = false;
  MapRange range = client_.Map("echo", Numbers(10), options);
  int given = 0;
  while (range.Next()) ++given;
  EXPECT_LE(given, 2);  // what was on its way when the stream broke may be lost with it
  EXPECT_EQ(range.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(service_.runs().at(0).session, "");
}

TEST_F(ClientTest, ARejectedItemIsItsOwnError) {
  RunRange run = client_.Run();
  ASSERT_TRUE(run.Submit(CallOf("unknown", Payload())).ok());
  ASSERT_TRUE(run.Submit(CallOf("echo", FromText("x"))).ok());
  run.CloseSend();
  std::map<std::uint64_t, absl::StatusOr<Completion>> results;
  while (auto result = run.Next()) results.emplace(result->tag, result->completion);
  EXPECT_TRUE(run.status().ok()) << run.status();
  EXPECT_EQ(ReasonOf(results.at(0).status()), v1::ERROR_REASON_UNKNOWN_FUNCTION);
  EXPECT_EQ(results.at(1)->outcome().value().text(), "x");
  EXPECT_FALSE(run.Submit(CallOf("echo", Payload())).ok());
}

TEST_F(ClientTest, OneThreadSubmitsWhileAnotherTakes) {
  RunOptions options;
  options.window = 4;
  RunRange run = client_.Run(options);
  base::Thread feeder("feeder", [&] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(run.Submit(CallOf("echo", FromText(std::to_string(i)))).ok());
    run.CloseSend();
  });
  int given = 0;
  while (run.Next()) ++given;
  feeder.Join();
  EXPECT_EQ(given, 100);
}

TEST_F(ClientTest, ADroppedRunLeavesNothingBehind) {
  {
    RunRange run = client_.Run();
    ASSERT_TRUE(run.Submit(CallOf("echo", Payload())).ok());
  }
  // The destructors of the client and of the service would hang otherwise.
}

TEST_F(ClientTest, PromisesAreMadeOnce) {
  service_.FailNext("CreatePromise", Unavailable(), /*applied=*/true);
  const auto promise = client_.CreatePromise();
  ASSERT_TRUE(promise.ok()) << promise.status();
  EXPECT_EQ(service_.made(), 1);
}

TEST(ClientConnectTest, NobodyThereIsUnavailableSoon) {
  Options options = QuickOptions();
  options.retry.attempts_max = 3;
  const auto client = Client::Connect("127.0.0.1:1", options);
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client->GetServerInfo().status().code(), absl::StatusCode::kUnavailable);
}

TEST(ClientConnectTest, MissingTlsFilesAreNamed) {
  Options options;
  options.tls.emplace().ca_file = "/nonexistent/ca.pem";
  const auto client = Client::Connect("localhost:1", options);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("/nonexistent/ca.pem"));
  options.tls->ca_file.clear();
  options.tls->cert_file = "/nonexistent/cert.pem";
  EXPECT_EQ(Client::Connect("localhost:1", options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace muster::client
