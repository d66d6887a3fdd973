// The verbs that wait: for a set, and for its members as they complete.
#include <utility>

#include "service/base/reason.h"
#include "service/runtime/calls/stream.h"
#include "service/runtime/calls/wait.h"
#include "service/runtime/service_impl.h"

namespace muster::runtime {
namespace {

// None left is a poll, whatever a shard's clock says (semantics 28).
base::Instant DeadlineAfter(const Router& router, base::Duration timeout) {
  return timeout <= base::Duration::zero() ? base::Instant::min() : base::Later(router.here().ReadTime(), timeout);
}

}  // namespace

coro::Task<absl::StatusOr<WaitAnswer>> Service::Wait(values::NamespaceId ns, core::FutureSet set,
                                                     values::ReturnWhen return_when,
                                                     std::optional<base::Duration> timeout, bool take_outcomes,
                                                     coro::CancelToken& token) {
  const Router router = impl_->Here();
  const base::Instant deadline = timeout.has_value() ? DeadlineAfter(router, *timeout) : base::kNever;
  absl::StatusOr<std::vector<values::FutureId>> ids = co_await impl_->Resolve(ns, std::move(set));
  if (!ids.ok()) co_return ids.status();
  if (impl_->admission.draining()) {
    co_return impl_->admission.Refuse(base::Reason::kDraining,
                                      "the server is shutting down: wait again when it is back");
  }
  const absl::StatusOr<WaitPermit> permit = impl_->admission.TryWaiter(ids->size());
  if (!permit.ok()) co_return permit.status();
  MergedWait wait(router, token, ns, SplitByShard(router, *ids), return_when, deadline, take_outcomes);
  wait.Attach();
  absl::Status resumed = co_await wait;
  if (!resumed.ok()) co_return resumed;
  co_return wait.TakeAnswer();
}

coro::Task<absl::StatusOr<std::unique_ptr<CompletionStream>>> Service::AsCompleted(values::NamespaceId ns,
                                                                                   core::FutureSet set,
                                                                                   StreamOptions options) {
  const Router router = impl_->Here();
  Admission& admission = impl_->admission;
  const base::Instant deadline = options.bounded ? DeadlineAfter(router, options.timeout) : base::kNever;
  const uint64_t set_hash = HashOfSet(set);
  std::optional<ResumeToken> resume;
  if (!options.resume_token.empty()) {
    resume = ResumeToken::Parse(options.resume_token);
    if (!resume.has_value() || resume->set_hash != set_hash) {
      co_return admission.Refuse(base::Reason::kInvalidResumeToken,
                                 "resume_token: not a token that an AsCompleted over this very set has given; start "
                                 "without one, or with the same ids or group",
                                 "resume_token");
    }
  }
  std::vector<values::FutureId> ids;
  if (!set.ids.empty() || !set.group.empty()) {
    absl::StatusOr<std::vector<values::FutureId>> resolved = co_await impl_->Resolve(ns, std::move(set));
    // A group that has nobody (any more) is an iteration that ends at once (semantics 37).
    const bool none = base::ReasonOf(resolved.status()) == base::Reason::kEmptySet;
    if (!resolved.ok() && !none) co_return resolved.status();
    if (resolved.ok()) ids = *std::move(resolved);
  }
  if (admission.draining()) {
    co_return admission.Refuse(base::Reason::kDraining, "the server is shutting down: resume when it is back");
  }
  absl::StatusOr<WaitPermit> permit =
      options.as_waiter ? admission.TryGather(ids.size()) : admission.TryStreamMembers(ids.size());
  if (!permit.ok()) co_return permit.status();
  auto stream = std::make_unique<MergedStream>(router, *std::move(permit), ns, SplitByShard(router, ids), deadline,
                                               options.take_outcomes, set_hash, std::move(resume));
  absl::Status attached = co_await stream->Attach();
  if (!attached.ok()) co_return attached;
  co_return std::unique_ptr<CompletionStream>(std::move(stream));
}

}  // namespace muster::runtime
