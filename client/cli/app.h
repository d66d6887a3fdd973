// The command line of `muster`, from arguments to exit code.
#pragma once

namespace muster::cli {

// Never throws.
int Main(int argc, char** argv);

}  // namespace muster::cli
