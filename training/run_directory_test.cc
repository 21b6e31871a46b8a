#include "training/run_directory.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::HasSubstr;

std::string TestDirectory(const std::string& name) {
  const std::string directory = ::testing::TempDir() + "/" + name;
  std::filesystem::remove_all(directory);
  return directory;
}

void Ignore(const std::string&) {}

TEST(DefaultRunDirectoryTest, IsOneANetwork) {
  EXPECT_EQ(DefaultRunDirectory("convnet"), "runs/convnet");
  EXPECT_EQ(DefaultRunDirectory("nets/mine.textproto"), "runs/mine");
  EXPECT_EQ(DefaultRunDirectory("v1.2.textproto"), "runs/v1.2");
  EXPECT_EQ(DefaultRunDirectory("./v1.3.textproto"), "runs/v1.3");
  EXPECT_EQ(DefaultRunDirectory("nets/v1.2"), "runs/v1.2");
  EXPECT_EQ(DefaultRunDirectory(".hidden.textproto"), "runs/.hidden");
  EXPECT_EQ(DefaultRunDirectory("nets.d/.textproto"), "runs/.textproto");
  EXPECT_EQ(DefaultRunDirectory("...textproto"), "runs/...textproto");
}

TEST(DirectoryLock, RefusesASecondHolderAndNamesTheFirst) {
  const std::string directory = TestDirectory("lock");
  auto first = DirectoryLock::Acquire(directory, Ignore);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = DirectoryLock::Acquire(directory, Ignore);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("process ", getpid())));
  first->reset();
  EXPECT_FALSE(std::filesystem::exists(directory + "/lock"));
  EXPECT_TRUE(DirectoryLock::Acquire(directory, Ignore).ok());
}

TEST(DirectoryLock, TakesOverFromAProcessThatIsGone) {
  const std::string directory = TestDirectory("stale");
  ASSERT_TRUE(data::MakeDirectories(directory).ok());
  ASSERT_TRUE(
      data::WriteFileAtomically(directory + "/lock", "process 1234567 on nowhere, since then\n")
          .ok());
  std::string report;
  EXPECT_TRUE(
      DirectoryLock::Acquire(directory, [&](const std::string& line) { report = line; }).ok());
  EXPECT_THAT(report, HasSubstr("process 1234567"));
}

TEST(DirectoryLock, ADirectoryThatCannotBeIsAnError) {
  const auto lock = DirectoryLock::Acquire("/dev/null/run", Ignore);
  EXPECT_THAT(std::string(lock.status().message()), HasSubstr("/dev/null/run"));
}

TEST(EarlierRun, IsSetAsideOnce) {
  const std::string directory = TestDirectory("aside");
  ASSERT_TRUE(data::MakeDirectories(directory).ok());
  EXPECT_EQ(SetEarlierRunAside(directory).value(), "");
  for (const char* name : {"metrics.jsonl", "checkpoint-00000001.safetensors", "notes.txt"}) {
    ASSERT_TRUE(data::WriteFileAtomically(directory + "/" + name, "x").ok());
  }
  EXPECT_EQ(LastSetAside(directory), "");
  EXPECT_EQ(SetEarlierRunAside(directory).value(), directory + "/earlier-1");
  EXPECT_EQ(LastSetAside(directory), directory + "/earlier-1");
  EXPECT_TRUE(std::filesystem::exists(directory + "/earlier-1/metrics.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(directory + "/notes.txt"));
  EXPECT_EQ(SetEarlierRunAside(directory).value(), "");
}

TEST(MetricsLog, GoesOnAfterTheLastStep) {
  const std::string directory = TestDirectory("metrics");
  ASSERT_TRUE(data::MakeDirectories(directory).ok());
  const std::string path = directory + "/metrics.jsonl";
  ASSERT_TRUE(
      data::WriteFileAtomically(path, "{\"step\":1}\n{\"step\":5}\nnonsense\n{\"step\":9}\n{\"st")
          .ok());
  auto log = MetricsLog::Open(path, 5);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append("{\"step\":6}").ok());
  ASSERT_TRUE((*log)->Flush().ok());
  EXPECT_EQ(data::ReadFile(path).value(), "{\"step\":1}\n{\"step\":5}\n{\"step\":6}\n");
}

TEST(MetricsLog, ARemovedDirectoryIsNoticed) {
  const std::string directory = TestDirectory("removed");
  ASSERT_TRUE(data::MakeDirectories(directory).ok());
  auto log = MetricsLog::Open(directory + "/metrics.jsonl", 0);
  ASSERT_TRUE(log.ok());
  std::filesystem::remove_all(directory);
  (void)(*log)->Append("{}").ok();
  EXPECT_FALSE((*log)->Flush().ok());
}

}  // namespace
}  // namespace cotangent::training
