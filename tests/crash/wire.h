// Between the ledger's words and the wire's messages.
//
// Threading: pure functions.
#pragma once

#include <string>

#include <grpcpp/grpcpp.h>

#include "muster/v1/future_service.grpc.pb.h"
#include "tests/crash/record.h"

namespace muster::crash {

namespace pb = ::muster::v1;

pb::FutureOptions OptionsOf(const std::string& key, const Spec& spec);
// `member_ids`: of a gather, in the order of the spec's members. Not for promises.
pb::FutureSpec MessageOf(const std::string& key, const Spec& spec, const std::vector<std::string>& member_ids);

// All of it, every byte of a payload included: two outcomes are the same when their texts are.
std::string OutcomeText(const pb::Outcome& outcome);

// Without key, incarnation and since.
Record SeenIn(const pb::Future& future);
Record SeenIn(const pb::Completion& completion);

// The reason in a status' details; empty when the server has sent none.
std::string ReasonOf(const grpc::Status& status);
// For reports: "NOT_FOUND FUTURE_LOST: ...".
std::string StatusText(const grpc::Status& status);
// No answer of the server, only the news that none will come: the call may have been carried out or not.
bool IsLost(const grpc::Status& status);

}  // namespace muster::crash
