#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/coro/scope.h"
#include "service/verbs/entry.h"
#include "service/verbs/handlers.h"
#include "service/wire/convert.h"
#include "service/wire/status.h"

namespace muster::verbs {
namespace {

using BatchItem = pb::SubmitBatchResponse::Item;

// Not cancelled when the client leaves: what it has sent has been said.
coro::Task<void> SubmitOne(runtime::Service& service, core::Submit command, size_t message_max, BatchItem& item) {
  const absl::StatusOr<runtime::SubmitAnswer> answer = co_await service.Submit(std::move(command));
  if (answer.ok()) {
    item.set_id(answer->id.ToText());
    item.set_deduplicated(answer->deduplicated);
  } else {
    wire::ToItemStatus(answer.status(), *item.mutable_status(), message_max);
  }
}

}  // namespace

coro::Task<absl::Status> SubmitBatch(Rpc& rpc, pb::SubmitBatchRequest& request, pb::SubmitBatchResponse& response) {
  MUSTER_CO_ASSIGN_OR_RETURN(const Entry entry, Enter(rpc, request.namespace_()));
  const int count = request.futures_size();
  if (count > static_cast<int64_t>(entry.limits.batch_max)) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("futures"),
                                fmt::format("{} items; at most {} go into one batch, so send several or use Run", count,
                                            entry.limits.batch_max));
  }
  if (!request.defaults().request_id().empty()) {
    co_return wire::RefuseField(base::Reason::kInvalidField, wire::Path("defaults.request_id"),
                                "would make all items one future; give each its own");
  }
  const wire::SubmitContext context = SubmitContextOf(rpc, entry.ns);
  // So that the answer fits into a message even when every item is refused.
  constexpr size_t kItemBytes = 64;
  const size_t share = entry.limits.message_bytes_max / static_cast<size_t>(std::max(count, 1));
  const size_t message_max = std::max(share, 2 * kItemBytes) - kItemBytes;
  response.mutable_items()->Reserve(count);
  // All at once, so that they share commits; in order, as they are made ready in order.
  coro::Scope scope;
  for (int index = 0; index < count; ++index) {
    BatchItem& item = *response.add_items();
    absl::StatusOr<wire::Submission> submission =
        wire::ToSubmit(context, *request.mutable_futures(index), &request.defaults(), wire::Path("futures", index));
    if (submission.ok()) {
      scope.Spawn(SubmitOne(rpc.service, std::move(submission->command), message_max, item));
    } else {
      wire::ToItemStatus(submission.status(), *item.mutable_status(), message_max);
    }
  }
  co_return co_await scope.Join(rpc.token);
}

}  // namespace muster::verbs
