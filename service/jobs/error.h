// Between a body's absl::Status and a future's error. A body fails by returning a status; `Failure` gives it a type and
// details of its own.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/values/outcome.h"

namespace muster::jobs {

// An application error (kind APPLICATION): `type` is the function's own word, such as "HttpError"; `message` is for
// people; `details` for programs.
absl::Status Failure(std::string_view type, std::string_view message, values::Payload details = {});

// The input cannot be used (kind INVALID_INPUT). Say which key, its value and what is expected.
absl::Status InvalidInput(std::string_view message);

// What a body's return means for its future. kCancelled becomes CANCELLED whether or not anyone asked (semantics 11);
// kInvalidArgument INVALID_INPUT; kDeadlineExceeded TIMED_OUT; all else APPLICATION, with the status code's name as
// type unless `Failure` gave one.
//
// What a function returns is input: text that is no UTF-8 would make the whole message unreadable that it goes out in,
// with the outcomes of others. Such an outcome is the function's error, of type "InvalidOutcome". Messages, which are
// for people, are mended instead.
values::OutcomeRef ToOutcome(absl::StatusOr<values::Payload> result);

// The reverse, for AwaitValue: OK values come out, errors keep kind, type, details and cause when they are returned on.
// A gathered outcome becomes a JSON array of its values; its first error, if any, is the status.
absl::StatusOr<values::Payload> FromOutcome(const values::OutcomeRef& outcome);

}  // namespace muster::jobs
