// A check that has never been seen to fail is not a check: every promise that the judge holds the server to is broken
// here once, and the honest course beside it passes.
#include "tests/crash/judge.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/crash/book.h"

namespace muster::crash {
namespace {

using Kind = Record::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JudgeTest : public ::testing::Test {
 protected:
  JudgeTest() { Take({.kind = Kind::kUp, .number = 1}); }

  void Take(Record record) {
    if (record.incarnation == 0) record.incarnation = incarnation_;
    if (record.since == 0) record.since = judge_.now();
    judge_.Take(record);
  }
  void Kill() {
    Take({.kind = Kind::kDown, .number = incarnation_});
    Take({.kind = Kind::kUp, .number = ++incarnation_});
  }
  void Submit(const std::string& key, const Spec& spec) {
    Take({.kind = Kind::kSubmit, .key = key, .a = ToText(spec)});
  }
  void Acknowledge(const std::string& key, const std::string& id, uint64_t repeated = 0) {
    Take({.kind = Kind::kAcknowledged, .key = key, .a = id, .number = repeated});
  }
  void Make(const std::string& key, const Spec& spec) {
    Submit(key, spec);
    Acknowledge(key, "id of " + key);
  }
  void See(const std::string& key, State state, const std::string& outcome = "", uint32_t attempt = 1) {
    Take({.kind = Kind::kSeen, .key = key, .a = NameOf(key), .b = outcome, .state = state, .attempt = attempt});
  }
  void Settle(const std::string& key, const std::string& request, const std::string& value, Kind answer) {
    Take({.kind = Kind::kSettle, .key = key, .a = request, .b = value});
    Take({.kind = answer, .key = key, .a = request});
  }
  void Cancel(const std::string& key, const std::string& effect) {
    Take({.kind = Kind::kCancel, .key = key});
    Take({.kind = Kind::kCancelAnswered, .key = key, .a = effect});
  }

  void ExpectFine() { EXPECT_THAT(judge_.violations(), IsEmpty()); }
  void ExpectFound(const std::string& what) { EXPECT_THAT(judge_.violations(), ElementsAre(HasSubstr(what))); }

  static Spec Echo() { return {.body = Spec::Body::kEcho, .value = "hello"}; }
  static Spec Promise() { return {.body = Spec::Body::kPromise}; }

  Judge judge_;
  uint64_t incarnation_ = 1;
};

TEST_F(JudgeTest, AnHonestLifeIsFine) {
  Make("e", Echo());
  Kill();
  Acknowledge("e", "id of e", 1);
  See("e", State::kQueued, "", 0);
  See("e", State::kSucceeded, "value text:hello");
  Take({.kind = Kind::kDelete, .key = "e"});
  Take({.kind = Kind::kDeleted, .key = "e"});
  Take({.kind = Kind::kMissing, .key = "e", .a = "FUTURE_EXPIRED"});
  Take({.kind = Kind::kForget, .key = "e"});
  ExpectFine();
  EXPECT_EQ(judge_.counts().acknowledged, 1u);
  EXPECT_EQ(judge_.counts().outcomes, 1u);
}

TEST_F(JudgeTest, ALostSubmitIsFound) {
  Make("e", Echo());
  Kill();
  Take({.kind = Kind::kMissing, .key = "e", .a = "FUTURE_LOST"});
  ExpectFound("LOST: id of e was acknowledged");
}

TEST_F(JudgeTest, TwoFuturesOfOneRequestIdAreFound) {
  Make("e", Echo());
  Kill();
  Acknowledge("e", "another", 0);
  ExpectFound("gave two futures");
}

TEST_F(JudgeTest, ARequestIdThatWasForgottenIsFound) {
  Make("e", Echo());
  Acknowledge("e", "id of e", 0);
  ExpectFound("new once more");
}

TEST_F(JudgeTest, AnIdThatIsUsedAgainIsFound) {
  Submit("a", Echo());
  Acknowledge("a", "x");
  Submit("b", Echo());
  Acknowledge("b", "x");
  ExpectFound("was given before");
}

TEST_F(JudgeTest, AnotherSpecThatIsTakenIsFound) {
  Make("e", Echo());
  Take({.kind = Kind::kOther, .key = "e", .a = "REQUEST_ID_REUSED"});
  ExpectFine();
  Take({.kind = Kind::kOther, .key = "e", .a = "OK"});
  ExpectFound("was answered OK");
}

TEST_F(JudgeTest, AnotherFuturesSpecIsFound) {
  Make("e", Echo());
  Take({.kind = Kind::kSeen, .key = "e", .a = "name of x", .state = State::kQueued});
  ExpectFound("its name and label are \"name of x\"");
}

TEST_F(JudgeTest, ARefusalOfTheOnlySettleIsFound) {
  Make("p", Promise());
  Settle("p", "r", "a", Kind::kAlreadyDone);
  ExpectFound("nobody else ended it");
}

TEST_F(JudgeTest, AnOutcomeThatBecomesAnotherIsFound) {
  Make("p", Promise());
  Take({.kind = Kind::kSettle, .key = "p", .a = "r", .b = "a"});
  Take({.kind = Kind::kSettle, .key = "p", .a = "s", .b = "b"});
  See("p", State::kSucceeded, "value text:a", 0);
  ExpectFine();
  Kill();
  See("p", State::kSucceeded, "value text:b", 0);
  ExpectFound("its outcome was \"value text:a\", and now it is \"value text:b\"");
}

TEST_F(JudgeTest, WhatBecomesUndoneIsFound) {
  Make("e", Echo());
  See("e", State::kSucceeded, "value text:hello");
  Kill();
  See("e", State::kRunning, "", 2);
  ExpectFound("was seen SUCCEEDED, and now it is RUNNING");
}

TEST_F(JudgeTest, AReadThatBeganBeforeMayShowWhatWas) {
  Make("e", Echo());
  const uint64_t since = judge_.now();
  See("e", State::kSucceeded, "value text:hello");
  Take({.kind = Kind::kSeen, .key = "e", .state = State::kRunning, .attempt = 1, .since = since});
  ExpectFine();
}

TEST_F(JudgeTest, AWrongValueIsFound) {
  Make("e", Echo());
  See("e", State::kSucceeded, "value text:hell");
  ExpectFound("which it cannot have come to");
}

TEST_F(JudgeTest, ASettleThatIsLostIsFound) {
  Make("p", Promise());
  Settle("p", "r", "a", Kind::kSettled);
  Kill();
  See("p", State::kPending, "", 0);
  ExpectFound("its settle was acknowledged, and now it is PENDING");
}

TEST_F(JudgeTest, TwoWinnersAreFound) {
  Make("p", Promise());
  Settle("p", "r", "a", Kind::kSettled);
  Settle("p", "r", "a", Kind::kSettled);
  Settle("p", "s", "b", Kind::kAlreadyDone);
  ExpectFine();
  Settle("p", "s", "b", Kind::kSettled);
  ExpectFound("settled twice");
}

TEST_F(JudgeTest, ARepetitionOfTheWinnerThatIsRefusedIsFound) {
  Make("p", Promise());
  Settle("p", "s", "b", Kind::kSettled);
  Settle("p", "r", "a", Kind::kAlreadyDone);
  ExpectFine();
  Settle("p", "s", "b", Kind::kAlreadyDone);
  ExpectFound("its repetition is refused");
}

TEST_F(JudgeTest, ACancelThatIsLostIsFound) {
  Make("p", Promise());
  Cancel("p", "CANCELLED");
  Kill();
  See("p", State::kPending, "", 0);
  ExpectFound("its cancel was acknowledged, and now it is PENDING");
}

TEST_F(JudgeTest, ASettleAfterACancelIsFound) {
  Make("p", Promise());
  Cancel("p", "CANCELLED");
  Settle("p", "r", "a", Kind::kSettled);
  ExpectFound("after a cancel had been");
}

TEST_F(JudgeTest, ACancelledFutureThatSucceededIsFound) {
  Make("e", Echo());
  Cancel("e", "CANCELLED");
  See("e", State::kSucceeded, "value text:hello");
  ExpectFound("and its cancel was acknowledged");
}

TEST_F(JudgeTest, ACancelledFutureThatNobodyCancelledIsFound) {
  Make("e", Echo());
  See("e", State::kCancelled, "cancelled ");
  ExpectFound("nobody cancelled it");
}

TEST_F(JudgeTest, ASecondRunIsFound) {
  Make("f", {.body = Spec::Body::kFile, .at_most_once = true});
  Make("g", {.body = Spec::Body::kFile});
  Take({.kind = Kind::kRan, .key = "f", .number = 1});
  Take({.kind = Kind::kRan, .key = "g", .number = 2});
  ExpectFine();
  Take({.kind = Kind::kRan, .key = "f", .number = 2});
  ExpectFound("may not run twice, and ran 2 times");
}

TEST_F(JudgeTest, ASecondAttemptOfWhatMayNotRunTwiceIsFound) {
  Make("s", {.body = Spec::Body::kSleep, .at_most_once = true});
  Kill();
  See("s", State::kRunning, "", 2);
  ExpectFound("may not run twice, and is at attempt 2");
}

TEST_F(JudgeTest, AnInterruptionNeedsADeath) {
  Make("s", {.body = Spec::Body::kSleep, .at_most_once = true});
  Make("t", {.body = Spec::Body::kSleep, .at_most_once = true});
  Make("u", {.body = Spec::Body::kSleep});
  See("s", State::kFailed, "error INTERRUPTED");
  ExpectFound("no server died");
  Kill();
  See("t", State::kFailed, "error INTERRUPTED");
  ExpectFound("no server died");
  See("u", State::kFailed, "error INTERRUPTED", 2);
  EXPECT_THAT(judge_.violations(), ElementsAre(HasSubstr("no server died"), HasSubstr("cannot have come to")));
}

TEST_F(JudgeTest, AnAttemptThatIsNotCountedIsFound) {
  Make("s", {.body = Spec::Body::kSleep});
  See("s", State::kRunning, "", 1);
  Kill();
  See("s", State::kRunning, "", 2);
  ExpectFine();
  Kill();
  See("s", State::kRunning, "", 2);
  ExpectFound("ran as attempt 2 when server 2 died, and runs as attempt 2 now");
}

TEST_F(JudgeTest, AnAttemptTooManyIsFound) {
  Make("s", {.body = Spec::Body::kSleep});
  See("s", State::kRunning, "", 2);
  ExpectFound("is at attempt 2, and 1 servers have lived since");
}

TEST_F(JudgeTest, AGatherOutOfOrderIsFound) {
  Make("a", {.body = Spec::Body::kEcho, .value = "1"});
  Make("b", {.body = Spec::Body::kEcho, .value = "2"});
  Make("g", {.body = Spec::Body::kGather, .members = {"a", "b"}});
  Make("h", {.body = Spec::Body::kGather, .members = {"a", "b"}});
  See("a", State::kSucceeded, "value text:1");
  See("b", State::kSucceeded, "value text:2");
  See("g", State::kSucceeded, "gathered [value text:1] [value text:2]", 0);
  ExpectFine();
  See("h", State::kSucceeded, "gathered [value text:2] [value text:1]", 0);
  ExpectFound("its members came to");
}

TEST_F(JudgeTest, AGatherSeenBeforeItsMembersIsCheckedLater) {
  Make("a", {.body = Spec::Body::kEcho, .value = "1"});
  Make("g", {.body = Spec::Body::kGather, .members = {"a"}});
  See("g", State::kSucceeded, "gathered [value text:2]", 0);
  See("a", State::kSucceeded, "value text:1");
  ExpectFine();
  See("g", State::kSucceeded, "gathered [value text:2]", 0);
  ExpectFound("its members came to");
}

TEST_F(JudgeTest, AStreamThatLosesOrRepeatsIsFound) {
  Take({.kind = Kind::kOpened, .key = "s", .a = "a,b"});
  Take({.kind = Kind::kItem, .key = "s", .a = "a"});
  Take({.kind = Kind::kOpened, .key = "s", .a = "a,b", .number = 1});
  Take({.kind = Kind::kItem, .key = "s", .a = "a"});
  ExpectFine();
  Take({.kind = Kind::kItem, .key = "s", .a = "a"});
  Take({.kind = Kind::kEnded, .key = "s"});
  EXPECT_THAT(judge_.violations(),
              ElementsAre(HasSubstr("delivered a twice within one stream"), HasSubstr("never delivered b")));
}

TEST_F(JudgeTest, WhatComesBackAfterItsDeleteIsFound) {
  Make("e", Echo());
  See("e", State::kSucceeded, "value text:hello");
  Take({.kind = Kind::kDeleted, .key = "e"});
  Kill();
  See("e", State::kSucceeded, "value text:hello");
  ExpectFound("was deleted, and is there again");
}

TEST_F(JudgeTest, AHistoryWithoutAnOrderIsReported) {
  Take({.kind = Kind::kHistory, .key = "lin-7", .a = "1 of 2 operations can be put in an order"});
  ExpectFound("not linearizable: 1 of 2");
}

TEST_F(JudgeTest, WhatNeverEndsIsFound) {
  Make("e", Echo());
  Take({.kind = Kind::kOverdue, .key = "e", .a = "60 s after the last kill"});
  ExpectFound("has not ended");
}

TEST(RecordTest, LinesAreReadBackAsTheyWere) {
  const Record record{.kind = Kind::kSeen,
                      .key = "k",
                      .a = "tab\tline\nback\\slash",
                      .b = std::string("nul\0", 4),
                      .number = 7,
                      .state = State::kFailed,
                      .attempt = 3,
                      .incarnation = 9,
                      .since = 11};
  EXPECT_EQ(ParseLine(ToLine(record)), record);
  const Spec spec{.body = Spec::Body::kGather, .return_exceptions = true, .members = {"a", "b"}};
  EXPECT_EQ(ParseSpec(ToText(spec)), spec);
  EXPECT_EQ(ParseSpec("nothing|of|that|sort|"), std::nullopt);
  EXPECT_EQ(ParseLine("s\tk"), std::nullopt);
}

TEST(BookTest, ALedgerIsJudgedAgainFromTheDisk) {
  const std::string path = ::testing::TempDir() + "/muster_book_test." + std::to_string(getpid());
  unlink(path.c_str());
  absl::StatusOr<std::unique_ptr<Book>> book = Book::Open(path);
  ASSERT_TRUE(book.ok()) << book.status();
  (*book)->Note({{.kind = Kind::kUp, .number = 1},
                 {.kind = Kind::kSubmit, .key = "k", .a = ToText(Spec{.value = "v"})},
                 {.kind = Kind::kAcknowledged, .key = "k", .a = "id"}});
  (*book)->Note({.kind = Kind::kMissing, .key = "k", .a = "FUTURE_LOST"});
  EXPECT_EQ((*book)->violation_count(), 1u);
  book->reset();
  std::ofstream(path, std::ios::app) << "s\thalf a li";

  Judge judge;
  EXPECT_TRUE(Replay(path, judge).ok());
  EXPECT_THAT(judge.violations(), ElementsAre(HasSubstr("LOST")));
  EXPECT_EQ(judge.LiveFutures().size(), 1u);
  EXPECT_FALSE(Replay(path + ".not", judge).ok());
  unlink(path.c_str());
}

}  // namespace
}  // namespace muster::crash
