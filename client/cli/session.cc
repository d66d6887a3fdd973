#include "client/cli/session.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "service/base/nearest.h"

namespace muster::cli {
namespace {

// The word between the first pair of quotes of a message.
std::string Quoted(std::string_view message) {
  for (const char quote : {'\'', '"'}) {
    const std::size_t begin = message.find(quote);
    if (begin == std::string_view::npos) continue;
    const std::size_t end = message.find(quote, begin + 1);
    if (end != std::string_view::npos) return std::string(message.substr(begin + 1, end - begin - 1));
  }
  return {};
}

}  // namespace

Session::Session() : out(Terminal::Of(STDOUT_FILENO)), err(Terminal::Of(STDERR_FILENO)) {}

absl::StatusOr<client::Client> Session::Connect(std::optional<base::Duration> rpc_deadline) {
  if (client_) return *client_;
  client::Options options;
  options.name_space = globals.name_space;
  if (globals.tls) options.tls = globals.tls_files;
  if (!rpc_deadline && globals.timeout) rpc_deadline = globals.timeout;
  if (rpc_deadline) options.deadline = std::max<base::Duration>(*rpc_deadline, std::chrono::milliseconds(1));
  options.retry.attempts_max = 4;  // under a second in all, when nobody is there
  auto client = client::Client::Connect(globals.server, options);
  if (!client.ok()) return client;
  client_ = *client;
  interrupt.OnRaise([copy = *client] { copy.Interrupt(); });
  return client;
}

void Session::Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) _exit(kInternal);
}

void Session::PrintJson(const Json& json) {
  Print((globals.format == Format::kJson ? DumpPretty(json) : Dump(json)) + "\n");
}

void Session::PrintError(const std::string& message, const std::string& reason, const std::string& hint) {
  std::string text = Paint(err, Colour::kRed, "muster:") + " " + Visible(message, /*lines=*/true);
  if (!reason.empty()) text += " (" + reason + ")";
  text += "\n";
  if (!hint.empty()) text += "  " + Paint(err, Colour::kBold, "hint:") + " " + hint + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

ExitCode Session::Usage(const std::string& message, const std::string& hint) {
  PrintError(message, {}, hint);
  return kUsage;
}

ExitCode Session::Failed(ExitCode code, const std::string& message, const std::string& hint) {
  PrintError(message, {}, hint);
  return code;
}

void Session::Note(const std::string& text) {
  if (globals.quiet) return;
  const std::string line = Visible(text, /*lines=*/true) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

ExitCode Session::Interrupted(const std::string& what, const std::string& hint) {
  PrintError("interrupted; " + what, {}, hint);
  return kInterrupted;
}

ExitCode Session::Fail(const std::string& what, const absl::Status& status) {
  if (interrupt.raised()) return Interrupted("nothing was cancelled", {});
  const ExitCode code = CodeOf(status);
  std::string reason = client::ReasonName(status);
  if (reason.empty()) reason = absl::StatusCodeToString(status.code());
  std::string message = what;
  if (code == kUnavailable && client::ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) {
    message += fmt::format(": no server answers at {}: {}", globals.server, std::string(status.message()));
  } else if (!status.message().empty()) {
    message += ": " + std::string(status.message());
  }
  PrintError(message, reason, HintFor(status));
  return code;
}

std::string Session::HintFor(const absl::Status& status) {
  const std::string message(status.message());
  switch (client::ReasonOf(status)) {
    case v1::ERROR_REASON_UNKNOWN_FUNCTION:
      return NearestFunctions(status);
    case v1::ERROR_REASON_FUTURE_NOT_FOUND:
      return fmt::format("ids belong to one namespace, this is '{}'; `muster ls` shows what is there",
                         globals.name_space.empty() ? "default" : globals.name_space);
    case v1::ERROR_REASON_FUTURE_EXPIRED:
      return "results are kept for their --retention, an hour by default; submit it again with a longer one";
    case v1::ERROR_REASON_FUTURE_LOST:
      return "an earlier run of the server had not recorded it; submit it again";
    case v1::ERROR_REASON_INVALID_ID:
      return "an id is what `muster submit` prints; `muster ls` shows those of this namespace";
    case v1::ERROR_REASON_REQUEST_ID_REUSED:
      return "give another --request-id, or exactly the spec that it was first used with";
    case v1::ERROR_REASON_NOT_A_PROMISE:
      return "only what `muster promise create` made can be settled; a job ends by itself or by `muster cancel`";
    case v1::ERROR_REASON_ALREADY_DONE:
      return "its outcome is final; `muster get` shows it";
    case v1::ERROR_REASON_NOT_DONE:
      return "wait for it, or end it with `muster cancel`";
    case v1::ERROR_REASON_DURABILITY_UNAVAILABLE:
      return "`muster info` shows the durability in force; ask for less with --durability";
    case v1::ERROR_REASON_DRAINING:
      return "the server is shutting down; try again when it is back";
    case v1::ERROR_REASON_RECOVERING:
      return "it has just started; try again in a moment";
    case v1::ERROR_REASON_STORE_FAILED:
      return "its operator has to mend the disk and start it again; its log says what is wrong";
    case v1::ERROR_REASON_STORE_FULL:
      return "make room with `muster rm`, or ask its operator for a larger disk";
    case v1::ERROR_REASON_TOO_MANY_FUTURES:
    case v1::ERROR_REASON_QUEUE_FULL:
      return "try again when some jobs have ended; `muster info` shows the limits";
    case v1::ERROR_REASON_TOO_MANY_BYTES:
      return "make room with `muster rm`, or give results a shorter --retention";
    case v1::ERROR_REASON_PAYLOAD_TOO_LARGE:
    case v1::ERROR_REASON_SET_TOO_LARGE:
      return "`muster info` shows the limits";
    default:
      break;
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      for (const char* sign : {"andshake", "SSL", "Socket closed", "reset by peer"}) {
        if (message.find(sign) == std::string::npos) continue;
        return "something listens there and hangs up: perhaps it wants TLS (or none): check --tls, --ca, --cert, --key";
      }
      if (globals.tls) return "is musterd running there, with TLS? --server or MUSTER_SERVER names another";
      return "start one with `musterd`, or name another with --server or MUSTER_SERVER (with --tls if it wants TLS)";
    case absl::StatusCode::kDeadlineExceeded:
      return "the jobs go on; give more time with --timeout";
    case absl::StatusCode::kUnimplemented:
      return "this is no Muster server, or an older one; `muster info` shows its version";
    default:
      return {};
  }
}

std::string Session::NearestFunctions(const absl::Status& status) {
  const std::string all = "`muster functions` shows what can be called";
  const std::string wanted = Quoted(std::string(status.message()));
  if (!client_ || wanted.empty()) return all;
  const auto functions = client_->ListFunctions();
  if (!functions.ok()) return all;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const auto& function : *functions) {
    const std::size_t distance = base::EditDistance(wanted, function.name());
    const bool part = function.name().find(wanted) != std::string::npos;
    if (part || distance <= std::max<std::size_t>(2, wanted.size() / 3)) near.emplace_back(distance, function.name());
  }
  if (near.empty()) return all;
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  std::vector<std::string> names;
  for (const auto& [distance, name] : near) names.push_back(name);
  return fmt::format("did you mean {}? {}", fmt::join(names, " or "), all);
}

std::string AgainHint(const Globals& globals, const std::string& verb, const std::vector<std::string>& ids) {
  constexpr std::size_t kShown = 10;
  std::string command = "take it up again with: muster " + verb;
  if (globals.server != Globals().server) command += " --server " + globals.server;
  if (!globals.name_space.empty()) command += " --namespace " + globals.name_space;
  for (std::size_t i = 0; i < ids.size() && i < kShown; ++i) command += " " + ids[i];
  if (ids.size() > kShown) command += fmt::format(" ... ({} ids)", ids.size());
  return command;
}

}  // namespace muster::cli
