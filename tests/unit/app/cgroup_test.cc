#include "service/app/settings/cgroup.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace muster::app {
namespace {

class Cgroup : public ::testing::Test {
 protected:
  Cgroup() {
    root_ = std::filesystem::temp_directory_path() / ("muster-cgroup-" + std::to_string(getpid()) + "-" +
                                                      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  ~Cgroup() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_.string() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text << "\n";
  }
  CgroupLimits Read() const { return ReadCgroupLimits(root_.string()); }

  std::filesystem::path root_;
};

TEST_F(Cgroup, WithoutControlGroupsThereIsNoLimit) {
  EXPECT_FALSE(Read().cpus.has_value());
  EXPECT_FALSE(Read().memory_bytes.has_value());
}

TEST_F(Cgroup, TheLeastLimitOnTheWayUpHolds) {
  Write("/proc/self/cgroup", "0::/pods/a/b");
  Write("/sys/fs/cgroup/pods/a/b/cpu.max", "max 100000");
  Write("/sys/fs/cgroup/pods/a/cpu.max", "150000 100000");
  Write("/sys/fs/cgroup/pods/cpu.max", "400000 100000");
  Write("/sys/fs/cgroup/pods/a/b/memory.max", "1000000");
  Write("/sys/fs/cgroup/pods/a/memory.max", "max");
  EXPECT_EQ(Read().cpus, 1.5);
  EXPECT_EQ(Read().memory_bytes, 1000000u);
}

TEST_F(Cgroup, InsideAContainerTheRootIsTheGroup) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/cpu.max", "50000 100000");
  EXPECT_EQ(Read().cpus, 0.5);
  EXPECT_EQ(UsableCpus(Read()), 1);
}

TEST_F(Cgroup, TheFirstVersionIsReadToo) {
  Write("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x");
  Write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "200000");
  Write("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  Write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(Read().cpus, 2.0);
  EXPECT_FALSE(Read().memory_bytes.has_value());
}

TEST_F(Cgroup, GarbageIsNoLimit) {
  Write("/proc/self/cgroup", "garbage\n0::/a\n::\n");
  Write("/sys/fs/cgroup/a/cpu.max", "fast");
  Write("/sys/fs/cgroup/a/memory.max", "");
  EXPECT_FALSE(Read().cpus.has_value());
  EXPECT_FALSE(Read().memory_bytes.has_value());
}

TEST(BlockingThreads, AreAFewMoreThanThereAreCpus) {
  EXPECT_EQ(DefaultBlockingThreads(1), 5u);
  EXPECT_EQ(DefaultBlockingThreads(8), 12u);
  EXPECT_EQ(DefaultBlockingThreads(96), 32u);
}

}  // namespace
}  // namespace muster::app
