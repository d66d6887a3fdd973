#include "service/wire/status.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "muster/v1/error.pb.h"
#include "service/base/log.h"
#include "service/base/reason.h"

namespace muster::wire {
namespace {

namespace pb = ::muster::v1;
using base::Reason;

constexpr Reason kAll[] = {
#define MUSTER_TEST_REASON(name, wire, code) Reason::name,
    MUSTER_REASONS(MUSTER_TEST_REASON)
#undef MUSTER_TEST_REASON
};

// The details by the last part of their type URL.
std::map<std::string, std::string> DetailsOf(const pb::RpcStatus& wire) {
  std::map<std::string, std::string> details;
  for (const auto& detail : wire.details()) {
    const std::string prefix = "type.googleapis.com/google.rpc.";
    EXPECT_EQ(detail.type_url().substr(0, prefix.size()), prefix);
    details[detail.type_url().substr(prefix.size())] = detail.value();
  }
  return details;
}

template <typename Message>
Message Parsed(const std::string& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  return message;
}

TEST(Reasons, AreTheSameListHereAndOnTheWire) {
  std::map<std::string, int> wire;
  const auto* descriptor = pb::ErrorReason_descriptor();
  for (int i = 0; i < descriptor->value_count(); ++i) {
    wire[descriptor->value(i)->name()] = descriptor->value(i)->number();
  }
  EXPECT_EQ(wire.size(), std::size(kAll) + 1) << "the wire has one more: UNSPECIFIED";
  for (const Reason reason : kAll) {
    EXPECT_EQ(wire.count("ERROR_REASON_" + std::string(base::ReasonName(reason))), 1u) << base::ReasonName(reason);
  }
}

pb::RpcStatus ToRpc(const absl::Status& status, const StatusContext& context = {}) {
  pb::RpcStatus wire;
  ToRpcStatus(status, context, wire);
  return wire;
}

TEST(ToRpcStatus, EveryReasonHasErrorInfoWithTheDomain) {
  for (const Reason reason : kAll) {
    const pb::RpcStatus status = ToRpc(base::Refuse(reason, "why", "some.field"));
    EXPECT_EQ(status.code(), static_cast<int>(base::ReasonCode(reason)));
    auto details = DetailsOf(status);
    const auto info = Parsed<pb::ErrorInfo>(details["ErrorInfo"]);
    EXPECT_EQ(info.reason(), base::ReasonName(reason));
    EXPECT_EQ(info.domain(), "muster");
    EXPECT_EQ(info.metadata().at("field"), "some.field");
    // A disk that has failed does not mend itself.
    const bool is_temporary = (static_cast<absl::StatusCode>(status.code()) == absl::StatusCode::kResourceExhausted ||
                               static_cast<absl::StatusCode>(status.code()) == absl::StatusCode::kUnavailable) &&
                              reason != Reason::kStoreFailed;
    EXPECT_EQ(details.count("RetryInfo"), is_temporary ? 1u : 0u) << base::ReasonName(reason);
    EXPECT_EQ(details.count("QuotaFailure"),
              static_cast<absl::StatusCode>(status.code()) == absl::StatusCode::kResourceExhausted ? 1u : 0u);
  }
}

TEST(ToRpcStatus, AFieldAtFaultIsABadRequest) {
  auto details = DetailsOf(ToRpc(base::Refuse(Reason::kInvalidField, "too long", "future.options.name")));
  const auto bad = Parsed<pb::BadRequest>(details["BadRequest"]);
  ASSERT_EQ(bad.field_violations_size(), 1);
  EXPECT_EQ(bad.field_violations(0).field(), "future.options.name");
  EXPECT_EQ(bad.field_violations(0).description(), "too long");
}

TEST(ToRpcStatus, AQuotaSaysWhoseItIs) {
  const StatusContext context("Submit", "mine");
  auto details = DetailsOf(ToRpc(base::Refuse(Reason::kTooManyBytes, "full"), context));
  EXPECT_EQ(Parsed<pb::QuotaFailure>(details["QuotaFailure"]).violations(0).subject(), "namespace:mine");
  details = DetailsOf(ToRpc(base::Refuse(Reason::kTooManyFutures, "full"), context));
  EXPECT_EQ(Parsed<pb::QuotaFailure>(details["QuotaFailure"]).violations(0).subject(), "server");
}

TEST(ToRpcStatus, WhatIsNoRefusalStaysInside) {
  base::SetLogSink([](base::LogLevel, std::string_view, std::span<const base::LogField>) {}, base::LogLevel::kDebug);
  const pb::RpcStatus status = ToRpc(absl::UnknownError("table 'x' of 10.0.0.1 has no row 7"));
  EXPECT_EQ(static_cast<absl::StatusCode>(status.code()), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message().find("10.0.0.1"), std::string::npos);
  auto details = DetailsOf(status);
  EXPECT_EQ(Parsed<pb::ErrorInfo>(details["ErrorInfo"]).reason(), "INTERNAL");
  base::SetLogSink(nullptr, base::LogLevel::kWarning);
}

TEST(ToRpcStatus, ALongMessageIsCutBetweenCharactersAndFitsIntoMetadata) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "ä";
  const pb::RpcStatus status = ToRpc(base::Refuse(Reason::kInvalidField, text, std::string(5000, 'f')));
  EXPECT_LE(status.message().size(), 900u);
  EXPECT_EQ(status.message().substr(status.message().size() - 3), "...");
  EXPECT_EQ(static_cast<unsigned char>(status.message()[status.message().size() - 4]), 0xa4u);
  // grpc-message is percent-encoded, details are base 64; 8 KiB hold both.
  EXPECT_LT(status.message().size() * 3 + status.SerializeAsString().size() * 4 / 3, 8192u);
}

TEST(ToItemStatus, CarriesCodeMessageAndReason) {
  pb::ItemStatus item;
  ToItemStatus(absl::OkStatus(), item);
  EXPECT_EQ(item.ByteSizeLong(), 0u);
  for (const Reason reason : kAll) {
    ToItemStatus(base::Refuse(reason, "why"), item);
    EXPECT_EQ(item.code(), static_cast<int>(base::ReasonCode(reason)));
    EXPECT_EQ(item.message(), "why");
    EXPECT_EQ(pb::ErrorReason_Name(item.reason()), "ERROR_REASON_" + std::string(base::ReasonName(reason)));
  }
}

}  // namespace
}  // namespace muster::wire
