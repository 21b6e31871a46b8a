#include "base/cpu_quota.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

// Makes a root directory with these files (path, text), and returns its path.
std::string RootWith(const std::map<std::string, std::string>& files) {
  static int count = 0;
  const std::string root =
      std::string(std::getenv("TEST_TMPDIR")) + "/tree" + std::to_string(count++);
  std::filesystem::create_directories(root);
  for (const auto& [path, text] : files) {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  return root;
}

std::optional<double> QuotaIn(const std::map<std::string, std::string>& files) {
  return CpuQuota(RootWith(files));
}

const char kMounts2[] =
    "23 30 0:21 / /proc rw,nosuid - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(CpuQuotaTest, Version2InAContainer) {
  const auto quota = QuotaIn({{"/proc/self/cgroup", "0::/\n"},
                              {"/proc/self/mountinfo", kMounts2},
                              {"/sys/fs/cgroup/cpu.max", "150000 100000\n"}});
  EXPECT_EQ(quota, 1.5);
}

// `quota` is the processor time for each 100000 us, in us: the form in which `docker run --cpus=`
// sets it.
TEST(CpuQuotaTest, ThreadsKeepToIt) {
  const auto threads = [](const std::string& quota, int cores) {
    return ThreadsWithinQuota(cores, RootWith({{"/proc/self/cgroup", "0::/\n"},
                                               {"/proc/self/mountinfo", kMounts2},
                                               {"/sys/fs/cgroup/cpu.max", quota + " 100000\n"}}));
  };
  EXPECT_EQ(threads("50000", 8), 1);
  EXPECT_EQ(threads("100000", 8), 1);
  EXPECT_EQ(threads("150000", 8), 2);
  EXPECT_EQ(threads("1600000", 8), 8);
  EXPECT_EQ(threads("max", 8), 8);
  EXPECT_EQ(threads("150000", 1), 1);
}

TEST(CpuQuotaTest, TheLeastOfAGroupAndThoseAboveIt) {
  std::map<std::string, std::string> files = {
      {"/proc/self/cgroup", "0::/user.slice/train.service\n"},
      {"/proc/self/mountinfo", kMounts2},
      {"/sys/fs/cgroup/user.slice/cpu.max", "300000 100000\n"},
      {"/sys/fs/cgroup/user.slice/train.service/cpu.max", "max 100000\n"}};
  EXPECT_EQ(QuotaIn(files), 3);
  files["/sys/fs/cgroup/user.slice/train.service/cpu.max"] = "20000 10000\n";
  EXPECT_EQ(QuotaIn(files), 2);
}

TEST(CpuQuotaTest, Version1) {
  std::map<std::string, std::string> files = {
      {"/proc/self/cgroup",
       "5:memory:/\n4:cpu,cpuacct:/docker/0a1b\n3:cpuset:/docker/0a1b\n0::/\n"},
      {"/proc/self/mountinfo",
       "31 30 0:27 /docker/0a1b /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
       "32 30 0:28 / /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}};
  EXPECT_EQ(QuotaIn(files), 0.5);
  // The group's path is not below the group that is mounted (here /docker/0a1b), so the group at
  // the mount point is taken for the process's group.
  for (const char* const elsewhere : {"/../elsewhere", "/docker/0a1b2"}) {
    files["/proc/self/cgroup"] = std::string("4:cpu,cpuacct:") + elsewhere + "\n";
    EXPECT_EQ(QuotaIn(files), 0.5) << elsewhere;
  }
  files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "-1\n";
  EXPECT_EQ(QuotaIn(files), std::nullopt);
}

TEST(CpuQuotaTest, NoneWhereNothingTells) {
  EXPECT_EQ(QuotaIn({}), std::nullopt);
  EXPECT_EQ(QuotaIn({{"/proc/self/cgroup", "0::/\n"},
                     {"/proc/self/mountinfo", kMounts2},
                     {"/sys/fs/cgroup/cpu.max", "max 100000\n"}}),
            std::nullopt);
  EXPECT_EQ(
      QuotaIn({{"/proc/self/cgroup", "nonsense\n:\n"}, {"/proc/self/mountinfo", "\n - \nx - y\n"}}),
      std::nullopt);
}

}  // namespace
}  // namespace cotangent
