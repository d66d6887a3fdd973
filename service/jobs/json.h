// JSON in payloads, parsed when a body asks for it and not before. Its numbers are doubles on the wire: 64-bit integers
// and decimals travel as text, bytes as base64.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "service/values/outcome.h"

namespace muster::jobs {

// A JSON payload as a document; the empty payload is null; text and bytes with content type "application/json" are
// parsed. INVALID_INPUT otherwise, and for nesting over 64 levels.
absl::StatusOr<nlohmann::json> ParseJson(const values::Payload& payload);
// What is no UTF-8 in `value` gets replacement characters; NaN and the infinities become null.
values::Payload JsonPayload(const nlohmann::json& value);

// The payload's body as bytes: data and text as they are. INVALID_INPUT for JSON.
absl::StatusOr<std::string> ParseBytes(const values::Payload& payload);

}  // namespace muster::jobs
