// What the clients of the simulated server ask for, and what they make of the answers.
#include <algorithm>
#include <utility>

#include "service/base/reason.h"
#include "tests/simulation/model.h"
#include "tests/simulation/runtime/world.h"

namespace muster::simulation {
namespace {

constexpr base::Duration kRetention = std::chrono::hours(24);

std::string TextOf(const values::Outcome& outcome) {
  switch (outcome.kind) {
    case values::Outcome::Kind::kValue:
      return "value " + outcome.value.body();
    case values::Outcome::Kind::kError:
      return "error " + outcome.error->type + " " + outcome.error->message;
    case values::Outcome::Kind::kCancelled:
      return "cancelled " + outcome.error->message;
    case values::Outcome::Kind::kGathered:
      break;
  }
  std::string text = "gathered";
  for (const values::OutcomeRef& each : outcome.gathered) text += " (" + TextOf(*each) + ")";
  return text;
}

coro::Task<absl::StatusOr<std::vector<values::FutureId>>> ListPages(runtime::Service& service,
                                                                    core::ListFutures query) {
  std::vector<values::FutureId> ids;
  std::string token;
  do {
    absl::StatusOr<runtime::ListAnswer> page = co_await service.List(query, token);
    if (!page.ok()) co_return page.status();
    for (const core::FutureView& view : page->futures) ids.push_back(view.id);
    token = page->next_page_token;
  } while (!token.empty());
  co_return ids;
}

coro::Task<std::vector<values::OutcomeRef>> TakeAll(runtime::Service& service, values::NamespaceId ns,
                                                    std::vector<values::FutureId> ids) {
  co_return co_await service.TakeOutcomes(ns, ids, /*also_failed=*/true);
}

}  // namespace

void RuntimeWorld::Act() {
  const uint64_t choice = random_.Below(40);
  if (known_.empty() || choice < 12) return Submit();
  if (choice < 15) return Call();
  if (choice < 20) return Settle();
  if (choice < 22) return Cancel();
  if (choice < 27) return Wait();
  if (choice < 30) return Stream();
  if (choice < 32) return Take();
  if (choice < 35) return Get();
  if (choice < 36) return Delete();
  if (choice < 37) return ListGroup();
  if (choice < 38) return ListAll();
  Leave();
}

// --- Making futures --------------------------------------------------------------------------------------------------

core::Submit RuntimeWorld::Job(const std::string& function, const std::string& text) {
  const dispatch::Function* found = server_->directory().Find(function);
  values::JobSpec spec;
  spec.function = found->id;
  spec.kind = found->kind;
  spec.input = values::Payload::Text(text);
  core::Submit command;
  command.spec = std::move(spec);
  return command;
}

values::FutureSpec RuntimeWorld::NewCombinator() {
  const uint64_t choice = random_.Below(4);
  if (choice == 0) {
    values::ShieldSpec shield;
    shield.inner = *Pick();
    return shield;
  }
  if (choice == 1) {
    values::WaitForSpec wait_for;
    wait_for.inner = *Pick();
    wait_for.timeout = std::chrono::seconds(random_.Below(10));
    return wait_for;
  }
  values::GatherSpec gather;
  gather.members = PickSome(4);
  gather.return_exceptions = random_.OneIn(2);
  return gather;
}

core::Submit RuntimeWorld::NewSubmit() {
  const uint64_t choice = random_.Below(10);
  core::Submit command;
  if (choice < 3) {
    command.spec = values::PromiseSpec{};
  } else if (choice < 5 && Pick()) {
    command.spec = NewCombinator();
  } else if (choice == 5 && Pick()) {
    command = Job("await", Pick()->ToText());
  } else if (choice == 6) {
    command = Job(random_.OneIn(2) ? "parent" : "stubborn", "");
  } else if (choice == 7) {
    command = Job("sleep", std::to_string(random_.Below(20)));
  } else {
    command = Job("number", "");
  }
  if (random_.OneIn(4)) {
    command.options = std::make_unique<values::Options>();
    command.options->group = random_.OneIn(2) ? "g" : "h";
  }
  return command;
}

void RuntimeWorld::Submit() {
  std::string request;
  core::Submit command;
  if (random_.OneIn(4)) {
    // One of a few, each of which always stands for the same.
    const uint64_t number = random_.Below(6);
    request = "request " + std::to_string(number);
    if (number % 2 == 0) {
      command.spec = values::PromiseSpec{};
    } else {
      command = Job("number", "");
    }
    command.options = std::make_unique<values::Options>();
    command.options->request_id = request;
    command.spec_hash = 1 + number % 2;
  } else {
    command = NewSubmit();
  }
  command.ns = ns_.id;
  command.ns_tag = ns_.tag;
  command.retention = kRetention;
  Known made;
  made.kind = static_cast<values::FutureKind>(command.spec.index());
  if (command.options != nullptr) made.group = command.options->group;
  const auto given = std::make_shared<core::Submit>(std::move(command));
  Ask<absl::StatusOr<runtime::SubmitAnswer>>(
      "submit " + std::to_string(given->spec.index()) + " " + request,
      [this, given](coro::CancelToken&) { return server_->service().Submit(std::move(*given)); },
      [this, made, request](const absl::StatusOr<runtime::SubmitAnswer>& answer) {
        OnSubmitted(answer, made, request);
      });
}

void RuntimeWorld::OnSubmitted(const absl::StatusOr<runtime::SubmitAnswer>& answer, const Known& made,
                               const std::string& request) {
  if (!answer.ok()) {
    // A member may have been deleted meanwhile, or nest too deep.
    const auto reason = base::ReasonOf(answer.status());
    const bool about_members = made.kind >= values::FutureKind::kGather &&
                               (reason == base::Reason::kFutureExpired || reason == base::Reason::kNestingTooDeep);
    const bool about_deleted = reason == base::Reason::kFutureExpired && IsDeleted(request);
    if (!about_members && !about_deleted) ExpectOk(answer.status(), "submit");
    return;
  }
  Note("made " + answer->id.ToText());
  if (!request.empty() && !IsDeleted(request)) {
    const auto [known, is_new] = requests_.emplace(request, answer->id);
    SIM_EXPECT(known->second == answer->id, "a request id stands for two futures: " + request);
  }
  known_.emplace(answer->id, made);  // a shield of what is done is that future
}

bool RuntimeWorld::IsDeleted(const std::string& request) const {
  const auto found = requests_.find(request);
  return found != requests_.end() && known_.at(found->second).deleting;
}

void RuntimeWorld::Call() {
  core::Submit command = random_.OneIn(3) ? Job("sleep", std::to_string(random_.Below(5))) : Job("number", "");
  command.ns = ns_.id;
  command.ns_tag = ns_.tag;
  const bool cancel_on_disconnect = random_.OneIn(2);
  const auto given = std::make_shared<core::Submit>(std::move(command));
  Ask<absl::StatusOr<core::Completion>>(
      "call",
      [this, given, cancel_on_disconnect](coro::CancelToken& token) {
        return server_->service().Call(std::move(*given), token, cancel_on_disconnect);
      },
      [this](const absl::StatusOr<core::Completion>& completion) {
        ExpectOk(completion.status(), "call");
        if (completion.ok()) Note("called: " + TextOf(*completion->outcome));
      });
}

// --- Ending them -----------------------------------------------------------------------------------------------------

void RuntimeWorld::Settle() {
  const std::optional<values::FutureId> id = Pick(values::FutureKind::kPromise);
  if (!id) return;
  core::SettlePromise settle;
  settle.ns = ns_.id;
  settle.id = *id;
  settle.outcome = values::Outcome::Value(values::Payload::Text("settled " + std::to_string(++last_value_)));
  Ask<absl::StatusOr<values::State>>(
      "settle " + id->ToText(), [this, settle](coro::CancelToken&) { return server_->service().SettlePromise(settle); },
      [this, settle](const absl::StatusOr<values::State>& state) {
        if (base::ReasonOf(state.status()) == base::Reason::kAlreadyDone) return;
        if (known_[settle.id].deleting) return;
        ExpectOk(state.status(), "settle");
        if (state.ok()) Saw(settle.id, *state, settle.outcome);
      });
}

void RuntimeWorld::Cancel() {
  const Ids ids = PickSome(3);
  if (ids.empty()) return;
  Ask<absl::StatusOr<std::vector<std::pair<values::FutureId, core::CancelEffect>>>>(
      "cancel",
      [this, ids](coro::CancelToken&) {
        return server_->service().Cancel(ns_.id, SetOf(ids), "enough " + std::to_string(++last_value_));
      },
      [this, ids, seen = SeenOf(ids)](const auto& answer) {
        ExpectOk(answer.status(), "cancel");
        if (!answer.ok()) return;
        SIM_EXPECT(answer->size() == ids.size(), "a cancel of some is answered for others");
        for (const auto& [id, effect] : *answer) {
          if (known_[id].deleting) continue;
          SIM_EXPECT(effect != core::CancelEffect::kNotFound, "what was acknowledged is not found: " + id.ToText());
          SIM_EXPECT(seen.count(id) == 0 || effect == core::CancelEffect::kAlreadyDone,
                     "what was seen done was cancelled: " + id.ToText());
        }
      });
}

void RuntimeWorld::Delete() {
  const std::optional<values::FutureId> id = Pick();
  if (!id || !known_[*id].outcome) return;
  known_[*id].deleting = true;
  Ask<absl::StatusOr<std::vector<std::pair<values::FutureId, absl::Status>>>>(
      "delete " + id->ToText(),
      [this, id](coro::CancelToken&) { return server_->service().Delete(ns_.id, SetOf({*id})); },
      [this](const auto& answer) {
        ExpectOk(answer.status(), "delete");
        if (answer.ok()) ExpectOk(answer->front().second, "delete");
      });
}

// A client goes away: one that waits, or calls.
void RuntimeWorld::Leave() {
  for (const auto& operation : open_) {
    const bool may = operation->what == "call" || operation->what == "wait" || operation->what == "stream";
    if (!may || !random_.OneIn(2)) continue;
    Note("leave " + operation->what);
    server_->loop(operation->loop).Post([&each = *operation] {
      if (!each.over) each.token.Cancel("the client went away");
    });
    server_->loop(operation->loop).TurnOnce();  // while it is there to be cancelled
    return;
  }
}

// --- Waiting ---------------------------------------------------------------------------------------------------------

void RuntimeWorld::Wait() {
  const Ids ids = PickSome(5);
  if (ids.empty()) return;
  const auto when = static_cast<values::ReturnWhen>(random_.Below(3));
  std::optional<base::Duration> timeout;
  if (random_.OneIn(2)) timeout = std::chrono::seconds(random_.Below(20));
  Ask<absl::StatusOr<runtime::WaitAnswer>>(
      "wait",
      [this, ids, when, timeout](coro::CancelToken& token) {
        return server_->service().Wait(ns_.id, SetOf(ids), when, timeout, true, token);
      },
      [this, ids, when, seen = SeenOf(ids)](const absl::StatusOr<runtime::WaitAnswer>& answer) {
        OnWaited(answer, ids, when, seen);
      });
}

void RuntimeWorld::OnWaited(const absl::StatusOr<runtime::WaitAnswer>& answer, const Ids& ids, values::ReturnWhen when,
                            const std::set<values::FutureId>& seen) {
  for (const values::FutureId& id : ids) {
    if (known_[id].deleting) return;
  }
  ExpectOk(answer.status(), "wait");
  if (!answer.ok()) return;
  std::set<values::FutureId> done;
  for (const core::Completion& completion : answer->done) {
    Saw(completion.id, completion.state, completion.outcome);
    done.insert(completion.id);
  }
  for (const values::FutureId& id : seen) SIM_EXPECT(done.count(id) > 0, "what was seen done is not: " + id.ToText());
  if (answer->timed_out) return;
  if (when == values::ReturnWhen::kAllCompleted) SIM_EXPECT(answer->pending.empty(), "a wait for all ended too early");
  SIM_EXPECT(!done.empty(), "a wait ended for nothing");
}

coro::Task<absl::StatusOr<RuntimeWorld::Ids>> RuntimeWorld::ReadAll(RuntimeWorld& world, runtime::Service& service,
                                                                    core::FutureSet set, runtime::StreamOptions options,
                                                                    coro::CancelToken& token) {
  const uint64_t life = world.life_;
  absl::StatusOr<std::unique_ptr<runtime::CompletionStream>> stream =
      co_await service.AsCompleted(world.ns_.id, std::move(set), std::move(options));
  if (!stream.ok()) co_return stream.status();
  Ids delivered;
  for (;;) {
    absl::StatusOr<runtime::CompletionStream::Batch> batch = co_await (*stream)->Next(2, token);
    if (!batch.ok()) co_return batch.status();
    for (const core::Completion& completion : batch->completions) {
      if (life == world.life_) world.Saw(completion.id, completion.state, completion.outcome);
      delivered.push_back(completion.id);
    }
    if (life == world.life_)
      world.Note("batch of " + std::to_string(batch->completions.size()) + ", " + std::to_string(batch->remaining) +
                 " left" + (batch->ended ? ", the last" : "") + (batch->timed_out ? ", timed out" : ""));
    if (batch->timed_out) delivered.emplace_back();  // that it was not all
    if (batch->ended) co_return delivered;
    const std::vector<core::FutureView> progress = co_await (*stream)->Progress(10);
    SIM_EXPECT(progress.empty(), "progress that nobody has made");
  }
}

void RuntimeWorld::Stream() {
  const Ids ids = PickSome(5);
  if (ids.empty()) return;
  runtime::StreamOptions options;
  options.bounded = random_.OneIn(3);
  options.timeout = std::chrono::seconds(random_.Below(20));
  options.as_waiter = random_.OneIn(2);
  Ask<absl::StatusOr<Ids>>(
      "stream",
      [this, ids, options](coro::CancelToken& token) {
        return ReadAll(*this, server_->service(), SetOf(ids), options, token);
      },
      [this, ids](absl::StatusOr<Ids> delivered) {
        for (const values::FutureId& id : ids) {
          if (known_[id].deleting) return;
        }
        ExpectOk(delivered.status(), "stream");
        if (!delivered.ok()) return;
        const bool timed_out = !delivered->empty() && !delivered->back();
        if (timed_out) delivered->pop_back();
        const std::set<values::FutureId> distinct(delivered->begin(), delivered->end());
        SIM_EXPECT(distinct.size() == delivered->size(), "a completion was delivered twice");
        for (const values::FutureId& id : ids) {
          SIM_EXPECT(timed_out || distinct.count(id) > 0, "a stream ended without " + id.ToText());
        }
      });
}

// --- Reading ---------------------------------------------------------------------------------------------------------

void RuntimeWorld::Take() {
  Ids ids = PickSome(6);
  if (ids.empty()) return;
  const std::set<values::FutureId> seen = SeenOf(ids);
  const bool all = seen.size() == std::set<values::FutureId>(ids.begin(), ids.end()).size();
  Ask<std::vector<values::OutcomeRef>>(
      "take", [this, ids](coro::CancelToken&) { return TakeAll(server_->service(), ns_.id, ids); },
      [this, ids, all](const std::vector<values::OutcomeRef>& outcomes) {
        for (const values::FutureId& id : ids) {
          if (known_[id].deleting) return;
        }
        SIM_EXPECT(!all || outcomes.size() == ids.size(), "not all of what was seen done is");
        for (size_t at = 0; at < outcomes.size(); ++at) {
          SIM_EXPECT(outcomes[at] != nullptr, "an outcome is missing among all");
          Saw(ids[at], values::State::kExpired, outcomes[at]);
        }
      });
}

void RuntimeWorld::Get() {
  const std::optional<values::FutureId> id = Pick();
  if (!id) return;
  Ask<absl::StatusOr<core::FutureView>>(
      "get " + id->ToText(), [this, id](coro::CancelToken&) { return server_->service().Get(ns_.id, *id, true); },
      [this, id, seen = known_[*id].outcome.has_value()](const absl::StatusOr<core::FutureView>& view) {
        if (known_[*id].deleting) return;
        ExpectOk(view.status(), "get");
        if (!view.ok()) return;
        SIM_EXPECT(!seen || values::IsDone(view->state), "what was seen done is not: " + id->ToText());
        if (values::IsDone(view->state)) Saw(*id, view->state, view->outcome);
      });
}

void RuntimeWorld::ListGroup() {
  Ids members;
  for (const auto& [id, known] : known_) {
    if (known.group == "g" && !known.deleting) members.push_back(id);
  }
  if (members.empty()) return;
  Ask<absl::StatusOr<Ids>>(
      "group", [this](coro::CancelToken&) { return server_->service().GroupMembers(ns_.id, "g"); },
      [this, members](absl::StatusOr<Ids> found) {
        for (const values::FutureId& id : members) {
          if (known_[id].deleting) return;
        }
        ExpectOk(found.status(), "group");
        if (!found.ok()) return;
        std::sort(found->begin(), found->end());
        SIM_EXPECT(std::includes(found->begin(), found->end(), members.begin(), members.end()),
                   "a group has lost a member");
      });
}

void RuntimeWorld::ListAll() {
  Ids all;
  for (const auto& [id, known] : known_) {
    if (!known.deleting) all.push_back(id);
  }
  core::ListFutures query;
  query.ns = ns_.id;
  query.max = 1 + random_.Below(20);
  Ask<absl::StatusOr<Ids>>(
      "list", [this, query](coro::CancelToken&) { return ListPages(server_->service(), query); },
      [this, all](absl::StatusOr<Ids> found) {
        ExpectOk(found.status(), "list");
        if (!found.ok()) return;
        const std::set<values::FutureId> listed(found->begin(), found->end());
        SIM_EXPECT(listed.size() == found->size(), "a future was listed twice");
        for (const values::FutureId& id : all) {
          SIM_EXPECT(known_[id].deleting || listed.count(id) > 0, "a future is not listed: " + id.ToText());
        }
      });
}

// --- What is known ---------------------------------------------------------------------------------------------------

std::optional<values::FutureId> RuntimeWorld::Pick(std::optional<values::FutureKind> kind) {
  Ids ids;
  for (const auto& [id, known] : known_) {
    if (!known.deleting && (!kind || known.kind == *kind)) ids.push_back(id);
  }
  if (ids.empty()) return std::nullopt;
  // The latest more often: something happens to them still.
  if (random_.OneIn(2)) return ids[random_.Below(ids.size())];
  return ids[ids.size() - 1 - random_.Below(std::min<size_t>(ids.size(), 6))];
}

RuntimeWorld::Ids RuntimeWorld::PickSome(uint64_t most) {
  Ids ids;
  for (uint64_t left = 1 + random_.Below(most); left > 0; --left) {
    if (const std::optional<values::FutureId> id = Pick()) ids.push_back(*id);
  }
  return ids;
}

core::FutureSet RuntimeWorld::SetOf(const Ids& ids) const {
  core::FutureSet set;
  set.ids = ids;
  return set;
}

std::set<values::FutureId> RuntimeWorld::SeenOf(const Ids& ids) const {
  std::set<values::FutureId> seen;
  for (const values::FutureId& id : ids) {
    if (known_.at(id).outcome) seen.insert(id);
  }
  return seen;
}

void RuntimeWorld::Saw(const values::FutureId& id, values::State state, const values::OutcomeRef& outcome) {
  SIM_EXPECT(outcome != nullptr, "done in state " + std::to_string(static_cast<int>(state)) + " without an outcome");
  const std::string text = TextOf(*outcome);
  Note("saw " + id.ToText() + " " + text);
  std::optional<std::string>& known = known_[id].outcome;
  SIM_EXPECT(!known || *known == text, id.ToText() + " was seen as \"" + *known + "\" and is \"" + text + "\" now");
  known = text;
}

bool RuntimeWorld::EndsWell(const absl::Status& status) const {
  const auto reason = base::ReasonOf(status);
  return (ending_ && reason == base::Reason::kDraining) || (disk_failed_ && reason == base::Reason::kStoreFailed);
}

void RuntimeWorld::ExpectOk(const absl::Status& status, const std::string& what) const {
  SIM_EXPECT(status.ok() || EndsWell(status), what + ": " + status.ToString());
}

}  // namespace muster::simulation
