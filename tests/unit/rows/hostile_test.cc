// Rows that no encoder wrote: each is refused with what is wrong and where, or read as something that could be.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/rows/detail/form.h"
#include "service/rows/detail/writer.h"
#include "tests/unit/rows/recode.h"
#include "tests/unit/rows/records.h"

namespace muster::rows {
namespace {

using detail::Writer;
using ::testing::HasSubstr;

std::string RandomRow(RowKind kind, RandomRecords& random) {
  std::string row;
  switch (kind) {
    case RowKind::kFuture:
      Encode(random.Future(), row);
      break;
    case RowKind::kInput:
      Encode(random.Payload(), row);
      break;
    case RowKind::kMembers:
      Encode(random.Members(), row);
      break;
    case RowKind::kRequest:
      Encode(random.Request(), row);
      break;
    case RowKind::kMarks:
      Encode(random.Marks(), row);
      break;
    case RowKind::kFunction:
      Encode(FunctionRow{random.Text(), static_cast<values::FunctionKind>(random.Below(4))}, row);
      break;
    case RowKind::kHeader:
      Encode(HeaderRow{random.Number32(), random.Number32(), random.Text()}, row);
      break;
    case RowKind::kName:
      EncodeName(random.Text(), row);
      break;
  }
  return row;
}

// A row of version 1 whose rest `write` gives.
std::string Row(const std::function<void(Writer&)>& write) {
  std::string row;
  {
    Writer writer(row);
    writer.Byte(1);
    write(writer);
  }
  return row;
}

// A future of nothing but the fields of `mask`, which `write` gives.
std::string FutureRow(uint64_t mask, const std::function<void(Writer&)>& write, uint8_t what = 0) {
  return Row([&](Writer& writer) {
    writer.Byte(what);
    writer.Varint(mask);
    for (int zero = 0; zero < 3; ++zero) writer.Varint(0);
    writer.Fixed16(0);
    writer.Time({});
    write(writer);
  });
}

absl::Status StatusOf(RowKind kind, std::string_view row) { return Recode(kind, row).status(); }

void ExpectRefused(RowKind kind, std::string_view row, std::string_view says) {
  const absl::Status status = StatusOf(kind, row);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status << ": " << ToHex(row);
  EXPECT_THAT(status.message(), HasSubstr(std::string(says))) << ToHex(row);
}

TEST(HostileRowTest, EveryPrefixIsRefusedAndSoIsAByteTooMany) {
  RandomRecords random(21);
  for (int kind = 0; kind < kRowKinds; ++kind) {
    for (int round = 0; round < 200; ++round) {
      const std::string row = RandomRow(static_cast<RowKind>(kind), random);
      for (size_t size = 0; size < row.size(); ++size) {
        const absl::Status status = StatusOf(static_cast<RowKind>(kind), std::string_view(row).substr(0, size));
        ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << kind << ": " << size << " of " << ToHex(row);
      }
      ExpectRefused(static_cast<RowKind>(kind), row + '\0', "end: 1 bytes are left over");
    }
  }
}

TEST(HostileRowTest, WhatMutationsLeaveIsRefusedOrReadAsItWouldBeWritten) {
  RandomRecords random(22);
  int read = 0, refused = 0;
  for (int round = 0; round < 100'000; ++round) {
    const RowKind kind = static_cast<RowKind>(round % kRowKinds);
    std::string row = RandomRow(kind, random);
    for (uint64_t count = 1 + random.Below(4); count > 0 && !row.empty(); --count) {
      const size_t at = random.Below(row.size());
      switch (random.Below(4)) {
        case 0:
          row[at] = static_cast<char>(row[at] ^ 1 << random.Below(8));
          break;
        case 1:
          row[at] = static_cast<char>(random.Below(256));
          break;
        case 2:
          row.erase(at, 1 + random.Below(4));
          break;
        default:
          row.insert(at, 1, static_cast<char>(random.Below(256)));
      }
    }
    const absl::StatusOr<std::string> once = Recode(kind, row);
    if (!once.ok()) {
      ASSERT_EQ(once.status().code(), absl::StatusCode::kDataLoss);
      ++refused;
      continue;
    }
    ++read;
    const absl::StatusOr<std::string> twice = Recode(kind, *once);
    ASSERT_TRUE(twice.ok()) << twice.status() << " after " << ToHex(row);
    ASSERT_EQ(*once, *twice) << ToHex(row);
  }
  EXPECT_GT(read, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(HostileRowTest, ANewerVersionIsRefusedAsSuch) {
  RandomRecords random(23);
  for (int kind = 0; kind < kRowKinds; ++kind) {
    std::string row = RandomRow(static_cast<RowKind>(kind), random);
    row[0] = kRowVersion + 1;
    ExpectRefused(static_cast<RowKind>(kind), row, "version: 2: a newer version of the server wrote it");
    row[0] = 0;
    ExpectRefused(static_cast<RowKind>(kind), row, "version: 0");
    ExpectRefused(static_cast<RowKind>(kind), "", "version: cut short");
  }
}

TEST(HostileRowTest, TheMessageSaysWhichRowWhereAndWhat) {
  const absl::Status status = StatusOf(RowKind::kMarks, std::string("\x01\x05", 2));
  EXPECT_EQ(status.message(), "row of marks, byte 2 of 2: last_completion: cut short");
}

TEST(HostileRowTest, ValuesOutOfTheirRangeAreRefused) {
  const auto nothing = [](Writer&) {};
  ExpectRefused(RowKind::kFuture, FutureRow(0, nothing, 5), "kind: 5 is unknown; 4 is the last");
  ExpectRefused(RowKind::kFuture, FutureRow(0, nothing, 7 << 4), "state: 7 is unknown; 6 is the last");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kFutureBits + 1, nothing), "fields: 0x800000 has unknown bits");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kFunctionKind, [](Writer& w) { w.Byte(4); }), "function_kind: 4");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kAttempt, [](Writer& w) { w.Varint(uint64_t{1} << 32); }),
                "attempt: 4294967296 does not fit into 32 bits");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kOptions, [](Writer& w) { w.Varint(1 << 11); }), "options: 0x800");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kOptions, [](Writer& w) { w.Varint(detail::kFirstRequestId); }),
                "options.request_id: is said to be that of the first request");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kCombinator, [](Writer& w) { w.Varint(1 << 12); }),
                "combinator: 0x1000");
  ExpectRefused(RowKind::kRequest, Row([](Writer& w) { w.Varint(1 << 7); }), "request: 0x80");
  ExpectRefused(RowKind::kRequest, Row([](Writer& w) {
                  w.Varint(detail::kElsewhereState);
                  w.Byte(7);
                }),
                "elsewhere_state: 7");
  ExpectRefused(RowKind::kFunction, Row([](Writer& w) { w.Byte(4); }), "kind: 4");
  // The encodings 4 to 7, a content type without content, an unknown bit.
  ExpectRefused(RowKind::kInput, Row([](Writer& w) {
                  w.Byte(1 | 4 << 1);
                  w.Text("");
                }),
                "payload: 4 is unknown; 3 is the last");
  ExpectRefused(RowKind::kInput, Row([](Writer& w) { w.Byte(detail::kContentType); }), "can't begin with 0x10");
  ExpectRefused(RowKind::kInput, Row([](Writer& w) { w.Byte(1 | 1 << 6); }), "can't begin with 0x41");
  const auto outcome = [](uint64_t tag) {
    return FutureRow(detail::kOutcome, [tag](Writer& w) {
      w.Varint(tag);
      w.Byte(6);
    });
  };
  ExpectRefused(RowKind::kFuture, outcome(1), "outcome: 6 is unknown; 5 is the last");
  ExpectRefused(RowKind::kFuture, outcome(4), "outcome: refers to outcome 0 of 0 before it");
  ExpectRefused(RowKind::kFuture, outcome(UINT64_MAX), "before it");
}

TEST(HostileRowTest, IdsThatNoServerGaveAreRefused) {
  const auto members = [](uint64_t sequence, uint64_t incarnation, uint64_t slot, uint64_t shard) {
    return Row([=](Writer& w) {
      w.Varint(1);
      for (const uint64_t part : {sequence, incarnation, slot, shard}) w.Varint(part);
      w.Fixed16(0xffff);
      w.Varint(1);
      w.Varint(0);
    });
  };
  EXPECT_TRUE(StatusOf(RowKind::kMembers, members((uint64_t{1} << 48) - 1, (1 << 30) - 1, UINT32_MAX, 1023)).ok());
  ExpectRefused(RowKind::kMembers, members(uint64_t{1} << 48, 0, 0, 0), "does not fit into 48 bits");
  ExpectRefused(RowKind::kMembers, members(1, 1 << 30, 0, 0), "does not fit into 30 bits");
  ExpectRefused(RowKind::kMembers, members(1, 1, uint64_t{1} << 32, 0), "does not fit into 32 bits");
  ExpectRefused(RowKind::kMembers, members(1, 1, 1, 1024), "does not fit into 10 bits");
}

TEST(HostileRowTest, CountsBeyondWhatFollowsAreRefused) {
  for (const uint64_t count : {uint64_t{2}, uint64_t{1} << 20, uint64_t{1} << 40, UINT64_MAX}) {
    const auto claim = [count](Writer& w) { w.Varint(count); };
    ExpectRefused(RowKind::kName, Row(claim), "are said to follow, but 0 bytes do");
    ExpectRefused(RowKind::kMembers, Row(claim), "members: ");
    ExpectRefused(RowKind::kMembers, Row([&](Writer& w) {
                    w.Varint(0);
                    w.Varint(count);
                  }),
                  "positions: ");
    ExpectRefused(RowKind::kFuture, FutureRow(detail::kRequests, claim), "requests: ");
    ExpectRefused(RowKind::kFuture, FutureRow(detail::kRemoteCancels, claim), "remote_cancels: ");
    ExpectRefused(RowKind::kFuture,
                  FutureRow(detail::kCombinator,
                            [&](Writer& w) {
                              w.Varint(detail::kCancelsSent);
                              w.Varint(count);
                            }),
                  "cancels_sent: ");
    ExpectRefused(RowKind::kFuture,
                  FutureRow(detail::kOptions,
                            [&](Writer& w) {
                              w.Varint(detail::kOptionBit.labels);
                              w.Varint(count);
                            }),
                  "options.labels: ");
    ExpectRefused(RowKind::kFuture,
                  FutureRow(detail::kOutcome,
                            [&](Writer& w) {
                              w.Varint(3);
                              w.Varint(count);
                            }),
                  "outcome: ");
  }
}

// Room is made for no more elements than the bytes that follow can be, each at its smallest.
TEST(HostileRowTest, ACountIsHeldAgainstTheSizeOfItsElements) {
  const auto padded = [](uint64_t count) {
    return [count](Writer& w) {
      w.Varint(count);
      for (int zero = 0; zero < 63; ++zero) w.Byte(0);
    };
  };
  ExpectRefused(RowKind::kMembers, Row(padded(10)),
                "members: 10 of at least 7 bytes are said to follow, but 63 bytes do");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kRemoteCancels, padded(8)), "8 of at least 9 bytes");
  ExpectRefused(RowKind::kFuture, FutureRow(detail::kRequests, padded(32)), "32 of at least 2 bytes");
}

TEST(HostileRowTest, APositionWithoutAMemberIsRefused) {
  ExpectRefused(RowKind::kMembers, Row([](Writer& w) {
                  w.Varint(1);
                  w.Id({.sequence = 1});
                  w.Varint(2);
                  w.Varint(2);
                  w.Varint(0);
                  w.Varint(1);
                }),
                "position: 1 of 1 members");
}

TEST(HostileRowTest, AKeyThatIsThereTwiceIsRefused) {
  for (const auto& [first, second] : {std::pair("a", "a"), std::pair("b", "a")}) {
    const std::string row = FutureRow(detail::kOptions, [&, first = first, second = second](Writer& w) {
      w.Varint(detail::kOptionBit.labels);
      w.Varint(2);
      for (const char* text : {first, "1", second, "2"}) w.Text(text);
    });
    ExpectRefused(RowKind::kFuture, row, "options.labels: a key that is there twice, or out of order");
  }
}

TEST(HostileRowTest, NumbersHaveOneForm) {
  ExpectRefused(RowKind::kMarks, std::string("\x01\x80\x00\x00", 4), "longer than it needs to be");
  ExpectRefused(RowKind::kMarks, "\x01" + std::string(9, '\xff') + "\x02", "more than 64 bits");
  ExpectRefused(RowKind::kMarks, "\x01" + std::string(100, '\xff'), "more than 64 bits");
  EXPECT_TRUE(StatusOf(RowKind::kMarks, "\x01" + std::string(9, '\xff') + "\x01\x05").ok());
}

TEST(HostileRowTest, NestingHasItsLimits) {
  // A gather of a gather of a gather ..., each of one part.
  const auto gathers = [](int depth) {
    return Row([depth](Writer& w) {
      w.Varint(detail::kElsewhereOutcome);
      for (int at = 0; at < depth; ++at) {
        w.Varint(3);
        w.Varint(1);
      }
      w.Varint(0);
      w.Byte(0);
    });
  };
  EXPECT_TRUE(StatusOf(RowKind::kRequest, gathers(detail::kGathersMax)).ok());
  ExpectRefused(RowKind::kRequest, gathers(detail::kGathersMax + 1), "gathers nest deeper than 1024");
  ExpectRefused(RowKind::kRequest, gathers(1'000'000), "gathers nest deeper than 1024");

  const auto causes = [](int depth) {
    return Row([depth](Writer& w) {
      w.Varint(detail::kElsewhereOutcome);
      w.Varint(1);
      for (int at = 0; at < depth; ++at) w.Byte(detail::kCause);
      w.Byte(0);
    });
  };
  EXPECT_TRUE(StatusOf(RowKind::kRequest, causes(detail::kCausesMax)).ok());
  ExpectRefused(RowKind::kRequest, causes(detail::kCausesMax + 1), "an error with more than 16 causes");
  ExpectRefused(RowKind::kRequest, causes(1'000'000), "an error with more than 16 causes");
}

// A gather may refer to what stands before it within the same row, and not to itself or to what comes.
TEST(HostileRowTest, OutcomesReferBackwardsOnly) {
  const auto gather = [](uint64_t reference) {
    return Row([reference](Writer& w) {
      w.Varint(detail::kElsewhereOutcome);
      w.Varint(3);
      w.Varint(3);
      w.Varint(0);
      w.Byte(0);
      w.Varint(detail::kFirstBackReference + reference);
      w.Varint(0);
      w.Byte(0);
    });
  };
  EXPECT_TRUE(StatusOf(RowKind::kRequest, gather(0)).ok());
  ExpectRefused(RowKind::kRequest, gather(1), "refers to outcome 1 of 1 before it");
}

}  // namespace
}  // namespace muster::rows
