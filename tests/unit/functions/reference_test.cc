#include "service/functions/reference.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace muster::functions {
namespace {

// MUSTER_WRITE_PAGES=1 brings the page up to date instead.
TEST(Reference, ThePageIsWhatTheFunctionsSay) {
  if (std::getenv("MUSTER_WRITE_PAGES") != nullptr) std::ofstream(MUSTER_FUNCTIONS_PAGE) << ReferenceMarkdown();
  std::ifstream stream(MUSTER_FUNCTIONS_PAGE);
  const std::string page(std::istreambuf_iterator<char>(stream), {});
  EXPECT_EQ(page, ReferenceMarkdown())
      << "docs/reference/functions.md is out of date: run this test with MUSTER_WRITE_PAGES=1, or write what "
         "`musterd --print-reference=functions` prints";
}

TEST(Reference, HasEveryFunction) {
  const std::string page = ReferenceMarkdown();
  for (const char* name :
       {"echo", "sleep", "fail", "checksum", "file.read", "file.write", "file.list", "http.request", "test.program"}) {
    EXPECT_NE(page.find("\n## " + std::string(name) + "\n"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace muster::functions
