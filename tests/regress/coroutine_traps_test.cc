// g++ 12 miscompiles some statements that contain co_await: a temporary aggregate or a lambda that owns something is
// destroyed twice. Seen as double frees with g++ 12.2:
//
//   co_await f([s] { ... });              co_await f(Options{.text = s});       co_await f({s});
//   Options{.text = co_await g()}         push_back(Options{co_await g()})      b ? co_await g() : std::string()
//   co_await [s]() -> Task<> { ... }();   a statement expression around co_await crashes the compiler
//
// The forms below are the ones we write instead. Each is compiled and run, and counts that every object is destroyed as
// often as it was made; the sanitizer builds watch the memory. MUSTER_TRY_UNSAFE_FORMS=1 at compile time tries the
// unsafe ones too, to find out whether a compiler has them fixed.
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/function.h"
#include "service/base/status.h"
#include "service/coro/sleep.h"
#include "service/coro/task.h"
#include "tests/support/manual_executor.h"

namespace muster::coro {
namespace {

// Counts its live objects, so that a double or missing destruction shows without a sanitizer.
class Counted {
 public:
  Counted() { ++live; }
  explicit Counted(std::string text) : text_(std::move(text)) { ++live; }
  Counted(const Counted& other) : text_(other.text_) { ++live; }
  Counted(Counted&& other) noexcept : text_(std::move(other.text_)) { ++live; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { --live; }
  const std::string& text() const { return text_; }

  static int live;

 private:
  std::string text_ = "a text that does not fit into the small string buffer";
};
int Counted::live = 0;

struct Options {
  Counted first;
  Counted second;
};

class WithConstructor {
 public:
  WithConstructor(Counted first, Counted second) : options_{std::move(first), std::move(second)} {}
  std::size_t size() const { return options_.first.text().size() + options_.second.text().size(); }

 private:
  Options options_;
};

// Suspends for real, so that everything in the awaiting statement lives in the frame across it.
Task<std::size_t> SizeOf(Options options) {
  CancelToken token;
  const absl::Status status = co_await Yield(token);
  co_return status.ok() ? options.first.text().size() + options.second.text().size() : 0;
}
Task<std::size_t> SizeOfClass(WithConstructor options) {
  CancelToken token;
  const absl::Status status = co_await Yield(token);
  co_return status.ok() ? options.size() : 0;
}
Task<Counted> MakeCounted() {
  CancelToken token;
  const absl::Status status = co_await Yield(token);
  co_return Counted(std::string(status.message()) + "made in a coroutine, long enough for the heap");
}
Task<int> Call(base::UniqueFunction<int()> function) {
  CancelToken token;
  const absl::Status status = co_await Yield(token);
  co_return status.ok() ? function() : 0;
}
Task<Options> MakeOptions() {
  Counted first = co_await MakeCounted();
  co_return Options{std::move(first), Counted()};
}
Task<std::tuple<Counted, int>> MakeTuple() { co_return std::tuple<Counted, int>(Counted(), 3); }
Task<absl::StatusOr<Counted>> MakeOr(bool fail) {
  if (fail) co_return absl::NotFoundError("a message that is long enough for the heap, too");
  co_return co_await MakeCounted();
}

template <typename Body>
void RunCounting(Body body) {
  const int before = Counted::live;
  test::ManualExecutor().Run(body());
  EXPECT_EQ(Counted::live, before);
}

Task<void> NamedAggregate() {
  Options options{Counted(), Counted()};
  const std::size_t size = co_await SizeOf(std::move(options));
  EXPECT_GT(size, 0u);
}
TEST(CoroutineTrapsTest, ANamedAggregateMovedIn) { RunCounting(&NamedAggregate); }

Task<void> ClassTemporary() {
  const std::size_t size =
      co_await SizeOfClass(WithConstructor(Counted(), Counted("second text, also on the heap ...")));
  EXPECT_GT(size, 0u);
}
TEST(CoroutineTrapsTest, ATemporaryOfAClassWithAConstructor) { RunCounting(&ClassTemporary); }

Task<void> NamedLambda() {
  const Counted owned;
  auto function = [owned] { return static_cast<int>(owned.text().size()); };
  const int size = co_await Call(std::move(function));
  EXPECT_GT(size, 0);
}
TEST(CoroutineTrapsTest, ANamedLambdaMovedIn) { RunCounting(&NamedLambda); }

Task<void> OperandsOneByOne() {
  Counted first = co_await MakeCounted();
  std::vector<Options> all;
  Options one{std::move(first), Counted()};
  all.push_back(std::move(one));
  Counted chosen;
  if (all.empty()) {
    chosen = Counted();
  } else {
    chosen = co_await MakeCounted();
  }
  EXPECT_EQ(all.size(), 1u);
  EXPECT_FALSE(chosen.text().empty());
}
TEST(CoroutineTrapsTest, AwaitsOnLinesOfTheirOwn) { RunCounting(&OperandsOneByOne); }

Task<void> Results() {
  const Options options = co_await MakeOptions();
  const auto [counted, number] = co_await MakeTuple();
  EXPECT_EQ(number, 3);
  if (auto text = co_await MakeCounted(); !text.text().empty()) {
    EXPECT_FALSE(options.first.text().empty());
  }
  EXPECT_EQ((co_await MakeCounted()).text().substr(0, 4), "made");
}
TEST(CoroutineTrapsTest, AggregatesAsResultsAndStructuredBindings) { RunCounting(&Results); }

Task<absl::StatusOr<std::string>> WithMacros(bool fail) {
  MUSTER_CO_RETURN_IF_ERROR(co_await MakeOr(false));
  MUSTER_CO_ASSIGN_OR_RETURN(const Counted counted, co_await MakeOr(fail));
  co_return counted.text();
}
Task<void> StatusMacros() {
  const absl::StatusOr<std::string> good = co_await WithMacros(false);
  EXPECT_TRUE(good.ok());
  const absl::StatusOr<std::string> bad = co_await WithMacros(true);
  EXPECT_TRUE(absl::IsNotFound(bad.status()));
}
TEST(CoroutineTrapsTest, TheStatusMacros) { RunCounting(&StatusMacros); }

Task<int> Deep(int depth) {
  if (depth == 0) {
    CancelToken token;
    const absl::Status status = co_await Yield(token);
    co_return status.ok() ? 0 : -1;
  }
  co_return 1 + co_await Deep(depth - 1);
}
TEST(CoroutineTrapsTest, NestingCostsStackOnlyByItsDepth) { EXPECT_EQ(test::ManualExecutor().Run(Deep(2000)), 2000); }

#if defined(MUSTER_TRY_UNSAFE_FORMS)
Task<void> UnsafeAggregate() {
  const std::size_t size = co_await SizeOf(Options{.first = Counted(), .second = Counted()});
  EXPECT_GT(size, 0u);
}
TEST(UnsafeFormsTest, AnAggregateTemporary) { RunCounting(&UnsafeAggregate); }

Task<void> UnsafeLambda() {
  const Counted owned;
  const int size = co_await Call([owned] { return static_cast<int>(owned.text().size()); });
  EXPECT_GT(size, 0);
}
TEST(UnsafeFormsTest, ALambdaTemporary) { RunCounting(&UnsafeLambda); }
#endif

}  // namespace
}  // namespace muster::coro
