// Macros that pass an absl::Status on. None is a statement expression, because one around co_await crashes g++ 12.
//
//   MUSTER_RETURN_IF_ERROR(Check(x));
//   MUSTER_ASSIGN_OR_RETURN(auto port, ParsePort(text));
//   MUSTER_CO_RETURN_IF_ERROR(co_await event.Wait(token));        // in a Task<absl::Status> or Task<StatusOr<T>>
//   MUSTER_CO_ASSIGN_OR_RETURN(auto row, co_await Load(token));
//
// A bool in braces, a lambda or any temporary aggregate must not stand in the co_await's statement: see
// docs/adr/0003-coroutine-hand-off-and-cancel-token.md.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace muster::base::detail {

inline absl::Status&& ToStatus(absl::Status&& status) { return std::move(status); }
inline absl::Status ToStatus(const absl::Status& status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace muster::base::detail

#define MUSTER_CONCAT_INNER_(a, b) a##b
#define MUSTER_CONCAT_(a, b) MUSTER_CONCAT_INNER_(a, b)

#define MUSTER_RETURN_IF_ERROR_(keyword, expression)           \
  if (auto muster_status = (expression); muster_status.ok()) { \
  } else                                                       \
    keyword ::muster::base::detail::ToStatus(std::move(muster_status))

#define MUSTER_RETURN_IF_ERROR(expression) MUSTER_RETURN_IF_ERROR_(return, expression)
#define MUSTER_CO_RETURN_IF_ERROR(expression) MUSTER_RETURN_IF_ERROR_(co_return, expression)

#define MUSTER_ASSIGN_OR_RETURN_(keyword, result, target, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) keyword std::move(result).status();               \
  target = *std::move(result)

#define MUSTER_ASSIGN_OR_RETURN(target, expression) \
  MUSTER_ASSIGN_OR_RETURN_(return, MUSTER_CONCAT_(muster_result_, __LINE__), target, expression)
#define MUSTER_CO_ASSIGN_OR_RETURN(target, expression) \
  MUSTER_ASSIGN_OR_RETURN_(co_return, MUSTER_CONCAT_(muster_result_, __LINE__), target, expression)
