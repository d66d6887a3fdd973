#include "service/base/check.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace muster::base::detail {

CheckFailure::CheckFailure(const char* file, int line, const char* expression) {
  text_ << file << ":" << line << ": check failed: " << expression << " ";
}

CheckFailure::~CheckFailure() {
  const std::string text = text_.str() + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  std::abort();
}

}  // namespace muster::base::detail
