// ASSERT_* for coroutines: GoogleTest's own contain a `return`, which a coroutine may not. They end a Task<void>.
// An argument must not contain a co_await: await into a named variable on the line before.
#pragma once

#include <gtest/gtest.h>

#include "service/base/status.h"

#define MUSTER_CO_FATAL_FAILURE_(message) co_return GTEST_MESSAGE_(message, ::testing::TestPartResult::kFatalFailure)

#define CO_ASSERT_TRUE(condition) GTEST_TEST_BOOLEAN_(condition, #condition, false, true, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_FALSE(condition) GTEST_TEST_BOOLEAN_(!(condition), #condition, true, false, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_EQ(a, b) GTEST_PRED_FORMAT2_(::testing::internal::EqHelper::Compare, a, b, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_NE(a, b) GTEST_PRED_FORMAT2_(::testing::internal::CmpHelperNE, a, b, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_LT(a, b) GTEST_PRED_FORMAT2_(::testing::internal::CmpHelperLT, a, b, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_LE(a, b) GTEST_PRED_FORMAT2_(::testing::internal::CmpHelperLE, a, b, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_GT(a, b) GTEST_PRED_FORMAT2_(::testing::internal::CmpHelperGT, a, b, MUSTER_CO_FATAL_FAILURE_)
#define CO_ASSERT_GE(a, b) GTEST_PRED_FORMAT2_(::testing::internal::CmpHelperGE, a, b, MUSTER_CO_FATAL_FAILURE_)
// For an absl::Status or a StatusOr.
#define CO_ASSERT_OK(status) CO_ASSERT_TRUE((status).ok()) << ::muster::base::detail::ToStatus(status)
