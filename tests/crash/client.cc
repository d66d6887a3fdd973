#include "tests/crash/client.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace muster::crash {
namespace {

using Kind = Record::Kind;

constexpr auto kDeadline = std::chrono::seconds(30);
constexpr int kPollSeconds = 2;

struct Context : grpc::ClientContext {
  explicit Context(Target& target) : target_(target) {
    set_deadline(std::chrono::system_clock::now() + kDeadline);
    target_.Begin(this);
  }
  ~Context() { target_.End(this); }

 private:
  Target& target_;
};

constexpr uint64_t kNotSaid = 2;
// The connection breaks a while before the death is known; no point in asking the dead a thousand times.
constexpr auto kAfterLoss = std::chrono::milliseconds(5);

}  // namespace

std::string Client::NewKey() { return fmt::format("c{}-{}", number_, ++keys_); }

template <typename In, typename Out>
bool Client::Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const In&, Out*), const In& request, Out* response,
                 Told* told) {
  while (const std::shared_ptr<Target::Connection> connection = run_.target.AwaitBlocking()) {
    told->since = run_.book->now();
    told->incarnation = connection->incarnation;
    response->Clear();
    {
      Context context(run_.target);
      told->status = (connection->stub.get()->*method)(&context, request, response);
    }
    if (!IsLost(told->status)) return true;
    run_.lost_answers.fetch_add(1, std::memory_order_relaxed);
    Pause(kAfterLoss);
  }
  return false;
}

void Client::Note(Record record, const Told& told) {
  record.incarnation = told.incarnation;
  record.since = told.since;
  run_.book->Note(record);
}

void Client::NoteAcknowledged(const std::string& key, const std::string& id, bool repeated, const Told& told) {
  Know(key, id);
  Note({.kind = Kind::kAcknowledged, .key = key, .a = id, .number = repeated ? 1u : 0u}, told);
}

void Client::NoteMissingOrRefused(const std::string& key, const Told& told) {
  const std::string reason = ReasonOf(told.status);
  const bool missing = told.status.error_code() == grpc::StatusCode::NOT_FOUND;
  Note({.kind = missing ? Kind::kMissing : Kind::kRefused, .key = key, .a = missing ? reason : StatusText(told.status)},
       told);
}

bool Client::Submit(const std::string& key, const Spec& spec) {
  Told told;
  if (spec.body == Spec::Body::kFile) files_.insert(key);
  run_.book->Note({.kind = Kind::kSubmit, .key = key, .a = ToText(spec)});
  if (spec.body == Spec::Body::kPromise) {
    pb::CreatePromiseRequest request;
    *request.mutable_options() = OptionsOf(key, spec);
    pb::CreatePromiseResponse response;
    if (!Ask(&Stub::CreatePromise, request, &response, &told)) return false;
    if (told.status.ok()) NoteAcknowledged(key, response.id(), response.deduplicated(), told);
  } else {
    std::vector<std::string> member_ids;
    for (const std::string& member : spec.members) member_ids.push_back(IdOf(member));
    pb::SubmitRequest request;
    *request.mutable_future() = MessageOf(key, spec, member_ids);
    pb::SubmitResponse response;
    if (!Ask(&Stub::Submit, request, &response, &told)) return false;
    if (told.status.ok()) NoteAcknowledged(key, response.id(), response.deduplicated(), told);
  }
  if (told.status.ok()) return true;
  Note({.kind = Kind::kRefused, .key = key, .a = StatusText(told.status)}, told);
  return false;
}

bool Client::SubmitBatch(const std::vector<Item>& items) {
  pb::SubmitBatchRequest request;
  std::vector<Record> records;
  for (const auto& [key, spec] : items) {
    if (spec.body == Spec::Body::kFile) files_.insert(key);
    *request.add_futures() = MessageOf(key, spec, {});
    records.push_back({.kind = Kind::kSubmit, .key = key, .a = ToText(spec)});
  }
  run_.book->Note(records);
  pb::SubmitBatchResponse response;
  Told told;
  if (!Ask(&Stub::SubmitBatch, request, &response, &told)) return false;
  records.clear();
  bool all = told.status.ok() && response.items_size() == static_cast<int>(items.size());
  if (!all) records.push_back({.kind = Kind::kRefused, .key = items.front().first, .a = StatusText(told.status)});
  for (int at = 0; at < response.items_size() && all; ++at) {
    const pb::SubmitBatchResponse::Item& item = response.items(at);
    const std::string& key = items[at].first;
    if (item.status().code() != 0) {
      records.push_back({.kind = Kind::kRefused, .key = key, .a = item.status().message()});
      all = false;
      break;
    }
    Know(key, item.id());
    records.push_back(
        {.kind = Kind::kAcknowledged, .key = key, .a = item.id(), .number = item.deduplicated() ? 1u : 0u});
  }
  for (Record& record : records) {
    record.incarnation = told.incarnation;
    record.since = told.since;
  }
  run_.book->Note(records);
  return all;
}

bool Client::Call(const std::string& key, const Spec& spec) {
  if (spec.body == Spec::Body::kFile) files_.insert(key);
  run_.book->Note({.kind = Kind::kSubmit, .key = key, .a = ToText(spec)});
  pb::CallRequest request;
  *request.mutable_future() = MessageOf(key, spec, {});
  pb::CallResponse response;
  Told told;
  if (!Ask(&Stub::Call, request, &response, &told)) return false;
  if (!told.status.ok()) {
    Note({.kind = Kind::kRefused, .key = key, .a = StatusText(told.status)}, told);
    return false;
  }
  Know(key, response.completion().id());
  Note({.kind = Kind::kAcknowledged, .key = key, .a = response.completion().id(), .number = kNotSaid}, told);
  Record seen = SeenIn(response.completion());
  seen.key = key;
  Note(seen, told);
  return true;
}

bool Client::SubmitOther(const std::string& key, const Spec& spec) {
  Told told;
  if (spec.body == Spec::Body::kPromise) {
    pb::CreatePromiseRequest request;
    *request.mutable_options() = OptionsOf(key, spec);
    request.mutable_options()->set_name("another name");
    pb::CreatePromiseResponse response;
    if (!Ask(&Stub::CreatePromise, request, &response, &told)) return false;
  } else {
    pb::SubmitRequest request;
    *request.mutable_future() = MessageOf(key, spec, {});
    pb::SubmitResponse response;
    if (!Ask(&Stub::Submit, request, &response, &told)) return false;
  }
  Note({.kind = Kind::kOther, .key = key, .a = told.status.ok() ? "OK" : ReasonOf(told.status)}, told);
  return true;
}

bool Client::Settle(const std::string& key, const std::string& request_id, const std::string& value) {
  run_.book->Note({.kind = Kind::kSettle, .key = key, .a = request_id, .b = value});
  pb::SetResultRequest request;
  request.set_id(IdOf(key));
  request.set_request_id(request_id);
  request.mutable_value()->set_text(value);
  pb::SetResultResponse response;
  Told told;
  if (!Ask(&Stub::SetResult, request, &response, &told)) return false;
  if (told.status.ok()) {
    Note({.kind = Kind::kSettled, .key = key, .a = request_id}, told);
  } else if (ReasonOf(told.status) == "ALREADY_DONE") {
    Note({.kind = Kind::kAlreadyDone, .key = key, .a = request_id}, told);
  } else {
    NoteMissingOrRefused(key, told);
    return false;
  }
  return true;
}

bool Client::Cancel(const std::string& key) {
  run_.book->Note({.kind = Kind::kCancel, .key = key});
  pb::CancelRequest request;
  request.mutable_set()->add_ids(IdOf(key));
  request.set_message("by " + key);
  pb::CancelResponse response;
  Told told;
  if (!Ask(&Stub::Cancel, request, &response, &told)) return false;
  if (!told.status.ok() || response.items_size() != 1) {
    NoteMissingOrRefused(key, told);
    return false;
  }
  constexpr std::string_view kPrefix = "CANCEL_EFFECT_";
  Note({.kind = Kind::kCancelAnswered,
        .key = key,
        .a = pb::CancelEffect_Name(response.items(0).effect()).substr(kPrefix.size())},
       told);
  return true;
}

void Client::Forget(const std::string& key) {
  run_.files->Forget(key);
  files_.erase(key);
  const auto found = ids_.find(key);
  if (found != ids_.end()) {
    keys_by_id_.erase(found->second);
    ids_.erase(found);
  }
}

bool Client::Delete(const std::vector<std::string>& keys, size_t keep) {
  pb::DeleteRequest request;
  std::vector<Record> records;
  for (const std::string& key : keys) {
    request.mutable_set()->add_ids(IdOf(key));
    records.push_back({.kind = Kind::kDelete, .key = key});
  }
  NoteRuns(keys);
  run_.book->Note(records);
  pb::DeleteResponse response;
  Told told;
  if (!Ask(&Stub::Delete, request, &response, &told)) return false;
  if (!told.status.ok()) {
    Note({.kind = Kind::kRefused, .key = keys.front(), .a = StatusText(told.status)}, told);
    return false;
  }
  for (const pb::DeleteResponse::Failure& failure : response.failures()) {
    // NOT_FOUND: the Delete before, whose answer was lost.
    if (failure.status().code() == grpc::StatusCode::NOT_FOUND) continue;
    Note({.kind = Kind::kRefused, .key = keys_by_id_[failure.id()], .a = "Delete: " + failure.status().message()},
         told);
    return false;
  }
  records.clear();
  for (const std::string& key : keys) {
    records.push_back({.kind = Kind::kDeleted, .key = key, .incarnation = told.incarnation, .since = told.since});
  }
  for (size_t at = keep; at < keys.size(); ++at) {
    records.push_back({.kind = Kind::kForget, .key = keys[at]});
    Forget(keys[at]);
  }
  run_.book->Note(records);
  return true;
}

void Client::Know(const std::string& key, const std::string& id) {
  ids_[key] = id;
  keys_by_id_[id] = key;
}

bool Client::LetGo(const std::string& key, const std::string& id) {
  Know(key, id);
  return Cancel(key) && Delete({key});
}

bool Client::GetById(const std::string& key, const std::string& id) {
  pb::GetRequest request;
  request.set_id(id);
  pb::GetResponse response;
  Told told;
  if (!Ask(&Stub::Get, request, &response, &told)) return false;
  if (!told.status.ok()) {
    NoteMissingOrRefused(key, told);
    return told.status.error_code() == grpc::StatusCode::NOT_FOUND;
  }
  Record seen = SeenIn(response.future());
  seen.key = key;
  Note(seen, told);
  return true;
}

bool Client::Overdue(const std::vector<std::string>& keys, const std::string& what) {
  if (run_.target.settled_for() < run_.patience) return false;
  run_.book->Note({.kind = Kind::kOverdue,
                   .key = keys.front(),
                   .a = fmt::format("{} s after the last kill {} of {} is not over", run_.patience.count(), what,
                                    fmt::join(keys, ","))});
  return true;
}

bool Client::AwaitDone(const std::vector<std::string>& keys) {
  pb::WaitRequest request;
  for (const std::string& key : keys) request.mutable_set()->add_ids(IdOf(key));
  request.mutable_timeout()->set_seconds(kPollSeconds);
  while (true) {
    pb::WaitResponse response;
    Told told;
    if (!Ask(&Stub::Wait, request, &response, &told)) return false;
    if (!told.status.ok()) {
      // It names the first few; each is asked for, so that the judge knows which.
      for (const std::string& key : keys) {
        if (!Get(key)) return false;
      }
      Note({.kind = Kind::kRefused, .key = keys.front(), .a = "Wait: " + StatusText(told.status)}, told);
      return false;
    }
    std::vector<Record> records;
    for (const pb::Completion& completion : response.done()) {
      Record seen = SeenIn(completion);
      seen.key = keys_by_id_[completion.id()];
      seen.incarnation = told.incarnation;
      seen.since = told.since;
      records.push_back(std::move(seen));
    }
    run_.book->Note(records);
    if (response.end() == pb::WAIT_END_SATISFIED && response.pending_count() == 0) return true;
    if (Overdue(keys, "the wait")) return false;
  }
}

bool Client::OneStream(const std::string& stream, const std::vector<std::string>& keys, int leave_after,
                       std::string* token, bool* ended) {
  const std::shared_ptr<Target::Connection> connection = run_.target.AwaitBlocking();
  if (connection == nullptr) return false;
  Told told;
  told.incarnation = connection->incarnation;
  told.since = run_.book->now();
  run_.book->Note({.kind = Kind::kOpened,
                   .key = stream,
                   .a = fmt::format("{}", fmt::join(keys, ",")),
                   .number = token->empty() ? 0u : 1u});
  pb::AsCompletedRequest request;
  for (const std::string& key : keys) request.mutable_set()->add_ids(IdOf(key));
  request.set_resume_token(*token);
  Context context(run_.target);
  const auto reader = connection->stub->AsCompleted(&context, request);
  pb::AsCompletedResponse response;
  int messages = 0;
  while (reader->Read(&response)) {
    std::vector<Record> records;
    for (const pb::Completion& completion : response.completions()) {
      const std::string key = keys_by_id_[completion.id()];
      records.push_back({.kind = Kind::kItem, .key = stream, .a = key});
      records.push_back(SeenIn(completion));
      records.back().key = key;
    }
    for (Record& record : records) {
      record.incarnation = told.incarnation;
      record.since = told.since;
    }
    run_.book->Note(records);
    *token = response.resume_token();
    if (response.end() == pb::WAIT_END_SATISFIED) *ended = true;
    if (++messages == leave_after) context.TryCancel();
  }
  told.status = reader->Finish();
  if (told.status.ok() || IsLost(told.status)) return true;
  Note({.kind = Kind::kRefused, .key = keys.front(), .a = "AsCompleted: " + StatusText(told.status)}, told);
  return false;
}

bool Client::AwaitStream(const std::vector<std::string>& keys, int leave_after) {
  const std::string stream = "stream-" + NewKey();
  std::string token;
  bool ended = false;
  while (!ended) {
    if (!OneStream(stream, keys, leave_after, &token, &ended)) return false;
    leave_after = 0;
    if (!ended) {
      if (Overdue(keys, "the stream")) return false;
      Pause(kAfterLoss);
    }
  }
  run_.book->Note({{.kind = Kind::kEnded, .key = stream}, {.kind = Kind::kForget, .key = stream}});
  return true;
}

bool Client::AwaitGather(const std::string& key) {
  while (const std::shared_ptr<Target::Connection> connection = run_.target.AwaitBlocking()) {
    Told told;
    told.incarnation = connection->incarnation;
    told.since = run_.book->now();
    pb::GatherRequest request;
    request.set_gather_id(IdOf(key));
    Context context(run_.target);
    const auto reader = connection->stub->Gather(&context, request);
    pb::GatherResponse response;
    Record seen{.kind = Kind::kSeen, .key = key, .b = "gathered", .state = State::kSucceeded};
    uint32_t next = 0;
    while (reader->Read(&response)) {
      if (response.offset() != next) seen.b += fmt::format(" (position {} after {})", response.offset(), next);
      if (response.has_error()) seen.b += " failed: " + response.error().message();
      for (const pb::Outcome& outcome : response.outcomes()) seen.b += " [" + OutcomeText(outcome) + "]";
      next = response.offset() + static_cast<uint32_t>(response.outcomes_size());
    }
    told.status = reader->Finish();
    if (told.status.ok()) {
      Note(seen, told);
      return true;
    }
    if (!IsLost(told.status)) {
      NoteMissingOrRefused(key, told);
      return false;
    }
    if (Overdue({key}, "the gather")) return false;
    Pause(kAfterLoss);
  }
  return false;
}

void Client::NoteRuns(const std::vector<std::string>& keys) {
  std::vector<Record> records;
  for (const std::string& key : keys) {
    if (files_.contains(key)) records.push_back({.kind = Kind::kRan, .key = key, .number = run_.files->Count(key)});
  }
  run_.book->Note(records);
}

}  // namespace muster::crash
