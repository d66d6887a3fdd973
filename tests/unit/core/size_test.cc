// What a future costs: the record, and what the heap really gives for many of them.
#include <malloc.h>

#include "service/core/futures/future.h"
#include "tests/unit/core/core_fixture.h"

namespace muster::core {
namespace {

size_t HeapInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST_F(CoreTest, APendingFutureIsSmall) {
  RecordProperty("future", sizeof(Future));
  printf("Future %zu bytes, Cold %zu, Combinator %zu, MemberLink %zu, WaitLink %zu\n", sizeof(Future), sizeof(Cold),
         sizeof(Combinator), sizeof(MemberLink), sizeof(WaitLink));
  EXPECT_LE(sizeof(Future), 384u);
  EXPECT_LE(sizeof(WaitLink), 48u);
#if !defined(__SANITIZE_ADDRESS__)
  constexpr int kCount = 100'000;
  const size_t before = HeapInUse();
  for (int at = 0; at < kCount; ++at) {
    out.clear();
    shard.Apply(Command(JobOf(FunctionKind::kAsync)), now, out);
  }
  out.clear();
  const size_t each = (HeapInUse() - before) / kCount;
  printf("a queued job costs %zu bytes\n", each);
  EXPECT_LE(each, 512u);
#endif
}

}  // namespace
}  // namespace muster::core
