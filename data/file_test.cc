#include "data/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = JoinPath(::testing::TempDir(), "file_test");
    std::filesystem::remove_all(directory_);
    ASSERT_TRUE(MakeDirectories(directory_).ok());
  }
  int EntriesInDirectory() const {
    int count = 0;
    for (auto& entry : std::filesystem::directory_iterator(directory_))
      count += !entry.path().empty();
    return count;
  }
  std::string directory_;
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  const std::string path = JoinPath(directory_, "a");
  const std::string contents("zero \0 inside", 13);
  ASSERT_TRUE(WriteFileAtomically(path, contents).ok());
  EXPECT_EQ(ReadFile(path).value(), contents);
  ASSERT_TRUE(WriteFileAtomically(path, {"in ", "", "pieces"}).ok());
  EXPECT_EQ(ReadFile(path).value(), "in pieces");
  EXPECT_EQ(EntriesInDirectory(), 1);
}

TEST_F(FileTest, NewFilesHaveThePermissionsOfTheUmask) {
  const std::string path = JoinPath(directory_, "a");
  const mode_t mask = umask(022);
  ASSERT_TRUE(WriteFileAtomically(path, "x").ok());
  umask(mask);
  struct stat about;
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0644);
}

TEST_F(FileTest, MissingFileIsNotFoundAndNamed) {
  const absl::Status status = ReadFile(JoinPath(directory_, "nowhere")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nowhere: No such file"));
}

TEST_F(FileTest, DirectoriesAndOverlargeFilesAreRefused) {
  EXPECT_THAT(std::string(ReadFile(directory_).status().message()), HasSubstr("Is a directory"));
  const std::string path = JoinPath(directory_, "a");
  ASSERT_TRUE(WriteFileAtomically(path, "12345").ok());
  EXPECT_EQ(ReadFile(path, 4).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(ReadFile(path, 5).ok());
}

TEST_F(FileTest, FailingToWriteLeavesNothing) {
  const absl::Status missing = WriteFileAtomically(JoinPath(directory_, "no/such/dir"), "x");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  // A file cannot replace a directory that is not empty. The temporary file must be removed then,
  // so that d stays the only entry.
  ASSERT_TRUE(MakeDirectories(JoinPath(directory_, "d/e")).ok());
  EXPECT_FALSE(WriteFileAtomically(JoinPath(directory_, "d"), "x").ok());
  EXPECT_EQ(EntriesInDirectory(), 1);
}

TEST_F(FileTest, ADeviceIsWrittenTo) {
  EXPECT_TRUE(WriteFileAtomically("/dev/null", "x").ok());
  const absl::Status full = WriteFileAtomically("/dev/full", "x");
  EXPECT_THAT(std::string(full.message()), HasSubstr("/dev/full: No space left on device"));
}

TEST_F(FileTest, AFileIsNoDirectory) {
  const std::string path = JoinPath(directory_, "a");
  ASSERT_TRUE(WriteFileAtomically(path, "x").ok());
  EXPECT_FALSE(MakeDirectories(path).ok());
  EXPECT_FALSE(MakeDirectories(JoinPath(path, "b")).ok());
}

TEST(JoinPathTest, HasOneSlash) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
}

}  // namespace
}  // namespace cotangent::data
