#include "service/coro/cancel.h"

#include <gtest/gtest.h>

#include "service/coro/event.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

using test::ManualExecutor;

TEST(CancelTokenTest, CountsAndNeverGoesBelowZero) {  // semantics 9
  CancelToken token;
  EXPECT_EQ(token.Uncancel(), 0);
  token.Cancel("a");
  token.Cancel("b");
  EXPECT_EQ(token.cancelling(), 2);
  EXPECT_EQ(token.message(), "b");
  EXPECT_TRUE(token.cancel_requested());
  EXPECT_EQ(token.Uncancel(), 1);
  EXPECT_TRUE(token.cancel_pending());
  EXPECT_EQ(token.Uncancel(), 0);
  EXPECT_EQ(token.Uncancel(), 0);
  EXPECT_FALSE(token.cancel_requested());
}

}  // namespace
}  // namespace muster::coro
