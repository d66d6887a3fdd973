#include "service/runtime/host/requests.h"

#include "gtest/gtest.h"

namespace muster::runtime {
namespace {

struct Nobody final : Receiver {
  void OnEffect(core::Effect&&) override {}
};

TEST(RequestTableTest, ATokenNamesItsLoopAndFindsItsReceiver) {
  RequestTable table(7);
  Nobody one;
  Nobody two;
  const core::Token a = table.Add(&one);
  const core::Token b = table.Add(&two);
  EXPECT_NE(a, core::kNoToken);
  EXPECT_EQ(RequestTable::LoopOf(a), 7);
  EXPECT_EQ(table.Find(a), &one);
  EXPECT_EQ(table.Find(b), &two);
}

TEST(RequestTableTest, ATokenOfSomebodyWhoLeftFindsNobodyEvenWhenThePlaceIsTaken) {
  RequestTable table(0);
  Nobody one;
  Nobody two;
  const core::Token left = table.Add(&one);
  EXPECT_TRUE(table.Remove(left));
  EXPECT_FALSE(table.Remove(left));
  const core::Token next = table.Add(&two);
  EXPECT_EQ(static_cast<uint32_t>(next), static_cast<uint32_t>(left)) << "the place is used again";
  EXPECT_EQ(table.Find(left), nullptr);
  EXPECT_EQ(table.Find(next), &two);
  EXPECT_EQ(table.Find(12345), nullptr);
}

TEST(RequestTableTest, AnswersCarryTheirTokenAndOtherEffectsNone) {
  core::WaitEnded answer;
  answer.token = 42;
  EXPECT_EQ(TokenOf(core::Effect(std::move(answer))), 42u);
  EXPECT_EQ(TokenOf(core::Effect(core::StartJob{})), core::kNoToken);
}

}  // namespace
}  // namespace muster::runtime
