// Bounds that no configuration moves, because clients and stored rows count on them, and what holds when nothing is
// said. Those that an operator sets are in limits.h. Texts are counted in bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "service/base/clock.h"

namespace muster::values {

// Options of a future.
inline constexpr size_t kNameMax = 255;
inline constexpr size_t kGroupMax = 255;
inline constexpr size_t kRequestIdMax = 128;
inline constexpr size_t kLabelsMax = 32;
inline constexpr size_t kLabelKeyMax = 63;
inline constexpr size_t kLabelValueMax = 255;
inline constexpr size_t kMetadataBytesMax = 8192;  // keys and values together

// What is kept, and for how long, when nobody says.
inline constexpr base::Duration kRetentionDefault = std::chrono::hours(1);
// Of what Call and Run make: the caller hears of it at once.
inline constexpr base::Duration kAttachedRetention = std::chrono::seconds(60);
// A request id after its future is gone.
inline constexpr base::Duration kRequestIdWindow = std::chrono::minutes(10);

// What else a request carries.
inline constexpr size_t kFunctionNameMax = 128;
inline constexpr size_t kNamespaceNameMax = 63;
inline constexpr size_t kSessionMax = 64;
inline constexpr size_t kContentTypeMax = 255;
inline constexpr size_t kErrorTypeMax = 255;
inline constexpr int kCausesMax = 8;  // one below the other, under an error
inline constexpr size_t kCancelMessageMax = 4096;
inline constexpr base::Duration kGraceMax = std::chrono::hours(1);

// What an answer carries.
inline constexpr uint32_t kPageDefault = 100;
inline constexpr uint32_t kPageMax = 1000;
inline constexpr size_t kMissingNamed = 10;  // ids in a refusal that tells of futures that are not there

}  // namespace muster::values
