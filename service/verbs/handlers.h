// The handler of every RPC of muster.v1.FutureService; one file each, or a small family. rpc.h says what they share.
#pragma once

#include <string_view>

#include "muster/v1/future_service.pb.h"
#include "service/verbs/rpc.h"
#include "service/wire/format.h"

namespace muster::verbs {

// submit.cc
coro::Task<absl::Status> Submit(Rpc& rpc, pb::SubmitRequest& request, pb::SubmitResponse& response);
coro::Task<absl::Status> SubmitBatch(Rpc& rpc, pb::SubmitBatchRequest& request, pb::SubmitBatchResponse& response);
// call.cc; the bytes of a CallRequest and of a CallResponse
coro::Task<absl::Status> Call(Rpc& rpc, std::string_view request, wire::Buffer& response);
// run.cc; RunRequest in and RunResponse out, which run_codec.h reads and writes
coro::Task<absl::Status> Run(Rpc& rpc, ByteStream& stream);
// wait.cc
coro::Task<absl::Status> Wait(Rpc& rpc, pb::WaitRequest& request, pb::WaitResponse& response);
// as_completed.cc
coro::Task<absl::Status> AsCompleted(Rpc& rpc, pb::AsCompletedRequest& request,
                                     StreamWriter<pb::AsCompletedResponse>& out);
// gather.cc
coro::Task<absl::Status> Gather(Rpc& rpc, pb::GatherRequest& request, StreamWriter<pb::GatherResponse>& out);
// get_list.cc
coro::Task<absl::Status> Get(Rpc& rpc, pb::GetRequest& request, pb::GetResponse& response);
coro::Task<absl::Status> List(Rpc& rpc, pb::ListRequest& request, pb::ListResponse& response);
// cancel_delete.cc
coro::Task<absl::Status> Cancel(Rpc& rpc, pb::CancelRequest& request, pb::CancelResponse& response);
coro::Task<absl::Status> Delete(Rpc& rpc, pb::DeleteRequest& request, pb::DeleteResponse& response);
// promise.cc
coro::Task<absl::Status> CreatePromise(Rpc& rpc, pb::CreatePromiseRequest& request,
                                       pb::CreatePromiseResponse& response);
coro::Task<absl::Status> SetResult(Rpc& rpc, pb::SetResultRequest& request, pb::SetResultResponse& response);
coro::Task<absl::Status> SetException(Rpc& rpc, pb::SetExceptionRequest& request, pb::SetExceptionResponse& response);
// info.cc
coro::Task<absl::Status> GetServerInfo(Rpc& rpc, pb::GetServerInfoRequest& request,
                                       pb::GetServerInfoResponse& response);
coro::Task<absl::Status> ListFunctions(Rpc& rpc, pb::ListFunctionsRequest& request,
                                       pb::ListFunctionsResponse& response);

}  // namespace muster::verbs
