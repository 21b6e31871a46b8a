#include "data/packed_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRecords = 600;

// Returns record number `index`: its index % 100 bytes are index, index + 1, index + 2, ... modulo
// 256.
std::vector<uint8_t> RecordOf(int64_t index) {
  std::vector<uint8_t> bytes(index % 100);
  for (size_t k = 0; k < bytes.size(); ++k) bytes[k] = static_cast<uint8_t>(index + k);
  return bytes;
}

absl::Status Make(int64_t index, std::vector<uint8_t>& bytes) {
  bytes = RecordOf(index);
  return absl::OkStatus();
}

std::string Path(const std::string& name) {
  const std::string path = ::testing::TempDir() + "/" + name;
  remove(path.c_str());
  return path;
}

TEST(PackedFile, GivesBackWhatItWasMadeFrom) {
  for (const int threads : {1, 3}) {
    const std::string path = Path("whole.cache");
    const PackedContents contents = {"abc", kRecords};
    EXPECT_EQ(PackedFile::Open(path, contents).status().code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(PackedFile::Write(path, contents, Make, threads).ok());
    const auto file = PackedFile::Open(path, contents);
    ASSERT_TRUE(file.ok()) << file.status();
    int64_t bytes = 0;
    for (int64_t i = 0; i < kRecords; ++i) {
      std::vector<uint8_t> record((*file)->size(i));
      ASSERT_TRUE((*file)->Read(i, record.data()).ok());
      ASSERT_EQ(record, RecordOf(i));
      bytes += static_cast<int64_t>(record.size());
    }
    EXPECT_EQ((*file)->size_of_all(), bytes);
  }
}

TEST(PackedFile, IsOfItsContentsOnly) {
  const std::string path = Path("other.cache");
  ASSERT_TRUE(PackedFile::Write(path, {"abc", kRecords}, Make, 1).ok());
  for (const PackedContents& other :
       {PackedContents{"abd", kRecords}, {"abc", kRecords - 1}, {"abc", 0}, {"", kRecords}})
    EXPECT_EQ(PackedFile::Open(path, other).status().code(), absl::StatusCode::kNotFound);
}

TEST(PackedFile, NoticesWhatWasChanged) {
  const std::string path = Path("damaged.cache");
  const PackedContents contents = {"abc", kRecords};
  ASSERT_TRUE(PackedFile::Write(path, contents, Make, 1).ok());
  const std::string whole = ReadFile(path).value();
  std::string changed = whole;
  changed[whole.size() - 128] ^= 1;  // a byte of the last record, which has 99 bytes
  ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
  const auto file = PackedFile::Open(path, contents);
  ASSERT_TRUE(file.ok());
  uint8_t record[100];
  EXPECT_TRUE((*file)->Read(1, record).ok());
  EXPECT_THAT(std::string((*file)->Read(kRecords - 1, record).message()),
              HasSubstr("remove the file"));
  // A changed byte in the header or in an entry is found when the file is opened.
  for (const size_t at : {size_t{3}, size_t{60}, size_t{200}}) {
    changed = whole;
    changed[at] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
    EXPECT_FALSE(PackedFile::Open(path, contents).ok()) << at;
  }
  ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, whole.size() - 1)).ok());
  EXPECT_FALSE(PackedFile::Open(path, contents).ok());
}

// If any byte of the file is changed, the file cannot be opened, or reading a record returns either
// its original bytes or an error.
TEST(PackedFile, NoByteOfWhichMatters) {
  const std::string path = Path("bytes.cache");
  const PackedContents contents = {"abc", 5};
  ASSERT_TRUE(PackedFile::Write(path, contents, Make, 1).ok());
  const std::string whole = ReadFile(path).value();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] ^= 0x80;
    std::ofstream(path, std::ios::binary) << changed;
    const auto file = PackedFile::Open(path, contents);
    for (int64_t i = 0; file.ok() && i < contents.records; ++i) {
      std::vector<uint8_t> record((*file)->size(i));
      if ((*file)->Read(i, record.data()).ok()) {
        ASSERT_EQ(record, RecordOf(i));
      }
    }
  }
}

TEST(PackedFile, ThatIsCutShortWhileItIsReadIsAnError) {
  const std::string path = Path("cut.cache");
  ASSERT_TRUE(PackedFile::Write(path, {"abc", kRecords}, Make, 1).ok());
  const auto file = PackedFile::Open(path, {"abc", kRecords});
  ASSERT_TRUE(file.ok());
  std::filesystem::resize_file(path, 100);
  uint8_t record[100];
  EXPECT_EQ((*file)->Read(50, record).code(), absl::StatusCode::kDataLoss);
}

TEST(PackedFile, LeavesNothingWhereARecordIsBad) {
  const std::string path = Path("bad.cache");
  const auto make = [](int64_t index, std::vector<uint8_t>& bytes) {
    return index == 599 ? absl::InvalidArgumentError("bad picture") : Make(index, bytes);
  };
  EXPECT_THAT(std::string(PackedFile::Write(path, {"abc", kRecords}, make, 2).message()),
              HasSubstr("bad picture"));
  EXPECT_FALSE(std::ifstream(path).good());
}

}  // namespace
}  // namespace cotangent::data
