// grpc.health.v1, asked without code generated for it: both of its messages have one field.
//
// Threading and lifetime: as detail/rpc.h.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "client/cpp/detail/connection.h"
#include "service/coro/cancel.h"
#include "service/coro/task.h"

namespace muster::client::detail {

// One attempt under the connection's deadline: whether the server says SERVING of `service`. NotFound when it does not
// know such a service, Unavailable when nobody answers, Internal when the answer is none.
coro::Task<absl::StatusOr<bool>> CheckHealth(std::shared_ptr<Connection> connection, std::string service,
                                             coro::CancelToken& token);

}  // namespace muster::client::detail
