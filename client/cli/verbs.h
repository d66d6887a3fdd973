// The verbs of `muster`, one group a file. Each function adds its verbs to the command line; the chosen one leaves in
// `chosen` what is to be done.
#pragma once

#include "client/cli/session.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace muster::cli {

void AddSubmitVerbs(CLI::App& app, Verb& chosen);   // submit, call
void AddRunVerb(CLI::App& app, Verb& chosen);       // run
void AddWaitVerbs(CLI::App& app, Verb& chosen);     // wait, gather, watch
void AddInspectVerbs(CLI::App& app, Verb& chosen);  // get, ls, cancel, rm
void AddPromiseVerbs(CLI::App& app, Verb& chosen);  // promise create, set, fail
void AddServerVerbs(CLI::App& app, Verb& chosen);   // functions, info
void AddAdminVerbs(CLI::App& app, Verb& chosen);    // admin ...
void AddCompletionVerb(CLI::App& app, Verb& chosen);

// Prints a value as `call` and `get --value` do. `raw`: the bytes and nothing else.
ExitCode PrintValue(Session& session, const client::Payload& value, bool raw);
// A job's end: its value on stdout, or its error on stderr.
ExitCode PrintOutcome(Session& session, const std::string& what, const client::Outcome& outcome, bool raw);

// Names of every option and verb as shell completion scripts, and the whole help as Markdown.
std::string HelpMarkdown(const CLI::App& app);
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace muster::cli
