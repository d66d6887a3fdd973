// Histories written by hand: what must be accepted, and what must be found.
#include "tests/linearizability/checker.h"

#include <gtest/gtest.h>

namespace muster::linearizability {
namespace {

// One operation of the future "f" a line: Submit(1, 2) was invoked at 1 and answered at 2.
class History {
 public:
  History& Submit(Instant from, Instant to, Reply reply, const std::string& id = "id", const std::string& spec = "s") {
    return Add({.key = "f", .call = Call::kSubmit, .argument = spec, .job = job_}, from, to, reply, id);
  }
  History& Settle(Instant from, Instant to, Reply reply, const std::string& value, const std::string& request = "") {
    return Add({.key = "f", .call = Call::kSettle, .argument = value, .request_id = request}, from, to, reply, "");
  }
  History& Cancel(Instant from, Instant to, Reply reply) {
    return Add({.key = "f", .call = Call::kCancel, .argument = "cancelled"}, from, to, reply, "");
  }
  History& Pending(Instant from, Instant to) {
    return Add({.key = "f", .call = Call::kRead}, from, to, Reply::kPending, "");
  }
  History& Missing(Instant from, Instant to) {
    return Add({.key = "f", .call = Call::kRead}, from, to, Reply::kMissing, "");
  }
  History& Done(Instant from, Instant to, const std::string& outcome) {
    return Add({.key = "f", .call = Call::kRead}, from, to, Reply::kDone, outcome);
  }
  History& OfJob() {
    job_ = true;
    return *this;
  }
  Verdict Judge() const { return Check(recorder_.operations()); }
  bool ok() const { return Judge().ok(); }

 private:
  History& Add(Operation operation, Instant from, Instant to, Reply reply, const std::string& result) {
    const size_t at = recorder_.Invoke(std::move(operation), from);
    if (reply == Reply::kLost) {
      recorder_.Lose(at, to);
    } else {
      recorder_.Answer(at, reply, result, to);
    }
    return *this;
  }

  Recorder recorder_;
  bool job_ = false;
};

TEST(Linearizability, AnEmptyHistoryIsFine) { EXPECT_TRUE(History().ok()); }

TEST(Linearizability, OneClientAfterAnother) {
  EXPECT_TRUE(History()
                  .Submit(1, 2, Reply::kCreated)
                  .Submit(3, 4, Reply::kRepeated)
                  .Pending(5, 6)
                  .Settle(7, 8, Reply::kSettled, "a", "r")
                  .Settle(9, 10, Reply::kSettled, "a", "r")
                  .Settle(11, 12, Reply::kAlreadyDone, "b")
                  .Cancel(13, 14, Reply::kAlreadyDone)
                  .Done(15, 16, "a")
                  .ok());
}

TEST(Linearizability, AnAnswerMayOvertake) {
  // The read began first and ended last: it may see either.
  EXPECT_TRUE(History().Submit(1, 2, Reply::kCreated).Done(3, 8, "a").Settle(4, 5, Reply::kSettled, "a").ok());
  EXPECT_TRUE(History().Submit(1, 2, Reply::kCreated).Pending(3, 8).Settle(4, 5, Reply::kSettled, "a").ok());
}

TEST(Linearizability, TheFirstOfTwoSettlesWins) {
  EXPECT_TRUE(History()
                  .Submit(1, 2, Reply::kCreated)
                  .Settle(3, 9, Reply::kAlreadyDone, "a")
                  .Settle(4, 8, Reply::kSettled, "b")
                  .Done(10, 11, "b")
                  .ok());
  EXPECT_FALSE(History()
                   .Submit(1, 2, Reply::kCreated)
                   .Settle(3, 9, Reply::kSettled, "a")
                   .Settle(4, 8, Reply::kSettled, "b")
                   .ok());
  EXPECT_FALSE(History()
                   .Submit(1, 2, Reply::kCreated)
                   .Settle(3, 9, Reply::kAlreadyDone, "a")
                   .Settle(4, 8, Reply::kSettled, "b")
                   .Done(10, 11, "a")
                   .ok());
}

TEST(Linearizability, AnAcknowledgedSubmitThatIsGoneIsFound) {
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Missing(3, 4).ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Submit(3, 4, Reply::kCreated, "other").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Submit(3, 4, Reply::kCreated).ok());
}

TEST(Linearizability, ARequestIdGivesOneId) {
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated, "x").Submit(3, 4, Reply::kRepeated, "y").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kRepeated).ok()) << "nobody submitted before";
}

TEST(Linearizability, AnotherSpecIsRefused) {
  EXPECT_TRUE(History().Submit(1, 2, Reply::kCreated).Submit(3, 4, Reply::kReused, "", "other").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Submit(3, 4, Reply::kRepeated, "id", "other").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Submit(3, 4, Reply::kReused).ok()) << "the same spec";
  EXPECT_FALSE(History().Submit(1, 2, Reply::kReused).ok()) << "nothing to collide with";
}

TEST(Linearizability, ALostSubmitMayHaveHappenedOrNot) {
  EXPECT_TRUE(History().Submit(1, 2, Reply::kLost).Submit(3, 4, Reply::kCreated).ok());
  EXPECT_TRUE(History().Submit(1, 2, Reply::kLost).Submit(3, 4, Reply::kRepeated).ok());
}

TEST(Linearizability, ALostOperationHasNoEffectAfterItsServersDeath) {
  // Created at 3-4: then the lost submit did not happen, and cannot happen any more.
  EXPECT_TRUE(History().Settle(1, kNever, Reply::kLost, "a").Submit(3, 4, Reply::kCreated).Done(5, 6, "a").ok());
  EXPECT_FALSE(History().Settle(1, 2, Reply::kLost, "a").Submit(3, 4, Reply::kCreated).Done(5, 6, "a").ok());
}

TEST(Linearizability, ACallToTheDeadChangesNothing) {
  // Its server died at 5, and it was made at 6.
  EXPECT_TRUE(History().Submit(1, 2, Reply::kCreated).Settle(6, 5, Reply::kLost, "a").Pending(7, 8).ok());
}

TEST(Linearizability, ALostSettleBindsOnceItWasSeen) {
  const auto begin = [] {
    return History().Submit(1, 2, Reply::kCreated).Settle(3, kNever, Reply::kLost, "a", "r").Pending(5, 6);
  };
  EXPECT_TRUE(begin().Done(7, 8, "a").Done(9, 10, "a").ok());
  EXPECT_TRUE(begin().Settle(7, 8, Reply::kSettled, "b").Done(9, 10, "b").ok());
  EXPECT_TRUE(begin().Settle(7, 8, Reply::kSettled, "a", "r").Done(9, 10, "a").ok());
  EXPECT_FALSE(begin().Done(7, 8, "a").Pending(9, 10).ok()) << "undone again";
  EXPECT_FALSE(begin().Done(7, 8, "a").Settle(9, 10, Reply::kSettled, "b").ok()) << "settled twice";
  EXPECT_FALSE(begin().Settle(7, 8, Reply::kAlreadyDone, "b").Done(9, 10, "b").ok());
  EXPECT_FALSE(begin().Settle(7, 8, Reply::kAlreadyDone, "a", "r").ok()) << "a repetition is no second settle";
}

TEST(Linearizability, WhatWasSeenStays) {
  EXPECT_FALSE(
      History().Submit(1, 2, Reply::kCreated).Settle(3, 4, Reply::kSettled, "a").Done(5, 6, "a").Done(7, 8, "b").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Settle(3, 4, Reply::kSettled, "a").Pending(5, 6).ok());
}

TEST(Linearizability, ACancelledPromiseStaysCancelled) {
  EXPECT_TRUE(History()
                  .Submit(1, 2, Reply::kCreated)
                  .Cancel(3, 4, Reply::kCancelled)
                  .Settle(5, 6, Reply::kAlreadyDone, "a", "r")
                  .Done(7, 8, "cancelled")
                  .ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Cancel(3, 4, Reply::kCancelled).Pending(5, 6).ok());
  EXPECT_FALSE(
      History().Submit(1, 2, Reply::kCreated).Cancel(3, 4, Reply::kCancelled).Settle(5, 6, Reply::kSettled, "a").ok());
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Cancel(3, 4, Reply::kRequested).ok())
      << "no request for a promise";
  EXPECT_FALSE(History().Submit(1, 2, Reply::kCreated).Cancel(3, 4, Reply::kAlreadyDone).ok()) << "done by whom?";
}

TEST(Linearizability, AJobEndsByItselfButOnce) {
  const auto begin = [] { return History().OfJob().Submit(1, 2, Reply::kCreated).Pending(3, 4); };
  EXPECT_TRUE(begin().Done(5, 6, "x").Done(7, 8, "x").ok());
  EXPECT_TRUE(begin().Cancel(5, 6, Reply::kRequested).Pending(7, 8).Done(9, 10, "x").ok());
  EXPECT_TRUE(begin().Cancel(5, 6, Reply::kAlreadyDone).Done(7, 8, "x").ok());
  EXPECT_FALSE(begin().Cancel(5, 6, Reply::kAlreadyDone).Pending(7, 8).ok());
  EXPECT_FALSE(begin().Done(5, 6, "x").Done(7, 8, "y").ok());
  EXPECT_FALSE(begin().Done(5, 6, "x").Cancel(7, 8, Reply::kCancelled).ok());
}

TEST(Linearizability, FuturesAreCheckedApartAndTheBadOneIsNamed) {
  Recorder recorder;
  for (const char* key : {"good", "bad"}) {
    recorder.Answer(recorder.Invoke({.key = key, .call = Call::kSubmit, .argument = "s"}, 1), Reply::kCreated, key, 2);
  }
  recorder.Answer(recorder.Invoke({.key = "bad", .call = Call::kRead}, 3), Reply::kMissing, "", 4);
  const Verdict verdict = Check(recorder.operations());
  EXPECT_EQ(verdict.kind, Verdict::Kind::kViolation);
  EXPECT_EQ(verdict.key, "bad");
  EXPECT_NE(verdict.explanation.find("1 of 2 operations"), std::string::npos) << verdict.explanation;
  EXPECT_NE(verdict.explanation.find("read bad -> missing"), std::string::npos) << verdict.explanation;
}

TEST(Linearizability, WhatIsTooMuchIsSaidToBeUndecided) {
  Recorder recorder;
  for (int client = 0; client < 30; ++client) {
    recorder.Invoke({.key = "f", .call = Call::kSubmit, .client = client, .argument = std::to_string(client)}, 0);
  }
  recorder.Answer(recorder.Invoke({.key = "f", .call = Call::kRead}, 0), Reply::kDone, "out of nowhere", 1);
  EXPECT_EQ(Check(recorder.operations(), 100).kind, Verdict::Kind::kUndecided);
}

}  // namespace
}  // namespace muster::linearizability
