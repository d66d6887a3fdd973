#include "service/dispatch/directory.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/base/thread.h"

namespace muster::dispatch {
namespace {

using values::FunctionKind;

absl::StatusOr<jobs::Payload> Nothing(jobs::BlockingContext&, jobs::Payload) { return jobs::Payload(); }
coro::Task<absl::StatusOr<jobs::Payload>> Same(jobs::JobContext&, jobs::Payload input) { co_return input; }

void Add(jobs::Registry& registry, std::string name) {
  ASSERT_TRUE(registry.AddBlocking(std::move(name), "", jobs::Payload(), Nothing).ok());
}

TEST(Directory, ServesARegistryInItsOrder) {
  jobs::Registry registry;
  ASSERT_TRUE(registry.AddAsync("b.async", "says the same", jobs::Payload::Text("x"), Same).ok());
  Add(registry, "a_blocking");
  Directory directory;
  ASSERT_TRUE(directory.ServeAll(registry).ok());

  const Function* found = directory.Find("b.async");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, 0u);
  EXPECT_EQ(found->kind, FunctionKind::kAsync);
  EXPECT_EQ(found->definition(), registry.Find("b.async"));
  EXPECT_EQ(&directory.At(0), found);
  EXPECT_EQ(directory.Find("a_blocking")->id, 1u);
  EXPECT_EQ(directory.Find("b.asyn"), nullptr);
  EXPECT_EQ(directory.Find(""), nullptr);

  std::vector<std::string> names;
  for (const jobs::Function* each : directory.Sorted()) names.push_back(each->name);
  EXPECT_EQ(names, (std::vector<std::string>{"a_blocking", "b.async"}));
}

TEST(Directory, OneThatIsKnownAndNotServedIsFoundAndNotOffered) {
  Directory directory;
  ASSERT_TRUE(directory.Know(7, "gone", FunctionKind::kBlocking).ok());
  const Function* gone = directory.Find("gone");
  ASSERT_NE(gone, nullptr);
  EXPECT_FALSE(gone->served());
  EXPECT_TRUE(directory.Sorted().empty());
  EXPECT_TRUE(directory.Resembling("gone").empty());

  jobs::Registry registry;
  Add(registry, "gone");
  ASSERT_TRUE(directory.Serve(*registry.Find("gone")).ok());
  EXPECT_TRUE(gone->served());
  EXPECT_EQ(directory.Find("gone"), gone);
  EXPECT_EQ(gone->id, 7u);
  EXPECT_EQ(directory.Sorted().size(), 1u);
  directory.Withdraw("gone");
  EXPECT_FALSE(gone->served());
  EXPECT_EQ(directory.Find("gone"), gone);
}

TEST(Directory, AnOperatorMayWantTheUnservedNotToBeFound) {
  Directory directory;
  directory.FailUnserved();
  ASSERT_TRUE(directory.Know(0, "gone", FunctionKind::kBlocking).ok());
  EXPECT_EQ(directory.Find("gone"), nullptr);
  jobs::Registry registry;
  Add(registry, "gone");
  ASSERT_TRUE(directory.Serve(*registry.Find("gone")).ok());
  EXPECT_NE(directory.Find("gone"), nullptr);
}

TEST(Directory, ANumberAndANameBelongTogetherForEver) {
  Directory directory;
  ASSERT_TRUE(directory.Know(300, "a", FunctionKind::kAsync).ok());
  EXPECT_EQ(directory.Know(300, "b", FunctionKind::kAsync).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(directory.Know(301, "a", FunctionKind::kAsync).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(directory.Know(Directory::kFunctionsMax, "c", FunctionKind::kAsync).code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(directory.Know(Directory::kFunctionsMax - 1, "c", FunctionKind::kAsync).ok());
  EXPECT_TRUE(directory.Knows(300));
  EXPECT_TRUE(directory.Knows(Directory::kFunctionsMax - 1));
  for (const values::FunctionId other : {0u, 299u, 301u, Directory::kFunctionsMax, 0xffffffffu}) {
    EXPECT_FALSE(directory.Knows(other)) << other;
  }
}

TEST(Directory, ServesOnlyWhatIsKnownAndAsWhatItIsKnown) {
  jobs::Registry registry;
  Add(registry, "f");
  Directory directory;
  EXPECT_EQ(directory.Serve(*registry.Find("f")).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(directory.Know(0, "f", FunctionKind::kAsync).ok());
  EXPECT_EQ(directory.Serve(*registry.Find("f")).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Directory, TellsWhoeverListens) {
  struct Noting final : Directory::Listener {
    void OnServedChanged(const Function& function) override {
      told.push_back(fmt::format("{} {}", function.name, function.served()));
    }
    std::vector<std::string> told;
  } listener;
  jobs::Registry registry;
  Add(registry, "f");
  Directory directory;
  ASSERT_TRUE(directory.ServeAll(registry).ok());
  directory.Listen(listener);
  directory.Withdraw("f");
  directory.Withdraw("never known");
  ASSERT_TRUE(directory.Serve(*registry.Find("f")).ok());
  directory.Unlisten(listener);
  directory.Withdraw("f");
  EXPECT_EQ(listener.told, (std::vector<std::string>{"f false", "f true"}));
}

TEST(Directory, SuggestsNamesThatResemble) {
  jobs::Registry registry;
  for (const char* name : {"file.read", "file.write", "file.list", "echo", "sleep"}) Add(registry, name);
  Directory directory;
  ASSERT_TRUE(directory.ServeAll(registry).ok());
  EXPECT_EQ(directory.Resembling("ehco"), (std::vector<std::string>{"echo"}));
  EXPECT_EQ(directory.Resembling("file.raed").front(), "file.read");
  EXPECT_EQ(directory.Resembling("file").size(), 3u);
  EXPECT_EQ(directory.Resembling("file", 1).size(), 1u);
  EXPECT_TRUE(directory.Resembling("something.quite.different").empty());
  EXPECT_TRUE(directory.Resembling(std::string(1'000'000, 'x')).empty());
}

// One thread makes functions known, the other finds them, by name and by number, while the tables grow.
TEST(Directory, IsReadWithoutALockWhileItGrows) {
  constexpr values::FunctionId kMany = 2'000;
  Directory directory;
  std::atomic<values::FunctionId> known{0};
  base::Thread writer("writer", [&] {
    for (values::FunctionId id = 0; id < kMany; ++id) {
      EXPECT_TRUE(directory.Know(id, fmt::format("f-{}", id), FunctionKind::kAsync).ok());
      known.store(id + 1, std::memory_order_release);
    }
  });
  values::FunctionId until = 0;
  do {
    until = known.load(std::memory_order_acquire);
    for (values::FunctionId id = until > 70 ? until - 70 : 0; id < until; ++id) {
      const Function* found = directory.Find(fmt::format("f-{}", id));
      ASSERT_NE(found, nullptr) << id;
      ASSERT_EQ(found->id, id);
      ASSERT_TRUE(directory.Knows(id));
      ASSERT_EQ(&directory.At(id), found);
    }
    EXPECT_EQ(directory.Find("f--1"), nullptr);
  } while (until < kMany);
  writer.Join();
  EXPECT_EQ(directory.Known().size(), kMany);
}

}  // namespace
}  // namespace muster::dispatch
