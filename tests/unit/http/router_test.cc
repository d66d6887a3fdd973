#include "service/http/router.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::http {
namespace {

// Answers with its name and what the router gave it.
Router::Handler Named(std::string name) {
  return [name = std::move(name)](std::string_view rest) { return AnswerOf(name + ":" + std::string(rest)); };
}

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    router_.Add(Method::kGet, "/metrics", Named("metrics"));
    router_.Add(Method::kGet, "/healthz", Named("healthz"));
    router_.Add(Method::kGet, "/readyz", Named("readyz"));
    router_.Add(Method::kGet, "/", Named("index"));
  }

  Router router_;
};

TEST_F(RouterTest, APathIsOnePage) {
  EXPECT_EQ(router_.Route(Method::kGet, "/healthz").body, "healthz:");
  EXPECT_EQ(router_.Route(Method::kGet, "/healthz").status, 200);
  EXPECT_EQ(router_.Route(Method::kGet, "/").body, "index:");
  for (const char* path : {"/healthz/", "/healthzz", "/health", "", "healthz", "//", "/x", "/metrics/x"}) {
    EXPECT_EQ(router_.Route(Method::kGet, path).status, 404) << path;
  }
}

TEST_F(RouterTest, AFolderIsAllThatIsBelowIt) {
  router_.Add(Method::kPost, "/store/", Named("store"));
  EXPECT_EQ(router_.Route(Method::kPost, "/store/backup/monday").body, "store:backup/monday");
  EXPECT_EQ(router_.Route(Method::kPost, "/store/").body, "store:");
  EXPECT_EQ(router_.Route(Method::kPost, "/store").status, 404);
  EXPECT_EQ(router_.Route(Method::kGet, "/store/backup").status, 404) << "it belongs to another method";
}

TEST_F(RouterTest, TheFirstRouteThatFitsAnswers) {
  router_.Add(Method::kPost, "/clock/now", Named("now"));
  router_.Add(Method::kPost, "/clock/", Named("clock"));
  EXPECT_EQ(router_.Route(Method::kPost, "/clock/now").body, "now:");
  EXPECT_EQ(router_.Route(Method::kPost, "/clock/later").body, "clock:later");
}

TEST_F(RouterTest, WhoAsksForNoPageIsToldWhichThereAre) {
  EXPECT_EQ(router_.Route(Method::kGet, "/nothing").body, "There are /metrics, /healthz and /readyz.\n");
  EXPECT_EQ(router_.Route(Method::kPost, "/nothing").body, "there is no such command here\n");
}

TEST_F(RouterTest, AMethodIsTakenWhenARouteHasIt) {
  EXPECT_TRUE(router_.Takes(Method::kGet));
  EXPECT_FALSE(router_.Takes(Method::kPost));
  EXPECT_EQ(router_.Allowed(), "GET, HEAD");
  router_.Add(Method::kPost, "/store/", Named("store"));
  EXPECT_TRUE(router_.Takes(Method::kPost));
  EXPECT_EQ(router_.Allowed(), "GET, HEAD, POST");
}

TEST(AnswerOf, AStatusSaysWhatTheAnswerIs) {
  EXPECT_EQ(AnswerOf(std::string("ok\n")).status, 200);
  EXPECT_EQ(AnswerOf(absl::NotFoundError("none")).status, 404);
  EXPECT_EQ(AnswerOf(absl::InvalidArgumentError("no duration")).status, 400);
  EXPECT_EQ(AnswerOf(absl::UnavailableError("busy")).status, 503);
  EXPECT_EQ(AnswerOf(absl::UnavailableError("busy")).body, "busy\n");
}

}  // namespace
}  // namespace muster::http
