// `muster admin` on the folder of a store, with no server asked: verify, stats, compact, restore.
//
// They read and write files and don't look up until they are done; Ctrl-C ends the process, which leaves a store that
// opens again, and after restore one that restore goes on with.
#pragma once

#include <string>

#include "client/cli/session.h"

namespace muster::cli {

// Every byte of every file, every row, and what rows say of each other. Works beside a running server.
ExitCode VerifyStore(Session& session, const std::string& folder);
// What is in it. Works beside a running server.
ExitCode ShowStore(Session& session, const std::string& folder);
// Refuses a folder that a server has open.
ExitCode CompactStore(Session& session, const std::string& folder);
// Refuses a folder with anything in it, but for an earlier restore that was interrupted.
ExitCode RestoreStore(Session& session, const std::string& backup, const std::string& folder);

// "1.5 MiB".
std::string BytesOf(uint64_t bytes);

}  // namespace muster::cli
