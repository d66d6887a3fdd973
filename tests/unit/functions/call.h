// Calls a blocking function of a registry and takes its result apart.
#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/registry.h"
#include "tests/unit/functions/fake_context.h"

namespace muster::functions {

inline absl::StatusOr<jobs::Payload> CallBlocking(const jobs::Registry& registry, const std::string& name,
                                                  jobs::Payload input) {
  FakeBlockingContext context;
  const jobs::Function* function = registry.Find(name);
  if (function == nullptr) return absl::NotFoundError(name);
  return function->blocking(context, std::move(input));
}
inline absl::StatusOr<jobs::Payload> CallBlocking(const jobs::Registry& registry, const std::string& name,
                                                  const nlohmann::json& input) {
  return CallBlocking(registry, name, jobs::JsonPayload(input));
}

// The error's type as a client sees it: "NotFound", "InvalidInput"; "" for success.
inline std::string ErrorType(const absl::StatusOr<jobs::Payload>& result) {
  const values::OutcomeRef outcome = jobs::ToOutcome(result);
  return outcome->error == nullptr ? "" : outcome->error->type;
}
inline std::string ErrorMessage(const absl::StatusOr<jobs::Payload>& result) {
  return std::string(result.status().message());
}

inline nlohmann::json JsonOf(const absl::StatusOr<jobs::Payload>& result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    return nullptr;
  }
  absl::StatusOr<nlohmann::json> parsed = jobs::ParseJson(*result);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : nlohmann::json();
}

}  // namespace muster::functions
