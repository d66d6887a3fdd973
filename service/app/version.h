// What this program is built from.
#pragma once

#include <string>

namespace muster::app {

std::string Version();      // "0.1.0"
std::string Revision();     // the commit, as of when the build was configured; "unknown" outside git
std::string GrpcVersion();  // of the library that runs
std::string VersionText();  // all of it, for people

}  // namespace muster::app
