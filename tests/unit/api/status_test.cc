#include "service/api/status.h"

#include <map>
#include <string>

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include "muster/v1/error.pb.h"
#include "service/base/log.h"
#include "service/base/reason.h"

namespace muster::api {
namespace {

namespace pb = ::muster::v1;
using base::Reason;

constexpr Reason kAll[] = {
#define MUSTER_TEST_REASON(name, wire, code) Reason::name,
    MUSTER_REASONS(MUSTER_TEST_REASON)
#undef MUSTER_TEST_REASON
};

// The details by the last part of their type URL.
std::map<std::string, std::string> DetailsOf(const grpc::Status& status) {
  pb::RpcStatus wire;
  EXPECT_TRUE(wire.ParseFromString(status.error_details()));
  EXPECT_EQ(wire.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(wire.message(), status.error_message());
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

TEST(ToGrpc, OkStaysOk) {
  const grpc::Status status = ToGrpc(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_details(), "");
}

TEST(ToGrpc, EveryReasonHasErrorInfoWithTheDomain) {
  for (const Reason reason : kAll) {
    const grpc::Status status = ToGrpc(base::Refuse(reason, "why", "some.field"));
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(base::ReasonCode(reason)));
    auto details = DetailsOf(status);
    const auto info = Parsed<pb::ErrorInfo>(details["ErrorInfo"]);
    EXPECT_EQ(info.reason(), base::ReasonName(reason));
    EXPECT_EQ(info.domain(), "muster");
    EXPECT_EQ(info.metadata().at("field"), "some.field");
    // A disk that has failed does not mend itself.
    const bool is_temporary = (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                               status.error_code() == grpc::StatusCode::UNAVAILABLE) &&
                              reason != Reason::kStoreFailed;
    EXPECT_EQ(details.count("RetryInfo"), is_temporary ? 1u : 0u) << base::ReasonName(reason);
    EXPECT_EQ(details.count("QuotaFailure"), status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ? 1u : 0u);
  }
}

TEST(ToGrpc, AFieldAtFaultIsABadRequest) {
  auto details = DetailsOf(ToGrpc(base::Refuse(Reason::kInvalidField, "too long", "future.options.name")));
  const auto bad = Parsed<pb::BadRequest>(details["BadRequest"]);
  ASSERT_EQ(bad.field_violations_size(), 1);
  EXPECT_EQ(bad.field_violations(0).field(), "future.options.name");
  EXPECT_EQ(bad.field_violations(0).description(), "too long");
}

TEST(ToGrpc, AQuotaSaysWhoseItIs) {
  const StatusContext context("Submit", "mine");
  auto details = DetailsOf(ToGrpc(base::Refuse(Reason::kTooManyBytes, "full"), context));
  EXPECT_EQ(Parsed<pb::QuotaFailure>(details["QuotaFailure"]).violations(0).subject(), "namespace:mine");
  details = DetailsOf(ToGrpc(base::Refuse(Reason::kTooManyFutures, "full"), context));
  EXPECT_EQ(Parsed<pb::QuotaFailure>(details["QuotaFailure"]).violations(0).subject(), "server");
}

TEST(ToGrpc, WhatIsNoRefusalStaysInside) {
  base::SetLogSink([](base::LogLevel, std::string_view, std::span<const base::LogField>) {}, base::LogLevel::kDebug);
  const grpc::Status status = ToGrpc(absl::UnknownError("table 'x' of 10.0.0.1 has no row 7"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message().find("10.0.0.1"), std::string::npos);
  auto details = DetailsOf(status);
  EXPECT_EQ(Parsed<pb::ErrorInfo>(details["ErrorInfo"]).reason(), "INTERNAL");
  base::SetLogSink(nullptr, base::LogLevel::kWarning);
}

TEST(ToGrpc, ALongMessageIsCutBetweenCharactersAndFitsIntoMetadata) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "ä";
  const grpc::Status status = ToGrpc(base::Refuse(Reason::kInvalidField, text, std::string(5000, 'f')));
  EXPECT_LE(status.error_message().size(), 900u);
  EXPECT_EQ(status.error_message().substr(status.error_message().size() - 3), "...");
  EXPECT_EQ(static_cast<unsigned char>(status.error_message()[status.error_message().size() - 4]), 0xa4u);
  // grpc-message is percent-encoded, details are base 64; 8 KiB hold both.
  EXPECT_LT(status.error_message().size() * 3 + status.error_details().size() * 4 / 3, 8192u);
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
}  // namespace muster::api
