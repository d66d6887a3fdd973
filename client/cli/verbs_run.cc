// run: a job for each line of stdin, over one stream, and the results as they complete.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/cli/duration.h"
#include "client/cli/job_options.h"
#include "client/cli/verbs.h"
#include "service/base/status.h"

namespace muster::cli {
namespace {

struct RunFlags {
  std::string function;
  bool text = false;
  bool ordered = false;
  bool values = false;
  bool cancel_on_disconnect = false;
  std::size_t window = 64;
  std::string session;
  JobFlags job;
};

// Lines of stdin, until its end or until `wake` becomes readable.
class LineReader {
 public:
  LineReader(int first_wake, int second_wake) : first_wake_(first_wake), second_wake_(second_wake) {}

  bool Next(std::string& line) {
    while (true) {
      const std::size_t end = buffer_.find('\n', scanned_);
      if (end != std::string::npos) {
        line.assign(buffer_, begin_, end - begin_);
        begin_ = scanned_ = end + 1;
        return true;
      }
      scanned_ = buffer_.size();
      if (!Fill()) break;
    }
    if (begin_ == buffer_.size()) return false;
    line.assign(buffer_, begin_);
    begin_ = scanned_ = buffer_.size();
    return true;
  }

 private:
  bool Fill() {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    while (!ended_) {
      pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {first_wake_, POLLIN, 0}, {second_wake_, POLLIN, 0}};
      if (poll(fds, 3, -1) < 0) continue;
      if (fds[1].revents != 0 || fds[2].revents != 0) {
        buffer_.clear();
        scanned_ = 0;
        ended_ = true;
        break;
      }
      char chunk[1 << 16];
      const ssize_t got = read(STDIN_FILENO, chunk, sizeof(chunk));
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) {
        ended_ = true;
        break;
      }
      buffer_.append(chunk, static_cast<std::size_t>(got));
      return true;
    }
    return false;
  }

  const int first_wake_;
  const int second_wake_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  bool ended_ = false;
};

absl::Status SetOption(client::JobOptions& options, const std::string& name, const Json& value) {
  const auto text = [&](std::string& target) -> absl::Status {
    if (!value.is_string()) return absl::InvalidArgumentError(fmt::format("'{}' takes a text", name));
    target = value.get<std::string>();
    return absl::OkStatus();
  };
  const auto duration = [&](std::optional<base::Duration>& target) -> absl::Status {
    std::string word;
    MUSTER_RETURN_IF_ERROR(text(word));
    MUSTER_ASSIGN_OR_RETURN(target, ParseDuration(word));
    return absl::OkStatus();
  };
  const auto map = [&](std::map<std::string, std::string>& target) -> absl::Status {
    if (!value.is_object()) return absl::InvalidArgumentError(fmt::format("'{}' takes an object of texts", name));
    for (const auto& [key, one] : value.items()) {
      if (!one.is_string()) return absl::InvalidArgumentError(fmt::format("'{}.{}' takes a text", name, key));
      target[key] = one.get<std::string>();
    }
    return absl::OkStatus();
  };
  if (name == "name") return text(options.name);
  if (name == "group") return text(options.group);
  if (name == "labels") return map(options.labels);
  if (name == "metadata") return map(options.metadata);
  if (name == "delay") return duration(options.delay);
  if (name == "queue_timeout") return duration(options.queue_timeout);
  if (name == "run_timeout") return duration(options.run_timeout);
  if (name == "retention") return duration(options.retention);
  return absl::InvalidArgumentError(
      fmt::format("unknown key '{}'; a line has function, input, name, group, labels, metadata, delay, queue_timeout, "
                  "run_timeout, retention",
                  name));
}

// {"function": ..., "input": ..., options...}
absl::StatusOr<client::FutureSpec> SpecOfLine(const std::string& line, const client::JobOptions& defaults) {
  MUSTER_ASSIGN_OR_RETURN(const Json json, ParseJson(line));
  if (!json.is_object() || !json.contains("function") || !json["function"].is_string()) {
    return absl::InvalidArgumentError(R"(without FUNCTION each line is {"function": NAME, "input": JSON})");
  }
  client::JobOptions options = defaults;
  client::Payload input;
  for (const auto& [name, value] : json.items()) {
    if (name == "function") continue;
    if (name == "input") {
      input = ToPayload(value);
      continue;
    }
    MUSTER_RETURN_IF_ERROR(SetOption(options, name, value));
  }
  return client::CallOf(json["function"].get<std::string>(), std::move(input), options);
}

absl::StatusOr<client::FutureSpec> ToSpec(const RunFlags& flags, const client::JobOptions& options,
                                          const std::string& line) {
  if (flags.function.empty()) return SpecOfLine(line, options);
  if (flags.text) return client::CallOf(flags.function, client::FromText(line), options);
  MUSTER_ASSIGN_OR_RETURN(const Json json, ParseJson(line));
  return client::CallOf(flags.function, ToPayload(json), options);
}

// Submits line after line on a thread of its own, as far ahead as the window lets it.
class Feeder {
 public:
  Feeder(client::RunRange& run, const RunFlags& flags, const client::JobOptions& options, int interrupt_fd)
      : run_(run), flags_(flags), options_(options), interrupt_fd_(interrupt_fd), stop_fd_(eventfd(0, EFD_CLOEXEC)) {
    thread_ = base::Thread("muster-feeder", [this] { Feed(); });
  }
  ~Feeder() {
    const std::uint64_t one = 1;
    if (write(stop_fd_, &one, sizeof(one)) < 0) _exit(kInternal);
    thread_.Join();
    close(stop_fd_);
  }

  std::size_t submitted() const { return submitted_.load(std::memory_order_relaxed); }
  bool at_end() const { return at_end_.load(std::memory_order_relaxed); }
  // What ended it, once the run is over: a line that is no input.
  absl::Status status() {
    base::MutexLock lock(mutex_);
    return status_;
  }
  // The number of the line that `tag` came from.
  std::size_t LineOf(std::uint64_t tag) {
    base::MutexLock lock(mutex_);
    const auto found = lines_.find(tag);
    if (found == lines_.end()) return 0;
    const std::size_t line = found->second;
    lines_.erase(found);
    return line;
  }

 private:
  void Feed() {
    LineReader reader(interrupt_fd_, stop_fd_);
    std::string line;
    std::size_t number = 0;
    while (reader.Next(line)) {
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos && !flags_.text) continue;
      auto spec = ToSpec(flags_, options_, line);
      absl::Status failed = spec.status();
      if (failed.ok()) {
        // The tag is the count of submits: noted first, as the result may come before Submit returns.
        {
          base::MutexLock lock(mutex_);
          lines_[submitted()] = number;
        }
        if (!run_.Submit(*std::move(spec)).ok()) break;  // Next says why
        submitted_.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      base::MutexLock lock(mutex_);
      status_ = absl::InvalidArgumentError(fmt::format("line {}: {}", number, std::string(failed.message())));
      break;
    }
    at_end_.store(true, std::memory_order_relaxed);
    run_.CloseSend();
  }

  client::RunRange& run_;
  const RunFlags& flags_;
  const client::JobOptions& options_;
  const int interrupt_fd_;
  const int stop_fd_;
  std::atomic<std::size_t> submitted_{0};  // stored by the feeder, loaded for the display
  std::atomic<bool> at_end_{false};        // likewise
  base::Mutex mutex_;
  std::map<std::uint64_t, std::size_t> lines_ MUSTER_GUARDED_BY(mutex_);
  absl::Status status_ MUSTER_GUARDED_BY(mutex_);
  base::Thread thread_;
};

// Prints results, in order of their lines if asked to.
class Printer {
 public:
  Printer(Session& session, const RunFlags& flags) : session_(session), flags_(flags) {}

  void Add(std::size_t line, client::RunResult result) {
    code_ =
        Worse(code_, result.completion.ok() ? CodeOf(result.completion->state()) : CodeOf(result.completion.status()));
    if (!flags_.ordered) return Show(line, result.completion);
    early_.emplace(result.tag, std::make_pair(line, std::move(result.completion)));
    for (auto next = early_.find(next_); next != early_.end(); next = early_.find(++next_)) {
      Show(next->second.first, next->second.second);
      early_.erase(next);
    }
  }
  void End() {
    // What waited for a line that will never be answered.
    for (const auto& [tag, result] : early_) Show(result.first, result.second);
    if (session_.globals.format == Format::kJson && session_.globals.format_given) session_.PrintJson(all_);
  }
  ExitCode code() const { return code_; }

 private:
  using Result = absl::StatusOr<client::Completion>;

  void Show(std::size_t line, const Result& result) {
    if (flags_.values) return ShowValue(line, result);
    if (session_.globals.format_given && session_.table()) return ShowRow(line, result);
    Json json;
    json["line"] = line;
    if (result.ok()) {
      json.update(ToJson(*result));
    } else {
      json["state"] = "rejected";
      json["error"] = ToJson(result.status());
    }
    if (session_.globals.format == Format::kJson) {
      all_.push_back(std::move(json));
    } else {
      session_.Print(Dump(json) + "\n");
    }
  }

  void ShowValue(std::size_t line, const Result& result) {
    const std::string what = fmt::format("line {}", line);
    if (!result.ok()) {
      session_.Fail(what + " was rejected", result.status());
    } else if (result->outcome().has_value()) {
      session_.Print(Dump(ToJson(result->outcome().value())) + "\n");
    } else {
      PrintOutcome(session_, what, result->outcome(), false);
    }
  }

  void ShowRow(std::size_t line, const Result& result) {
    const std::string state = result.ok() ? NameOf(result->state()) : "rejected";
    const Colour colour = result.ok() ? ColourOf(result->state()) : Colour::kRed;
    std::string brief = Visible(result.ok() ? Brief(result->outcome(), result->outcome_omitted())
                                            : std::string(result.status().message()));
    if (session_.out.width > 24) brief = Cut(brief, session_.out.width - 20);
    session_.Print(fmt::format("{:>6}  {}{} {}\n", line, Paint(session_.out, colour, state),
                               std::string(10 - std::min<std::size_t>(10, state.size()), ' '), brief));
  }

  Session& session_;
  const RunFlags& flags_;
  ExitCode code_ = kOk;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::pair<std::size_t, Result>> early_;
  Json all_ = Json::array();
};

ExitCode Run(Session& session, const RunFlags& flags) {
  auto options = ToJobOptions(flags.job);
  if (!options.ok()) return session.Usage(std::string(options.status().message()), "muster run --help");
  options->cancel_on_disconnect = flags.cancel_on_disconnect;
  const auto client = session.Connect(kRpcDeadline);
  if (!client.ok()) return session.Usage(std::string(client.status().message()), {});
  client::RunOptions run_options;
  run_options.window = std::max<std::size_t>(1, flags.window);
  run_options.session = flags.session.empty() ? client::NewRequestId() : flags.session;
  client::RunRange run = client->Run(run_options);
  Progress progress(session.err, !session.globals.quiet && (!isatty(STDIN_FILENO) || !session.out.tty), "running");
  Printer printer(session, flags);
  std::size_t done = 0;
  absl::Status bad_line;
  {
    Feeder feeder(run, flags, *options, session.interrupt.event_fd());
    while (auto result = run.Next()) {
      ++done;
      const std::size_t line = feeder.LineOf(result->tag);
      progress.Hidden([&] { printer.Add(line, *std::move(result)); });
      const std::size_t submitted = std::max(done, feeder.submitted());
      progress.Set(done, submitted, feeder.at_end() ? "" : "reading");
    }
    bad_line = feeder.status();
  }
  ExitCode code = printer.code();
  progress.Hidden([&] {
    printer.End();
    if (session.interrupt.raised()) {
      code = session.Interrupted(
          fmt::format("{} answered; what was submitted and not answered goes on", done),
          fmt::format("take it up again with the same input and muster run --session {}", run_options.session));
    } else if (!run.status().ok()) {
      code = session.Fail("cannot run", run.status());
    } else if (!bad_line.ok()) {
      code = session.Usage(std::string(bad_line.message()), "the lines before it have run; muster run --help");
    }
  });
  return code;
}

}  // namespace

void AddRunVerb(CLI::App& app, Verb& chosen) {
  auto* run = app.add_subcommand("run", "Run a job for each line of stdin and print the results as they complete");
  auto flags = std::make_shared<RunFlags>();
  run->add_option("FUNCTION", flags->function,
                  "Call this on each line, a JSON text; without it each line is {\"function\": NAME, \"input\": JSON}");
  run->add_flag("--text", flags->text, "With FUNCTION: lines are text, not JSON");
  run->add_flag("--ordered", flags->ordered, "Print in the order of the lines");
  run->add_flag("--values", flags->values, "Print plain values on stdout, errors on stderr");
  run->add_option("--window", flags->window, "At most so many jobs in flight; default 64")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  run->add_option("--session", flags->session, "Run again with the same session, the same lines are the same jobs")
      ->type_name("NAME");
  run->add_flag("--cancel-on-disconnect", flags->cancel_on_disconnect, "Cancel what runs if this command goes away");
  AddJobFlags(*run, flags->job);
  run->callback([flags, &chosen] { chosen = [flags](Session& session) { return Run(session, *flags); }; });
}

}  // namespace muster::cli
