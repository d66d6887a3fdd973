#include "service/base/failpoint.h"

#include <csignal>

#include <gtest/gtest.h>

namespace muster::base {
namespace {

class FailpointTest : public testing::Test {
 protected:
  FailpointTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  ~FailpointTest() override { (void)ArmFailpoints(""); }
};

TEST_F(FailpointTest, NothingHappensUnlessArmed) {
  EXPECT_FALSE(FailpointFails("a.b"));
  ASSERT_TRUE(ArmFailpoints("other.place:fail:1").ok());
  EXPECT_FALSE(FailpointFails("a.b"));
  EXPECT_FALSE(FailpointFails("other.plac"));
  Failpoint("a.b");
}

TEST_F(FailpointTest, FailsFromTheCountedTimeOn) {
  ASSERT_TRUE(ArmFailpoints("a.b:fail:3,c.d:fail:1").ok());
  EXPECT_FALSE(FailpointFails("a.b"));
  EXPECT_TRUE(FailpointFails("c.d"));
  EXPECT_FALSE(FailpointFails("a.b"));
  EXPECT_TRUE(FailpointFails("a.b"));
  EXPECT_TRUE(FailpointFails("a.b"));
}

TEST_F(FailpointTest, ArmingReplacesWhatWasArmed) {
  ASSERT_TRUE(ArmFailpoints("a.b:fail:1").ok());
  ASSERT_TRUE(ArmFailpoints("c.d:fail:1").ok());
  EXPECT_FALSE(FailpointFails("a.b"));
  ASSERT_TRUE(ArmFailpoints("").ok());
  EXPECT_FALSE(FailpointFails("c.d"));
}

TEST_F(FailpointTest, SaysWhatIsWrongWithTheText) {
  ASSERT_TRUE(ArmFailpoints("a.b:fail:1").ok());
  for (const char* text :
       {"a", "a:fail", ":fail:1", "a:fail:0", "a:fail:-1", "a:fail:1x", "a:fail:", "a:burn:1", ",", "a:fail:1,b"}) {
    const absl::Status status = ArmFailpoints(text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find("commit.sealed:kill:3"), std::string::npos)
        << "no example: " << status;
  }
  EXPECT_TRUE(FailpointFails("a.b")) << "a text that is refused changes nothing";
}

using FailpointDeathTest = FailpointTest;

TEST_F(FailpointDeathTest, KillsAtTheCountedTime) {
  EXPECT_EXIT(
      {
        (void)ArmFailpoints("a.b:kill:3");
        Failpoint("a.b");
        (void)FailpointFails("a.b");
        std::fputs("twice", stderr);
        Failpoint("a.b");
        std::exit(0);
      },
      testing::KilledBySignal(SIGKILL), "twice");
}

}  // namespace
}  // namespace muster::base
