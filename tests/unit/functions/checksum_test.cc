#include <string>

#include <gtest/gtest.h>

#include "service/functions/file/crc32.h"
#include "service/functions/file/family.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

constexpr char kShaOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kShaOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class Checksum : public testing::Test {
 protected:
  Checksum() {
    FileOptions options;
    options.root = directory_.path();
    EXPECT_TRUE(FileFamily(options).Register(registry_, {}).ok());
  }
  absl::StatusOr<jobs::Payload> Call(const nlohmann::json& input) { return CallBlocking(registry_, "checksum", input); }
  std::string Sum(const nlohmann::json& input) { return JsonOf(Call(input)).value("checksum", ""); }

  TemporaryDirectory directory_;
  jobs::Registry registry_;
};

// The check value of the CRC catalogue, and the test vectors of FIPS 180-2.
TEST_F(Checksum, GivesThePublishedValues) {
  EXPECT_EQ(Sum({{"data", "123456789"}, {"algorithm", "crc32"}}), "cbf43926");
  EXPECT_EQ(Sum({{"data", "abc"}}), kShaOfAbc);
  EXPECT_EQ(Sum({{"data", "abc"}, {"algorithm", "sha256"}}), kShaOfAbc);
  EXPECT_EQ(Sum({{"data", ""}}), kShaOfNothing);
  EXPECT_EQ(Sum({{"data_base64", "YWJj"}}), kShaOfAbc);
  EXPECT_EQ(Sum("abc"), kShaOfAbc);
  EXPECT_EQ(Crc32(Crc32(0, "1234"), "56789"), Crc32(0, "123456789"));
}

TEST_F(Checksum, TakesTextAndBytesAsTheyAre) {
  EXPECT_EQ(JsonOf(CallBlocking(registry_, "checksum", jobs::Payload::Text("abc")))["checksum"], kShaOfAbc);
  EXPECT_EQ(JsonOf(CallBlocking(registry_, "checksum", jobs::Payload::Bytes("abc")))["checksum"], kShaOfAbc);
  EXPECT_EQ(JsonOf(CallBlocking(registry_, "checksum", jobs::Payload()))["checksum"], kShaOfNothing);
}

TEST_F(Checksum, ReadsAFileBelowTheRoot) {
  directory_.Write("abc", "abc");
  EXPECT_EQ(Sum({{"path", "abc"}}), kShaOfAbc);
  directory_.Write("large", std::string(3 << 20, 'x'));
  EXPECT_EQ(Sum({{"path", "large"}}), Sum({{"data", std::string(3 << 20, 'x')}}));
  EXPECT_EQ(ErrorType(Call({{"path", "missing"}})), "NotFound");
  EXPECT_EQ(ErrorType(Call({{"path", "../abc"}})), "OutsideRoot");
}

TEST_F(Checksum, RoundsTakeTheInputInAgain) {
  const nlohmann::json result = JsonOf(Call({{"data", "ab"}, {"rounds", 3}}));
  EXPECT_EQ(result["checksum"], Sum({{"data", "ababab"}}));
  EXPECT_EQ(result["bytes"], 6);
  EXPECT_EQ(Sum({{"data", "ab"}, {"rounds", 3}, {"algorithm", "crc32"}}),
            Sum({{"data", "ababab"}, {"algorithm", "crc32"}}));
}

TEST_F(Checksum, SeesACancelBetweenRoundsAndReportsProgressUntilThen) {
  FakeBlockingContext context;
  context.CancelAtLook(1000);
  const absl::StatusOr<jobs::Payload> output =
      registry_.Find("checksum")->blocking(context, jobs::JsonPayload({{"data", "x"}, {"rounds", 1'000}}));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(context.looks(), 1000) << "it went on after the cancel";
  EXPECT_FALSE(context.progress.empty());
  EXPECT_LE(context.progress.size(), 100u);
}

TEST_F(Checksum, RefusesUnclearInput) {
  for (const nlohmann::json& input :
       {nlohmann::json({{"data", "x"}, {"path", "y"}}), nlohmann::json::object(), nlohmann::json({{"rounds", 2}}),
        nlohmann::json({{"data", "x"}, {"rounds", 0}}), nlohmann::json({{"data", "x"}, {"algorithm", "md5"}}),
        nlohmann::json({{"data", 1}}), nlohmann::json({{"data_base64", "?"}}), nlohmann::json({{"path", ""}})}) {
    EXPECT_EQ(ErrorType(Call(input)), "InvalidInput") << input;
  }
}

TEST_F(Checksum, HasNoPathWithoutARoot) {
  jobs::Registry bare;
  ASSERT_TRUE(FileFamily().Register(bare, {}).ok());
  EXPECT_EQ(ErrorType(CallBlocking(bare, "checksum", nlohmann::json({{"path", "abc"}}))), "InvalidInput");
  EXPECT_EQ(bare.Find("checksum")->description.find("\"path\""), std::string::npos);
}

}  // namespace
}  // namespace muster::functions
