// The one way to a shard: commands and queries are values, and it makes no difference to who asks which loop has the
// shard. Of a shard of the asker's own loop it costs no hop, no copy and no allocation.
//
//   router.Send(shard, std::move(command));                     // no answer is waited for
//   auto asked = router.Ask(shard, std::move(command));         // it is on its way now ...
//   const core::CancelAnswered& answer = co_await asked;        // ... and here is the effect that answers it
//   auto looked = router.Ask(shard, std::move(query));
//   core::GetFuture::Answer found = co_await looked;
//
// What is awaited ends soon by its nature (an answer that is always given, a post there and back), so it cannot be
// cancelled: that keeps the asker's frame alive for whoever answers.
//
// Threading: the loop of `here`. Lifetime: a Router is a reference to its host, and cheap to make.
#pragma once

#include <coroutine>
#include <cstddef>
#include <deque>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "service/core/door/command.h"
#include "service/core/door/effect.h"
#include "service/core/door/query.h"
#include "service/coro/runnable.h"
#include "service/runtime/host/hosts.h"
#include "service/runtime/host/requests.h"
#include "service/runtime/host/shard_host.h"
#include "service/runtime/host/visit.h"

namespace muster::runtime {

// The effect that answers a command.
template <typename Command>
struct AnswerOf;
template <>
struct AnswerOf<core::Submit> : std::type_identity<core::Submitted> {};
template <>
struct AnswerOf<core::SettlePromise> : std::type_identity<core::PromiseSettled> {};
template <>
struct AnswerOf<core::Cancel> : std::type_identity<core::CancelAnswered> {};
template <>
struct AnswerOf<core::Delete> : std::type_identity<core::Deleted> {};

template <typename T>
concept AnsweredCommand = requires { typename AnswerOf<T>::type; };
template <typename T>
concept Query = requires { typename T::Answer; };

// A question that has no business on a wire: aborts on what must never be in the shard. For tests.
struct CheckShard {
  using Answer = std::monostate;
};

template <Query Q>
typename Q::Answer AskShard(core::Shard& shard, const Q& query) {
  return shard.Ask(query);
}
inline std::monostate AskShard(core::Shard& shard, const CheckShard&) {
  shard.CheckInvariants();
  return {};
}

// The same question once more, since the first answer rests on what will never be durable. The shards are frozen by
// now.
template <Query Q>
void AskShardAgain(core::Shard& shard, const Q& query, typename Q::Answer& answer) {
  answer = AskShard(shard, query);
}
// What was taken cannot be taken again: all that came after it would pass for all there is. The reader stays where it
// was, and is told that the service ends.
inline void AskShardAgain(core::Shard&, const core::TakeCompletions&, core::TakenCompletions& answer) {
  answer.status.remaining += answer.completions.size();
  answer.status.ended = answer.status.timed_out = false;
  answer.completions.clear();
}

template <AnsweredCommand Command>
class CommandAsked;
template <Query Q>
class QueryAsked;
template <Query Q>
class QueriesAsked;

class Router {
 public:
  explicit Router(ShardHost& here) : here_(&here) {}

  ShardHost& here() const { return *here_; }
  values::ShardIndex shards() const { return here_->hosts().shards(); }
  values::ShardIndex ShardOf(const values::FutureId& id) const { return here_->hosts().ShardOf(id); }

  // Commands to one shard arrive in the order sent.
  template <typename Command>
  void Send(values::ShardIndex shard, Command&& command) const {
    static_assert(!std::is_lvalue_reference_v<Command>, "commands are given away");
    if (here_->shards().Has(shard)) return here_->Apply(shard, std::move(command));
    ShardHost& owner = here_->hosts().OwnerOf(shard);
    owner.loop().Post([&owner, shard, moved = std::move(command)]() mutable { owner.Apply(shard, std::move(moved)); });
  }

  // Nobody waits for what `token` asked that shard any more.
  void Detach(values::ShardIndex shard, core::Token token) const {
    core::Detach detach;
    detach.token = token;
    Send(shard, std::move(detach));
  }

  // Awaits the command's effect. `command.token` is set here.
  template <AnsweredCommand Command>
  CommandAsked<Command> Ask(values::ShardIndex shard, Command&& command) const {
    return CommandAsked<Command>(*this, shard, std::move(command));
  }
  // Awaits the query's answer. It is asked when it is awaited.
  template <Query Q>
  QueryAsked<Q> Ask(values::ShardIndex shard, Q&& query) const {
    return QueryAsked<Q>(*this, shard, std::move(query));
  }
  // Asks several shards, those of several loops at once, and awaits all answers, at the places of the questions.
  template <Query Q>
  QueriesAsked<Q> AskMany(std::vector<std::pair<values::ShardIndex, Q>> questions) const {
    return QueriesAsked<Q>(*this, std::move(questions));
  }
  template <Query Q>
  QueriesAsked<Q> AskAll(const Q& query) const {
    std::vector<std::pair<values::ShardIndex, Q>> questions;
    questions.reserve(shards());
    for (values::ShardIndex shard = 0; shard < shards(); ++shard) questions.emplace_back(shard, query);
    return AskMany(std::move(questions));
  }

 private:
  ShardHost* here_;
};

// The one effect that answers a command. Belongs to a coroutine on the asker's loop.
template <AnsweredCommand Command>
class [[nodiscard]] CommandAsked final : private coro::Runnable, private Receiver {
 public:
  using Effect = typename AnswerOf<Command>::type;

  CommandAsked(const Router& router, values::ShardIndex shard, Command&& command)
      : Runnable(&Resume), here_(router.here()), token_(here_.requests().Add(this)) {
    command.token = token_;
    router.Send(shard, std::move(command));
  }
  ~CommandAsked() override { here_.requests().Remove(token_); }
  CommandAsked(const CommandAsked&) = delete;
  CommandAsked& operator=(const CommandAsked&) = delete;

  bool await_ready() const { return effect_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  Effect& await_resume() { return *effect_; }

 private:
  static void Resume(coro::Runnable& self) { static_cast<CommandAsked&>(self).waiter_.resume(); }
  void OnEffect(core::Effect&& effect) override {
    if (effect_.has_value()) return;  // it came after all, when the asker had been told that it would not
    effect_ = std::get<Effect>(std::move(effect));
    if (waiter_) here_.loop().Schedule(*this);
  }
  // A submit may depend on what other shards say, and they say nothing any more once they are frozen.
  void OnDrain(const absl::Status& refusal, bool last_step) override {
    if (!last_step || effect_.has_value()) return;
    Effect refused;
    refused.token = token_;
    refused.refusal = refusal;
    OnEffect(std::move(refused));
  }

  ShardHost& here_;
  const core::Token token_;
  std::optional<Effect> effect_;
  std::coroutine_handle<> waiter_;
};

// One question to one shard.
template <Query Q>
class [[nodiscard]] QueryAsked final : private Visit {
 public:
  QueryAsked(const Router& router, values::ShardIndex shard, Q&& query)
      : Visit(router.here(), router.here().hosts().OwnerOf(shard)), shard_(shard), query_(std::move(query)) {}

  bool await_ready() { return TryAtOnce(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    Begin();  // may be over at once: nothing of the frame after this
  }
  typename Q::Answer await_resume() { return *std::move(answer_); }
  // What was asked, for who wants to go on with it.
  Q TakeQuery() { return std::move(query_); }

 private:
  void Look(ShardHost& owner) override { answer_.emplace(AskShard(owner.shards().At(shard_), query_)); }
  void LookAgain(ShardHost& owner) override { AskShardAgain(owner.shards().At(shard_), query_, *answer_); }
  void OnBack() override { waiter_.resume(); }

  const values::ShardIndex shard_;
  Q query_;
  std::optional<typename Q::Answer> answer_;
  std::coroutine_handle<> waiter_;
};

// Several questions: one visit to each loop that has a shard of theirs.
template <Query Q>
class [[nodiscard]] QueriesAsked final {
 public:
  using Answers = std::vector<typename Q::Answer>;

  QueriesAsked(const Router& router, std::vector<std::pair<values::ShardIndex, Q>> questions)
      : questions_(std::move(questions)), answers_(questions_.size()) {
    const Hosts& hosts = router.here().hosts();
    std::vector<bool> asked(hosts.loops());
    for (const auto& [shard, query] : questions_) {
      if (asked[hosts.LoopOf(shard)]) continue;
      asked[hosts.LoopOf(shard)] = true;
      parts_.emplace_back(*this, router.here(), hosts.OwnerOf(shard));
    }
  }
  QueriesAsked(const QueriesAsked&) = delete;
  QueriesAsked& operator=(const QueriesAsked&) = delete;

  bool await_ready() { return parts_.empty() || (parts_.size() == 1 && parts_.front().TryAtOnce()); }
  bool await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    open_ = 1;  // so that none is the last while they are being sent
    for (Part& part : parts_) {
      if (parts_.size() > 1 && part.TryAtOnce()) continue;
      ++open_;
      part.Begin();
    }
    return --open_ > 0;
  }
  Answers await_resume() { return std::move(answers_); }

 private:
  class Part final : public Visit {
   public:
    Part(QueriesAsked& a, ShardHost& here, ShardHost& target) : Visit(here, target), all_(a) {}

   private:
    void Look(ShardHost& owner) override {
      ForOwn(owner,
             [](core::Shard& shard, const Q& query, typename Q::Answer& answer) { answer = AskShard(shard, query); });
    }
    void LookAgain(ShardHost& owner) override {
      ForOwn(owner, [](core::Shard& shard, const Q& query, typename Q::Answer& answer) {
        AskShardAgain(shard, query, answer);
      });
    }
    // Each loop writes the places of its own shards.
    template <typename F>
    void ForOwn(ShardHost& owner, F ask) {
      for (size_t at = 0; at < all_.questions_.size(); ++at) {
        const auto& [shard, query] = all_.questions_[at];
        if (owner.shards().Has(shard)) ask(owner.shards().At(shard), query, all_.answers_[at]);
      }
    }
    void OnBack() override {
      if (--all_.open_ == 0) all_.waiter_.resume();
    }

    QueriesAsked& all_;
  };

  const std::vector<std::pair<values::ShardIndex, Q>> questions_;
  Answers answers_;
  std::deque<Part> parts_;
  size_t open_ = 0;  // the asker's loop alone counts
  std::coroutine_handle<> waiter_;
};

}  // namespace muster::runtime
