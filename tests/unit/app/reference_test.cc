// The reference pages that are made from tables in the code. With MUSTER_UPDATE_DOCS=1 in the environment they are
// written instead of compared.
#include "service/functions/reference.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "service/app/settings/config.h"
#include "service/app/settings/families.h"
#include "service/metrics/registry.h"

namespace {

void ExpectPage(const std::string& name, const std::string& wanted) {
  const std::string path = std::string(MUSTER_SOURCE_DIR) + "/docs/reference/" + name;
  if (std::getenv("MUSTER_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << wanted;
    return;
  }
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), wanted) << path << " is out of date: MUSTER_UPDATE_DOCS=1 ctest -R reference_test";
}

TEST(Reference, TheMetricsPageIsWhatTheTableSays) { ExpectPage("metrics.md", muster::metrics::ReferenceMarkdown()); }

TEST(Reference, TheConfigurationPageIsWhatTheTableSays) {
  ExpectPage("configuration.md", muster::app::ConfigReferenceMarkdown());
}

TEST(Reference, TheFunctionsPageIsWhatTheFunctionsSay) {
  ExpectPage("functions.md", muster::functions::ReferenceMarkdown(muster::app::AllFamilies()));
}

TEST(Reference, TheFunctionsPageHasEveryFunction) {
  const std::string page = muster::functions::ReferenceMarkdown(muster::app::AllFamilies());
  for (const char* name :
       {"echo", "sleep", "fail", "checksum", "file.read", "file.write", "file.list", "http.request", "test.program"}) {
    EXPECT_NE(page.find("\n## " + std::string(name) + "\n"), std::string::npos) << name;
  }
}

}  // namespace
