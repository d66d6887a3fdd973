#include "service/values/limits.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace muster::values {
namespace {

// Clients read what a server allows: what a limit is called and how it is counted is for them.
TEST(Limits, EachIsWithinItsBoundsAndSaysWhatItIs) {
  const Limits presets;
  std::set<std::string> names;
#define MUSTER_LOOK_AT(name, kind, preset, least, most, title, help, note) \
  EXPECT_LE(kLeastLimits.name, presets.name) << #name;                     \
  EXPECT_LE(presets.name, kMostLimits.name) << #name;                      \
  EXPECT_TRUE(names.insert(title).second) << #name;                        \
  EXPECT_TRUE(std::string(help).ends_with(".")) << #name;                  \
  EXPECT_EQ(std::string(#name).find("bytes") != std::string::npos, std::string(#kind) == "Bytes") << #name;
  MUSTER_LIMITS(MUSTER_LOOK_AT)
#undef MUSTER_LOOK_AT
}

}  // namespace
}  // namespace muster::values
