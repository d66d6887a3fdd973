// musterd as a library: a program of your own, with functions of your own.
//
//   #include "muster/main.h"
//
//   int main(int argc, char** argv) {
//     return muster::app::Main(argc, argv, [](muster::jobs::Registry& registry) {
//       return registry.AddBlocking("greet", "Greets whoever is named.", muster::values::Payload::Text("World"),
//       &Greet);
//     });
//   }
//
// It takes the same options as musterd, and has the built-in functions too.
#pragma once

#include <functional>

#include "absl/status/status.h"

#include "service/jobs/registry.h"

namespace muster::app {

using AddFunctions = std::function<absl::Status(jobs::Registry&)>;

// The whole program: reads options, runs the server until SIGTERM or SIGINT and a drain, gives the exit status (see
// `musterd --help`). Call it from main before any thread is made. `add` is called once, after the built-in functions
// were added; when it fails the server does not start.
int Main(int argc, const char* const* argv, const AddFunctions& add = nullptr);

}  // namespace muster::app
