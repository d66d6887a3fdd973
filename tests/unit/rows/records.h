// Records for tests of the codec: made at random from a seed, and compared down to what their pointers lead to.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "service/core/record/record.h"

namespace muster::rows {

// Equal in what they mean; pointers are followed.
bool Same(const values::Payload& a, const values::Payload& b);
bool Same(const values::Error* a, const values::Error* b);
bool Same(const values::Outcome* a, const values::Outcome* b);
bool Same(const core::RequestRecord& a, const core::RequestRecord& b);
// The first field in which they differ, or "".
std::string Difference(const core::FutureRecord& a, const core::FutureRecord& b);

std::string ToHex(std::string_view bytes);
std::string FromHex(std::string_view text);

class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed) : random_(seed) {}

  core::FutureRecord Future();
  core::RequestRecord Request();
  core::MembersRecord Members();
  core::MarksRecord Marks();
  values::Payload Payload();
  values::OutcomeRef Outcome(int gathers = 3);
  values::FutureId Id();
  std::string Text();

  bool Chance(int in) { return Below(static_cast<uint64_t>(in)) == 0; }
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  // Of all sizes, the smallest and the largest often.
  uint64_t Number(int bits = 64);
  uint32_t Number32() { return static_cast<uint32_t>(Number(32)); }

 private:
  values::Error Error(int causes_max);
  values::Options Options();
  core::CombinatorRecord Combinator();
  std::map<std::string, std::string> Texts();
  values::Words Words();
  base::Duration Span();
  base::Instant Time();

  std::mt19937_64 random_;
};

}  // namespace muster::rows
