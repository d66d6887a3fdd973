// The exit codes of `muster`: documented, and never given another meaning.
#pragma once

#include "absl/status/status.h"

#include "muster/values.h"

namespace muster::cli {

// X(name, code, what it means)
#define MUSTER_EXIT_CODES(X)                                                                                   \
  X(kOk, 0, "everything asked for was done; jobs that were waited for succeeded")                              \
  X(kJobFailed, 1, "a job failed; a store is damaged, or what was asked of it failed; a server takes no work") \
  X(kUsage, 2, "the command line or an input is wrong, or the server refused a field")                         \
  X(kCancelled, 3, "a job was cancelled")                                                                      \
  X(kTimedOut, 4, "time ran out before the answer came; the jobs go on")                                       \
  X(kNotFound, 5, "no such future or function, or the future has expired")                                     \
  X(kRefused, 6, "the server refused: a limit, a precondition, a permission")                                  \
  X(kUnavailable, 7, "no server answers")                                                                      \
  X(kInternal, 8, "anything else")                                                                             \
  X(kInterrupted, 130, "Ctrl-C; the jobs go on")

enum ExitCode : int {
#define MUSTER_EXIT_CODE(name, code, text) name = code,
  MUSTER_EXIT_CODES(MUSTER_EXIT_CODE)
#undef MUSTER_EXIT_CODE
};

// Of an RPC that was refused or failed.
ExitCode CodeOf(const absl::Status& status);
// Of one future's end.
ExitCode CodeOf(v1::FutureState state);
// Of several: a failure outweighs a cancellation, which outweighs success.
ExitCode Worse(ExitCode a, ExitCode b);

}  // namespace muster::cli
