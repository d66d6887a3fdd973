#include "tests/linearizability/checker.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "tests/linearizability/model.h"

namespace muster::linearizability {
namespace {

// Which operations are linearized, and the state they led to: nothing else decides what can follow.
struct Configuration {
  std::vector<uint64_t> linearized;  // a bit each
  State state;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

struct ConfigurationHash {
  size_t operator()(const Configuration& configuration) const {
    uint64_t hash = 0;
    const auto mix = [&hash](uint64_t value) {
      hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
      hash ^= hash >> 29;
    };
    for (const uint64_t word : configuration.linearized) mix(word);
    const State& state = configuration.state;
    mix(uint64_t{state.spec} << 32 | state.id);
    mix(uint64_t{state.outcome} << 32 | state.settled_by);
    mix(static_cast<uint64_t>(state.phase) << 1 | static_cast<uint64_t>(state.job));
    return static_cast<size_t>(hash);
  }
};

// Invocations and answers of one future in the order of time, as a list from which what is linearized is taken out and,
// when that led nowhere, put back.
struct Event {
  size_t operation = 0;
  bool is_call = false;
  Instant at = 0;
  size_t before = 0, after = 0;  // of the list; place 0 is its head
  size_t answer = 0;             // of a call: where its answer stands
};

class Search {
 public:
  Search(std::span<const Operation* const> operations, uint64_t configurations_max)
      : operations_(operations), configurations_max_(configurations_max) {
    for (const Operation* operation : operations) {
      Step step;
      step.call = operation->call;
      step.reply = operation->reply;
      step.job = operation->job;
      step.argument = ToWord(operation->argument);
      step.request_id = ToWord(operation->request_id);
      step.result = ToWord(operation->result);
      steps_.push_back(step);
    }
    ListEvents();
    here_.linearized.resize((operations.size() + 63) / 64);
  }

  Verdict::Kind Run() {
    size_t at = events_[0].after;
    size_t alternative = 0;
    while (events_[0].after != 0) {
      if (at != 0 && events_[at].is_call) {
        if (Linearize(at, alternative)) {
          at = events_[0].after;
        } else {
          at = events_[at].after;
        }
        alternative = 0;
        if (entered_ > configurations_max_) return Verdict::Kind::kUndecided;
        continue;
      }
      // An answer: whatever could come before it has been tried.
      if (path_.empty()) return Verdict::Kind::kViolation;
      at = path_.back().event;
      alternative = path_.back().alternative + 1;
      TakeBack();
    }
    return Verdict::Kind::kLinearizable;
  }

  uint64_t entered() const { return entered_; }

  std::string Explain() const {
    std::string text = fmt::format("{} of {} operations can be put in an order:\n", longest_.size(), steps_.size());
    std::vector<bool> placed(steps_.size());
    for (const size_t operation : longest_) {
      placed[operation] = true;
      text += "    " + ToText(*operations_[operation]) + "\n";
    }
    text += "  and none of these fits behind them:\n";
    for (const Event& event : events_) {
      if (event.is_call && !placed[event.operation]) text += "    " + ToText(*operations_[event.operation]) + "\n";
    }
    return text;
  }

 private:
  struct Placed {
    size_t event = 0;
    size_t alternative = 0;
    State before;
  };

  Word ToWord(const std::string& text) {
    if (text.empty()) return 0;
    return words_.try_emplace(text, static_cast<Word>(words_.size() + 1)).first->second;
  }

  void ListEvents() {
    events_.emplace_back();
    for (size_t at = 0; at < operations_.size(); ++at) {
      events_.push_back({at, true, operations_[at]->invoked});
      events_.push_back({at, false, operations_[at]->responded});
    }
    // At the same instant calls come first: what touches may overlap, and a tie must not become a false alarm.
    std::sort(events_.begin() + 1, events_.end(), [](const Event& a, const Event& b) {
      return std::tuple(a.at, !a.is_call, a.operation) < std::tuple(b.at, !b.is_call, b.operation);
    });
    std::vector<size_t> answers(operations_.size());
    for (size_t at = 0; at < events_.size(); ++at) {
      events_[at].before = at == 0 ? events_.size() - 1 : at - 1;
      events_[at].after = at + 1 == events_.size() ? 0 : at + 1;
      if (at != 0 && !events_[at].is_call) answers[events_[at].operation] = at;
    }
    for (size_t at = 1; at < events_.size(); ++at) {
      if (events_[at].is_call) events_[at].answer = answers[events_[at].operation];
    }
  }

  // Puts the operation next in the order, if one of its alternatives from `alternative` on leads somewhere new.
  bool Linearize(size_t event, size_t alternative) {
    const size_t operation = events_[event].operation;
    Apply(here_.state, steps_[operation], next_);
    uint64_t& word = here_.linearized[operation / 64];
    const uint64_t bit = uint64_t{1} << (operation % 64);
    const State before = here_.state;
    word |= bit;
    for (; alternative < next_.size(); ++alternative) {
      here_.state = next_[alternative];
      if (!seen_.insert(here_).second) continue;
      ++entered_;
      path_.push_back({event, alternative, before});
      TakeOut(event);
      TakeOut(events_[event].answer);
      if (path_.size() > longest_.size()) {
        longest_.clear();
        for (const Placed& placed : path_) longest_.push_back(events_[placed.event].operation);
      }
      return true;
    }
    word &= ~bit;
    here_.state = before;
    return false;
  }

  void TakeBack() {
    const Placed& last = path_.back();
    const size_t operation = events_[last.event].operation;
    here_.state = last.before;
    here_.linearized[operation / 64] &= ~(uint64_t{1} << (operation % 64));
    // In the reverse order of taking out, or the list would be knotted.
    PutBack(events_[last.event].answer);
    PutBack(last.event);
    path_.pop_back();
  }

  void TakeOut(size_t at) {
    events_[events_[at].before].after = events_[at].after;
    events_[events_[at].after].before = events_[at].before;
  }
  void PutBack(size_t at) {
    events_[events_[at].before].after = at;
    events_[events_[at].after].before = at;
  }

  const std::span<const Operation* const> operations_;
  const uint64_t configurations_max_;
  std::unordered_map<std::string, Word> words_;
  std::vector<Step> steps_;
  std::vector<Event> events_;
  Configuration here_;
  std::vector<Placed> path_;
  std::vector<State> next_;
  std::unordered_set<Configuration, ConfigurationHash> seen_;
  std::vector<size_t> longest_;
  uint64_t entered_ = 0;
};

}  // namespace

Verdict Check(std::span<const Operation> history, uint64_t configurations_max) {
  std::map<std::string, std::vector<const Operation*>> by_key;
  for (const Operation& operation : history) by_key[operation.key].push_back(&operation);
  Verdict verdict;
  for (const auto& [key, operations] : by_key) {
    Search search(operations, configurations_max);
    const Verdict::Kind kind = search.Run();
    verdict.configurations += search.entered();
    if (kind == Verdict::Kind::kLinearizable) continue;
    // A violation says more than a search that was given up.
    if (verdict.kind == Verdict::Kind::kViolation && kind == Verdict::Kind::kUndecided) continue;
    verdict.kind = kind;
    verdict.key = key;
    verdict.explanation = search.Explain();
    if (kind == Verdict::Kind::kViolation) return verdict;
  }
  return verdict;
}

}  // namespace muster::linearizability
