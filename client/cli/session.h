// Session: what every verb has at hand: the global options, the terminals, the client, ways to print and to fail.
//
// Threading: main thread, except where members say otherwise. Lifetime: one a process.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/render.h"
#include "client/cli/terminal.h"
#include "muster/client.h"

namespace muster::cli {

enum class Format { kTable, kJson, kJsonLines };

struct Globals {
  std::string server = "localhost:7411";
  std::string name_space;
  Format format = Format::kTable;
  bool format_given = false;
  std::optional<base::Duration> timeout;
  bool tls = false;
  client::TlsOptions tls_files;
  bool quiet = false;
};

// Of RPCs where --timeout means something else.
inline constexpr base::Duration kRpcDeadline = std::chrono::seconds(30);

class Session {
 public:
  Session();

  Globals globals;
  const Terminal out;
  const Terminal err;
  Interrupt interrupt;

  // Connects with the first RPC. `rpc_deadline` bounds each RPC that is no wait; default --timeout, or else 30 s.
  absl::StatusOr<client::Client> Connect(std::optional<base::Duration> rpc_deadline = {});

  // Writes to stdout, as is. When nobody reads it any more, the process ends.
  void Print(const std::string& text);
  // One document: indented with -o json, a line with -o jsonl.
  void PrintJson(const Json& json);
  bool table() const { return globals.format == Format::kTable; }

  // Says on stderr what went wrong and what to do; gives the exit code. `what` is what was attempted.
  ExitCode Fail(const std::string& what, const absl::Status& status);
  ExitCode Usage(const std::string& message, const std::string& hint);
  // What is no RPC's refusal.
  ExitCode Failed(ExitCode code, const std::string& message, const std::string& hint);
  // A remark on stderr, unless the user asked for quiet.
  void Note(const std::string& text);
  // After Ctrl-C: what goes on, and how to take it up again.
  ExitCode Interrupted(const std::string& what, const std::string& hint);

 private:
  void PrintError(const std::string& message, const std::string& reason, const std::string& hint);
  std::string HintFor(const absl::Status& status);
  std::string NearestFunctions(const absl::Status& status);

  std::optional<client::Client> client_;
};

// What a verb does once the command line is read.
using Verb = std::function<ExitCode(Session&)>;

// "take it up again with: muster wait --namespace n A B C"; ids beyond ten become "...".
std::string AgainHint(const Globals& globals, const std::string& verb, const std::vector<std::string>& ids);

}  // namespace muster::cli
