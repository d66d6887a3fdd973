// Reads a RunResponse off the wire without making the message: a load generator that parsed each completion would be
// slower than a server that makes it, and one would measure the generator.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace muster::bench {

struct RunScan {
  uint32_t credits = 0;
  std::vector<uint64_t> done_tags;  // of the items that succeeded, in their order
  std::string failure;              // what was wrong with the first item that did not succeed, or with the bytes
};

// Fills `scan` anew; its vector keeps its capacity.
void ScanRunResponse(std::span<const uint8_t> bytes, RunScan& scan);

}  // namespace muster::bench
