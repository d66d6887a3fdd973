// The values that travel: payloads, outcomes, errors. They are the wire's own messages (muster.v1), so that nothing of
// them is lost on the way; here are their short names and the helpers that make and read them.
//
//   Payload in = *FromJson(R"({"url": "http://localhost/"})");
//   if (outcome.has_value()) std::cout << *JsonText(outcome.value());
//
// Threading: values. Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "muster/v1/future.pb.h"
#include "muster/v1/future_service.pb.h"

namespace muster::client {

using v1::Completion;
using v1::Error;
using v1::FutureSpec;
using v1::Outcome;
using v1::Payload;

// What Get and List say of a future; client::Future is the handle.
using FutureInfo = v1::Future;

// InvalidArgument when `text` is no JSON. Numbers become doubles: send larger integers as text.
absl::StatusOr<Payload> FromJson(std::string_view text);
// UTF-8 text; `content_type` may stay empty.
Payload FromText(std::string text, std::string content_type = {});
// Bytes as they are.
Payload FromBytes(std::string data, std::string content_type = "application/octet-stream");

// A JSON payload as text, without white space and with the members of objects in no order; a text payload as a JSON
// string; an empty payload as "null". FailedPrecondition for bytes.
absl::StatusOr<std::string> JsonText(const Payload& payload);

// True for SUCCEEDED, FAILED, CANCELLED, EXPIRED.
bool IsDone(v1::FutureState state);

// A job's own error as a status, for those who want one kind of failure only: CANCELLED, DEADLINE_EXCEEDED (both kinds
// of timeout), INVALID_ARGUMENT (invalid input), ABORTED (interrupted), UNKNOWN (the function's own failures).
// ErrorOf(status) gives the error back.
absl::Status StatusOfError(const Error& error);
// The job's error that a status was made from; nothing for a status of an RPC.
std::optional<Error> ErrorOf(const absl::Status& status);

// The value of an outcome, or StatusOfError of its error or cancellation. FailedPrecondition for a gather's list.
absl::StatusOr<Payload> ValueOf(const Outcome& outcome);

}  // namespace muster::client
