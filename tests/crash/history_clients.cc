#include "tests/crash/history_clients.h"

#include <functional>

#include <fmt/format.h>

#include "service/base/thread.h"
#include "tests/linearizability/checker.h"

namespace muster::crash {
namespace {

using linearizability::Call;
using linearizability::Instant;
using linearizability::Operation;
using linearizability::Recorder;
using linearizability::Reply;
using Stub = pb::FutureService::Stub;

constexpr int kClients = 4;
constexpr int kKeys = 3;
constexpr int kOperationsMin = 6;    // of a client, whatever happens
constexpr int kOperationsMax = 25;   // however long no server dies
constexpr int kOperationsAfter = 3;  // once one has died
constexpr auto kDeadline = std::chrono::seconds(10);

Instant NowOf(Target::Clock::time_point at) { return at.time_since_epoch().count(); }

// One history: its futures, and what is known of them by now.
struct Round {
  std::string name;
  uint64_t breaks_before = 0;
  base::Mutex mutex;
  std::map<std::string, std::string> ids MUSTER_GUARDED_BY(mutex);  // by key

  std::string IdOf(const std::string& key) {
    base::MutexLock lock(mutex);
    const auto found = ids.find(key);
    return found == ids.end() ? "" : found->second;
  }
  void SetId(const std::string& key, const std::string& id) {
    base::MutexLock lock(mutex);
    ids.emplace(key, id);
  }
};

// What an answer of the server was in the checker's words; kLost when it has none for it.
using Reading = std::pair<Reply, std::string>;

class HistoryClient {
 public:
  HistoryClient(Run& run, Round& round, int number, uint64_t seed)
      : run_(run), round_(round), number_(number), random_(seed) {}

  void Go() {
    int after = 0;
    for (int count = 0; count < kOperationsMax && after < kOperationsAfter && !run_.target.stopped(); ++count) {
      if (count >= kOperationsMin && run_.target.breaks() > round_.breaks_before) ++after;
      const std::string key = KeyAt(static_cast<int>(random_.Below(kKeys)));
      One(key, random_.Below(10));
      run_.target.PauseBlocking(std::chrono::milliseconds(random_.Below(30)));
    }
    for (int at = 0; at < kKeys; ++at) Read(KeyAt(at));
  }

  // With the deaths that are known now: those end what the lost operations could still have done.
  const Recorder& Finish() {
    for (const auto& [at, incarnation] : lost_) {
      const auto death = run_.target.DeathOf(incarnation);
      recorder_.Lose(at, death.has_value() ? NowOf(*death) : linearizability::kNever);
    }
    return recorder_;
  }

  // Ends and removes what the history left.
  void Clear(const std::string& id) {
    while (const auto connection = run_.target.AwaitBlocking()) {
      grpc::ClientContext cancel_context, delete_context;
      const auto deadline = std::chrono::system_clock::now() + kDeadline;
      cancel_context.set_deadline(deadline);
      delete_context.set_deadline(deadline);
      pb::CancelRequest cancel;
      cancel.mutable_set()->add_ids(id);
      pb::CancelResponse cancelled;
      pb::DeleteRequest remove;
      remove.mutable_set()->add_ids(id);
      pb::DeleteResponse removed;
      if (!IsLost(connection->stub->Cancel(&cancel_context, cancel, &cancelled)) &&
          !IsLost(connection->stub->Delete(&delete_context, remove, &removed)) &&
          (removed.failures_size() == 0 || removed.failures(0).status().code() == grpc::StatusCode::NOT_FOUND)) {
        return;
      }
      run_.target.PauseBlocking(std::chrono::milliseconds(2));
    }
  }

  std::string KeyAt(int at) const { return fmt::format("{}-{}", round_.name, at); }

 private:
  // The last is a job, the others are promises.
  static bool IsJob(const std::string& key) { return key.back() == '0' + kKeys - 1; }

  void One(const std::string& key, uint64_t dice) {
    if (round_.IdOf(key).empty() || dice < 2) return Submit(key);
    if (dice < 5) return IsJob(key) ? Read(key) : Settle(key);
    if (dice < 6) return Cancel(key);
    Read(key);
  }

  // Makes one call, once, and records it. `read` is asked only when the server has answered.
  template <typename In, typename Out>
  void Ask(Operation operation, grpc::Status (Stub::*method)(grpc::ClientContext*, const In&, Out*), const In& request,
           const std::function<Reading(const grpc::Status&, const Out&)>& read) {
    const auto connection = run_.target.AwaitBlocking();
    if (connection == nullptr) return;
    operation.client = number_;
    Out response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    run_.target.Begin(&context);
    const size_t at = recorder_.Invoke(std::move(operation), NowOf(Target::Clock::now()));
    const grpc::Status status = (connection->stub.get()->*method)(&context, request, &response);
    run_.target.End(&context);
    if (IsLost(status)) {
      lost_.emplace_back(at, connection->incarnation);
      // Its death follows within a moment; a call to the dead says nothing.
      run_.target.PauseBlocking(std::chrono::milliseconds(3));
      return;
    }
    const Reading reading = read(status, response);
    if (reading.first == Reply::kLost) {
      run_.book->Note(
          {.kind = Record::Kind::kHistory, .key = round_.name, .a = "an answer of no kind: " + StatusText(status)});
      return;
    }
    recorder_.Answer(at, reading.first, reading.second, NowOf(Target::Clock::now()));
  }

  Reading ReadSubmitted(const std::string& key, const grpc::Status& status, const std::string& id, bool repeated) {
    if (ReasonOf(status) == "REQUEST_ID_REUSED") return {Reply::kReused, ""};
    if (!status.ok()) return {Reply::kLost, ""};
    round_.SetId(key, id);
    return {repeated ? Reply::kRepeated : Reply::kCreated, id};
  }

  void Submit(const std::string& key) {
    const bool other = random_.OneIn(6);
    Operation operation{.key = key, .call = Call::kSubmit, .argument = other ? "other" : "spec", .job = IsJob(key)};
    Spec spec{.body = IsJob(key) ? Spec::Body::kSleep : Spec::Body::kPromise, .value = "0.2"};
    if (IsJob(key)) {
      pb::SubmitRequest request;
      *request.mutable_future() = MessageOf(key, spec, {});
      if (other) request.mutable_future()->mutable_options()->set_name("other");
      Ask<pb::SubmitRequest, pb::SubmitResponse>(
          operation, &Stub::Submit, request, [&](const grpc::Status& status, const pb::SubmitResponse& response) {
            return ReadSubmitted(key, status, response.id(), response.deduplicated());
          });
      return;
    }
    pb::CreatePromiseRequest request;
    *request.mutable_options() = OptionsOf(key, spec);
    if (other) request.mutable_options()->set_name("other");
    Ask<pb::CreatePromiseRequest, pb::CreatePromiseResponse>(
        operation, &Stub::CreatePromise, request,
        [&](const grpc::Status& status, const pb::CreatePromiseResponse& response) {
          return ReadSubmitted(key, status, response.id(), response.deduplicated());
        });
  }

  void Settle(const std::string& key) {
    const std::string value = fmt::format("{}", random_.Below(3));
    pb::SetResultRequest request;
    request.set_id(round_.IdOf(key));
    request.mutable_value()->set_text(value);
    // A request id stands for one value, of whichever client.
    if (!random_.OneIn(3)) request.set_request_id(key + "-" + value);
    Operation operation{
        .key = key, .call = Call::kSettle, .argument = "value text:" + value, .request_id = request.request_id()};
    Ask<pb::SetResultRequest, pb::SetResultResponse>(
        operation, &Stub::SetResult, request, [&](const grpc::Status& status, const pb::SetResultResponse&) -> Reading {
          if (status.ok()) return {Reply::kSettled, ""};
          if (ReasonOf(status) == "ALREADY_DONE") return {Reply::kAlreadyDone, ""};
          if (status.error_code() == grpc::StatusCode::NOT_FOUND) return {Reply::kMissing, ""};
          return {Reply::kLost, ""};
        });
  }

  void Cancel(const std::string& key) {
    pb::CancelRequest request;
    request.mutable_set()->add_ids(round_.IdOf(key));
    request.set_message(fmt::format("by {}", number_));
    Operation operation{.key = key, .call = Call::kCancel};
    // Of a job that several cancelled nobody says whose words it ends with.
    if (!IsJob(key)) operation.argument = "cancelled " + request.message();
    Ask<pb::CancelRequest, pb::CancelResponse>(operation, &Stub::Cancel, request,
                                               [&](const grpc::Status&, const pb::CancelResponse& response) -> Reading {
                                                 if (response.items_size() != 1) return {Reply::kLost, ""};
                                                 switch (response.items(0).effect()) {
                                                   case pb::CANCEL_EFFECT_CANCELLED:
                                                     return {Reply::kCancelled, ""};
                                                   case pb::CANCEL_EFFECT_REQUESTED:
                                                     return {Reply::kRequested, ""};
                                                   case pb::CANCEL_EFFECT_ALREADY_DONE:
                                                     return {Reply::kAlreadyDone, ""};
                                                   case pb::CANCEL_EFFECT_NOT_FOUND:
                                                     return {Reply::kMissing, ""};
                                                   default:
                                                     return {Reply::kLost, ""};
                                                 }
                                               });
  }

  void Read(const std::string& key) {
    const std::string id = round_.IdOf(key);
    if (id.empty()) return;
    return random_.OneIn(2) ? ReadByGet(key, id) : ReadByWait(key, id);
  }

  void ReadByWait(const std::string& key, const std::string& id) {
    pb::WaitRequest request;
    request.mutable_set()->add_ids(id);
    request.mutable_timeout()->set_seconds(0);
    Ask<pb::WaitRequest, pb::WaitResponse>(
        {.key = key, .call = Call::kRead}, &Stub::Wait, request,
        [&](const grpc::Status& status, const pb::WaitResponse& response) -> Reading {
          if (status.error_code() == grpc::StatusCode::NOT_FOUND) return {Reply::kMissing, ""};
          if (!status.ok()) return {Reply::kLost, ""};
          if (response.done().empty()) return {Reply::kPending, ""};
          return {Reply::kDone, OutcomeText(response.done(0).outcome())};
        });
  }

  void ReadByGet(const std::string& key, const std::string& id) {
    pb::GetRequest request;
    request.set_id(id);
    Ask<pb::GetRequest, pb::GetResponse>({.key = key, .call = Call::kRead}, &Stub::Get, request,
                                         [&](const grpc::Status& status, const pb::GetResponse& response) -> Reading {
                                           if (status.error_code() == grpc::StatusCode::NOT_FOUND)
                                             return {Reply::kMissing, ""};
                                           if (!status.ok()) return {Reply::kLost, ""};
                                           if (!response.future().has_outcome()) return {Reply::kPending, ""};
                                           return {Reply::kDone, OutcomeText(response.future().outcome())};
                                         });
  }

  Run& run_;
  Round& round_;
  const int number_;
  simulation::Random random_;
  Recorder recorder_;
  std::vector<std::pair<size_t, uint64_t>> lost_;  // operation, incarnation
};

}  // namespace

void RunHistories(Run& run, int group, uint64_t seed, HistoryCounts& counts) {
  simulation::Random random(seed);
  for (int number = 1; !run.target.finishing(); ++number) {
    Round round;
    round.name = fmt::format("h{}-{}", group, number);
    round.breaks_before = run.target.breaks();
    std::vector<std::unique_ptr<HistoryClient>> clients;
    std::vector<base::Thread> threads;
    for (int at = 0; at < kClients; ++at) {
      clients.push_back(std::make_unique<HistoryClient>(run, round, at, random.Next()));
      threads.emplace_back("history", [client = clients.back().get()] { client->Go(); });
    }
    for (base::Thread& thread : threads) thread.Join();
    Recorder all;
    for (const auto& client : clients) all.Append(client->Finish());
    const linearizability::Verdict verdict = linearizability::Check(all.operations());
    if (verdict.kind == linearizability::Verdict::Kind::kViolation) {
      run.book->Note({.kind = Record::Kind::kHistory, .key = verdict.key, .a = verdict.explanation});
    }
    for (const Operation& operation : all.operations()) {
      if (operation.reply == Reply::kLost) counts.lost.fetch_add(1, std::memory_order_relaxed);
    }
    counts.operations.fetch_add(all.operations().size(), std::memory_order_relaxed);
    counts.checked.fetch_add(1, std::memory_order_relaxed);
    if (run.target.breaks() > round.breaks_before) counts.with_death.fetch_add(1, std::memory_order_relaxed);
    if (verdict.kind == linearizability::Verdict::Kind::kUndecided) {
      counts.undecided.fetch_add(1, std::memory_order_relaxed);
    }
    for (int at = 0; at < kKeys; ++at) {
      const std::string id = round.IdOf(clients.front()->KeyAt(at));
      if (!id.empty()) clients.front()->Clear(id);
    }
  }
}

}  // namespace muster::crash
