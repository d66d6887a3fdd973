// CRC-32 as gzip, PNG and Ethernet have it (ISO 3309, polynomial 0xEDB88320 reflected).
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::functions {

// Goes on from `crc`, which is 0 at the start.
uint32_t Crc32(uint32_t crc, std::string_view data);

}  // namespace muster::functions
