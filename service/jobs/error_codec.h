// A core::Error as bytes, for the payload of an absl::Status: how an error keeps its kind, type, details and cause
// while it travels through a body as a status. Never stored, never sent.
#pragma once

#include <optional>
#include <string>

#include "service/core/outcome.h"

namespace muster::jobs {

std::string EncodeError(const core::Error& error);
std::optional<core::Error> DecodeError(const std::string& bytes);

}  // namespace muster::jobs
