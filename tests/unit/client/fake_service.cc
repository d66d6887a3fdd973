#include "tests/unit/client/fake_service.h"

#include <algorithm>

#include "service/base/check.h"

namespace muster::client {

grpc::Status Refusal(grpc::StatusCode code, const std::string& message, const std::string& reason, int retry_millis) {
  v1::RpcStatus details;
  details.set_code(code);
  details.set_message(message);
  v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("muster");
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any->set_value(info.SerializeAsString());
  if (retry_millis > 0) {
    v1::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(retry_millis * 1'000'000);
    any = details.add_details();
    any->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
    any->set_value(retry.SerializeAsString());
  }
  return grpc::Status(code, message, details.SerializeAsString());
}

v1::Completion DoneCompletion(const std::string& id) {
  v1::Completion completion;
  completion.set_id(id);
  completion.set_state(v1::FUTURE_STATE_SUCCEEDED);
  completion.mutable_outcome()->mutable_value()->set_text(id);
  completion.set_attempt(1);
  return completion;
}

FakeService::FakeService() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  MUSTER_CHECK(server_ != nullptr && port != 0);
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeService::~FakeService() {
  server_->Shutdown(gpr_time_0(GPR_CLOCK_REALTIME));
  server_->Wait();
}

void FakeService::FailNext(const std::string& method, grpc::Status status, bool applied) {
  base::MutexLock lock(mutex_);
  Due due;
  due.fails = true;
  due.applied = applied;
  due.status = std::move(status);
  failures_[method].push_back(std::move(due));
}

FakeService::Due FakeService::Count(const std::string& method) {
  base::MutexLock lock(mutex_);
  const int number = calls_[method]++;
  counted_.NotifyAll();
  auto& failures = failures_[method];
  Due due;
  if (!failures.empty()) {
    due = std::move(failures.front());
    failures.pop_front();
  }
  due.number = number;
  return due;
}

int FakeService::calls(const std::string& method) {
  base::MutexLock lock(mutex_);
  return calls_[method];
}
int FakeService::made() {
  base::MutexLock lock(mutex_);
  return made_;
}
std::vector<std::string> FakeService::request_ids() {
  base::MutexLock lock(mutex_);
  return request_ids_;
}
std::vector<v1::WaitRequest> FakeService::waits() {
  base::MutexLock lock(mutex_);
  return waits_;
}
std::vector<v1::AsCompletedRequest> FakeService::as_completed() {
  base::MutexLock lock(mutex_);
  return as_completed_;
}
std::vector<FakeService::RunRecord> FakeService::runs() {
  base::MutexLock lock(mutex_);
  return runs_;
}
void FakeService::AwaitCalls(const std::string& method, int count) {
  base::MutexLock lock(mutex_);
  while (calls_[method] < count) counted_.Wait(mutex_);
}

std::string FakeService::Make(const std::string& request_id) {
  request_ids_.push_back(request_id);
  std::string& id = by_request_id_[request_id];
  if (id.empty()) id = "f" + std::to_string(++made_);
  return id;
}

grpc::Status FakeService::Submit(grpc::ServerContext*, const v1::SubmitRequest* request, v1::SubmitResponse* response) {
  const Due due = Count("Submit");
  base::MutexLock lock(mutex_);
  if (due.fails && !due.applied) {
    request_ids_.push_back(request->future().options().request_id());
    return due.status;
  }
  const int before = made_;
  response->set_id(Make(request->future().options().request_id()));
  response->set_state(v1::FUTURE_STATE_QUEUED);
  response->set_deduplicated(made_ == before);
  return due.status;
}

grpc::Status FakeService::SubmitBatch(grpc::ServerContext*, const v1::SubmitBatchRequest* request,
                                      v1::SubmitBatchResponse* response) {
  const Due due = Count("SubmitBatch");
  base::MutexLock lock(mutex_);
  for (const auto& future : request->futures()) {
    auto* item = response->add_items();
    if (future.call().function() == "unknown") {
      item->mutable_status()->set_code(grpc::StatusCode::NOT_FOUND);
      item->mutable_status()->set_message("no function 'unknown'");
      item->mutable_status()->set_reason(v1::ERROR_REASON_UNKNOWN_FUNCTION);
    } else {
      item->set_id(Make(future.options().request_id()));
    }
  }
  return due.status;
}

grpc::Status FakeService::Call(grpc::ServerContext*, const v1::CallRequest* request, v1::CallResponse* response) {
  const Due due = Count("Call");
  base::MutexLock lock(mutex_);
  *response->mutable_completion() = DoneCompletion(Make(request->future().options().request_id()));
  return due.status;
}

grpc::Status FakeService::CreatePromise(grpc::ServerContext*, const v1::CreatePromiseRequest* request,
                                        v1::CreatePromiseResponse* response) {
  const Due due = Count("CreatePromise");
  base::MutexLock lock(mutex_);
  response->set_id(Make(request->options().request_id()));
  return due.status;
}

grpc::Status FakeService::Cancel(grpc::ServerContext*, const v1::CancelRequest* request, v1::CancelResponse* response) {
  const Due due = Count("Cancel");
  for (const std::string& id : request->set().ids()) {
    auto* item = response->add_items();
    item->set_id(id);
    item->set_effect(v1::CANCEL_EFFECT_CANCELLED);
  }
  return due.status;
}

grpc::Status FakeService::Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                               v1::WaitResponse* response) {
  const Due due = Count("Wait");
  {
    base::MutexLock lock(mutex_);
    waits_.push_back(*request);
  }
  if (due.fails) return due.status;
  if (on_wait) return on_wait(due.number, *request, *response, *context);
  response->set_end(v1::WAIT_END_SATISFIED);
  for (const std::string& id : request->set().ids()) *response->add_done() = DoneCompletion(id);
  return grpc::Status::OK;
}

grpc::Status FakeService::AsCompleted(grpc::ServerContext*, const v1::AsCompletedRequest* request,
                                      grpc::ServerWriter<v1::AsCompletedResponse>* writer) {
  const Due due = Count("AsCompleted");
  {
    base::MutexLock lock(mutex_);
    as_completed_.push_back(*request);
  }
  if (due.fails) return due.status;
  return on_as_completed(due.number, *request, *writer);
}

grpc::Status FakeService::Gather(grpc::ServerContext*, const v1::GatherRequest*,
                                 grpc::ServerWriter<v1::GatherResponse>* writer) {
  const Due due = Count("Gather");
  if (due.fails) return due.status;
  return on_gather(due.number, *writer);
}

// Answers in pairs, the later one first, so that order of completion is not order of submission.
grpc::Status FakeService::Run(grpc::ServerContext*, grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>* stream) {
  const Due due = Count("Run");
  if (due.fails) return due.status;
  v1::RunRequest request;
  if (!stream->Read(&request) || !request.has_open()) return grpc::Status(grpc::INVALID_ARGUMENT, "no open");
  RunRecord record;
  record.session = request.open().session();
  record.defaults = request.open().defaults();
  const auto note = [&] {
    base::MutexLock lock(mutex_);
    runs_.resize(std::max<std::size_t>(runs_.size(), static_cast<std::size_t>(due.number) + 1));
    runs_[static_cast<std::size_t>(due.number)] = record;
  };
  note();
  v1::RunResponse grant;
  grant.set_credits(run_credits);
  stream->Write(grant);
  std::vector<v1::RunRequest::Item> held;
  int answered = 0;
  const int break_after = run_breaks_after(due.number);
  const auto answer = [&](std::size_t keep) {
    v1::RunResponse response;
    while (held.size() > keep) {
      auto* done = response.add_done();
      done->set_tag(held.back().tag());
      if (held.back().future().call().function() == "unknown") {
        done->mutable_rejected()->set_code(grpc::StatusCode::NOT_FOUND);
        done->mutable_rejected()->set_reason(v1::ERROR_REASON_UNKNOWN_FUNCTION);
      } else {
        *done->mutable_completion() = DoneCompletion("r" + std::to_string(held.back().tag()));
        *done->mutable_completion()->mutable_outcome()->mutable_value() = held.back().future().call().input();
      }
      held.pop_back();
      if (++answered == break_after) break;
    }
    if (response.done_size() > 0) stream->Write(response);
  };
  while (stream->Read(&request)) {
    for (const auto& item : request.items()) {
      record.tags.push_back(item.tag());
      held.push_back(item);
      record.in_flight_max = std::max(record.in_flight_max, static_cast<std::uint32_t>(held.size()));
    }
    note();
    if (held.size() >= 2) answer(0);
    if (answered == break_after) return grpc::Status(grpc::UNAVAILABLE, "cut");
  }
  answer(0);
  return grpc::Status::OK;
}

}  // namespace muster::client
