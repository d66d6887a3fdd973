#include "service/dispatch/pool_room.h"

#include "gtest/gtest.h"

namespace muster::dispatch {
namespace {

struct Loop final : PoolRoom::Waiter {
  void OnRoom() override { ++told; }
  int told = 0;
};

class PoolRoomTest : public ::testing::Test {
 protected:
  static executor::BlockingPool::Options TwoThreads() {
    executor::BlockingPool::Options options;
    options.threads = 2;
    return options;
  }
  void TakeAll(Loop& loop) {
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(room_.Take(loop));
  }

  executor::BlockingPool pool_{TwoThreads()};
  PoolRoom room_{pool_};
  Loop a_, b_, c_;
};

TEST_F(PoolRoomTest, HasTwoPlacesAThread) {
  TakeAll(a_);
  EXPECT_FALSE(room_.Take(b_));
  EXPECT_FALSE(room_.Take(b_));  // in line already
  room_.Leave(b_);
  room_.Give();
  EXPECT_EQ(b_.told, 0);
  EXPECT_TRUE(room_.Take(c_));
}

TEST_F(PoolRoomTest, GivesToTheFirstInLine) {
  TakeAll(a_);
  EXPECT_FALSE(room_.Take(b_));
  EXPECT_FALSE(room_.Take(c_));
  room_.Give();
  EXPECT_EQ(b_.told, 1);
  EXPECT_EQ(c_.told, 0);
  EXPECT_FALSE(room_.Take(a_));  // nobody takes what another was told of
  EXPECT_TRUE(room_.Take(b_));
  room_.Give();
  EXPECT_EQ(c_.told, 1);
  EXPECT_TRUE(room_.Take(c_));
}

TEST_F(PoolRoomTest, WhoLeavesPassesOnWhatWasMeantForIt) {
  TakeAll(a_);
  EXPECT_FALSE(room_.Take(b_));
  EXPECT_FALSE(room_.Take(c_));
  room_.Give();
  room_.Leave(b_);
  EXPECT_EQ(c_.told, 1);
  room_.Leave(c_);
  EXPECT_TRUE(room_.Take(a_));
  EXPECT_FALSE(room_.Take(a_));
}

}  // namespace
}  // namespace muster::dispatch
