// A values::Error as bytes, for the payload of an absl::Status: how an error keeps its kind, type, details and cause
// while it travels through a body as a status. Never stored, never sent.
#pragma once

#include <optional>
#include <string>

#include "service/values/outcome.h"

namespace muster::jobs {

std::string EncodeError(const values::Error& error);
std::optional<values::Error> DecodeError(const std::string& bytes);

}  // namespace muster::jobs
