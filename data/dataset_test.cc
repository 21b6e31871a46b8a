#include "data/dataset.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Record(std::vector<uint8_t> labels, uint8_t first_pixel) {
  std::string record(labels.begin(), labels.end());
  for (int i = 0; i < 3072; ++i) record.push_back(static_cast<char>(first_pixel + i));
  return record;
}

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ParseCifarRecordsTest, Cifar10) {
  const std::string bytes = Record({3}, 7) + Record({9}, 200);
  const Dataset dataset = ParseCifarRecords(Bytes(bytes), RecordFormat::kCifar10).value();
  EXPECT_EQ(dataset.size(), 2);
  EXPECT_THAT(dataset.labels, ::testing::ElementsAre(3, 9));
  EXPECT_EQ(dataset.images.size(), 2 * 3072);
  EXPECT_EQ(dataset.image(0)[0], 7);
  EXPECT_EQ(dataset.image(1)[0], 200);
  EXPECT_EQ(dataset.image(1)[3071], static_cast<uint8_t>(200 + 3071));
  EXPECT_EQ(dataset.classes[9], "truck");
}

TEST(ParseCifarRecordsTest, Cifar100HasCoarseThenFineLabel) {
  const std::string bytes = Record({19, 99}, 1);
  const Dataset fine = ParseCifarRecords(Bytes(bytes), RecordFormat::kCifar100).value();
  EXPECT_EQ(fine.labels[0], 99);
  EXPECT_EQ(fine.classes.size(), 100);
  EXPECT_EQ(fine.classes[99], "worm");
  EXPECT_EQ(fine.image(0)[0], 1);
  const Dataset coarse =
      ParseCifarRecords(Bytes(bytes), RecordFormat::kCifar100, LabelKind::kCoarse).value();
  EXPECT_EQ(coarse.labels[0], 19);
  EXPECT_EQ(coarse.classes.size(), 20);
  EXPECT_EQ(coarse.classes[19], "vehicles_2");
}

TEST(ParseCifarRecordsTest, LabelsOutOfRangeAreNamedWithTheirPlace) {
  const std::string ten = Record({0}, 0) + Record({10}, 0);
  EXPECT_THAT(Message(ParseCifarRecords(Bytes(ten), RecordFormat::kCifar10).status()),
              AllOf(HasSubstr("record 1 (byte 3073)"), HasSubstr("label 10"), HasSubstr("0 to 9")));
  const std::string hundred = Record({20, 100}, 0);
  EXPECT_THAT(Message(ParseCifarRecords(Bytes(hundred), RecordFormat::kCifar100).status()),
              AllOf(HasSubstr("record 0 (byte 1)"), HasSubstr("label 100"), HasSubstr("0 to 99")));
  EXPECT_THAT(
      Message(
          ParseCifarRecords(Bytes(hundred), RecordFormat::kCifar100, LabelKind::kCoarse).status()),
      AllOf(HasSubstr("label 20"), HasSubstr("0 to 19")));
}

TEST(ParseCifarRecordsTest, PartOfARecordIsAnError) {
  for (int64_t size : {1, 3072, 3074, 6145}) {
    const std::string bytes(size, '\0');
    EXPECT_THAT(Message(ParseCifarRecords(Bytes(bytes), RecordFormat::kCifar10).status()),
                HasSubstr("no whole number of records"));
  }
  EXPECT_EQ(ParseCifarRecords({}, RecordFormat::kCifar10)->size(), 0);
}

TEST(SampleTest, IsBalanced) {
  for (auto [split, per_class] : {std::pair(Split::kTrain, 40), std::pair(Split::kTest, 20)}) {
    const Dataset sample = Load(DatasetName::kSample, "/nowhere", split).value();
    EXPECT_EQ(sample.name, "sample");
    EXPECT_EQ(sample.size(), 10 * per_class);
    std::vector<int> count(10);
    for (uint8_t label : sample.labels) ++count[label];
    EXPECT_THAT(count, ::testing::Each(per_class));
  }
  // The first training image of CIFAR-10 is a frog; its first pixels are 59, 43, 50.
  const Dataset sample = LoadSample(Split::kTrain).value();
  EXPECT_EQ(sample.classes[sample.labels[0]], "frog");
  EXPECT_EQ(sample.image(0)[0], 59);
  EXPECT_EQ(sample.image(0)[1], 43);
  EXPECT_EQ(sample.image(0)[2], 50);
}

// Files of the right size full of zeros (each image black, each label 0), which take no room on the
// disk.
class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = JoinPath(::testing::TempDir(), "dataset_test");
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string PathOf(const DataFile& file) const { return JoinPath(directory_, file.path); }
  void MakeFiles(const std::vector<DataFile>& files) {
    for (const DataFile& file : files) {
      const std::filesystem::path path = PathOf(file);
      ASSERT_TRUE(MakeDirectories(path.parent_path()).ok());
      ASSERT_TRUE(WriteFileAtomically(path, "").ok());
      std::filesystem::resize_file(path, file.bytes);
    }
  }
  void Poke(const DataFile& file, int64_t at, char byte) {
    FILE* stream = fopen(PathOf(file).c_str(), "r+b");
    ASSERT_NE(stream, nullptr);
    fseek(stream, at, SEEK_SET);
    fputc(byte, stream);
    fclose(stream);
  }
  std::string directory_;
};

TEST_F(FilesTest, FilesAreReadInOrder) {
  const std::vector<DataFile> files = FilesOf(DatasetName::kCifar10);
  ASSERT_EQ(files.size(), 6);
  MakeFiles(files);
  for (int i = 0; i < 6; ++i) Poke(files[i], 0, i + 1);
  Poke(files[4], 9999 * 3073 + 3072, 77);
  const Dataset train = Load(DatasetName::kCifar10, directory_, Split::kTrain).value();
  ASSERT_EQ(train.size(), 50000);
  EXPECT_EQ(train.images.size(), 50000 * 3072);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(train.labels[i * 10000], i + 1);
  EXPECT_EQ(train.images.back(), 77);
  const Dataset test = Load(DatasetName::kCifar10, directory_, Split::kTest).value();
  ASSERT_EQ(test.size(), 10000);
  EXPECT_EQ(test.labels[0], 6);
}

TEST_F(FilesTest, Cifar100) {
  MakeFiles(FilesOf(DatasetName::kCifar100, Split::kTest));
  const DataFile file = FilesOf(DatasetName::kCifar100, Split::kTest)[0];
  Poke(file, 5000 * 3074, 12);
  Poke(file, 5000 * 3074 + 1, 55);
  EXPECT_EQ(LoadCifar100(directory_, Split::kTest, LabelKind::kFine)->labels[5000], 55);
  EXPECT_EQ(LoadCifar100(directory_, Split::kTest, LabelKind::kCoarse)->labels[5000], 12);
  EXPECT_EQ(LoadCifar100(directory_, Split::kTrain, LabelKind::kFine).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FilesTest, AMissingFileIsNamedWithTheMend) {
  const absl::Status status = Load(DatasetName::kCifar10, directory_, Split::kTrain).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      Message(status),
      AllOf(HasSubstr("cifar-10-batches-bin/data_batch_1.bin: No such file"),
            HasSubstr("//tools:fetch_cifar -- --dataset=cifar10 --data_dir=" + directory_)));
}

TEST_F(FilesTest, ShortAndOverlongFiles) {
  const DataFile file = FilesOf(DatasetName::kCifar10, Split::kTest)[0];
  for (int64_t size : {int64_t{0}, file.bytes - 3073, file.bytes - 1, file.bytes + 1}) {
    MakeFiles({file});
    std::filesystem::resize_file(PathOf(file), size);
    const absl::Status status = LoadCifar10(directory_, Split::kTest).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr("test_batch.bin has " + std::to_string(size) + " bytes"),
                      HasSubstr("30730000 were expected"), HasSubstr("fetch_cifar")));
  }
}

TEST_F(FilesTest, LabelOutOfRangeInAFile) {
  const DataFile file = FilesOf(DatasetName::kCifar10, Split::kTest)[0];
  MakeFiles({file});
  Poke(file, 1234 * 3073, 10);
  const absl::Status status = LoadCifar10(directory_, Split::kTest).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("test_batch.bin, record 1234 (byte 3792082)"),
                                     HasSubstr("label 10"), HasSubstr("fetch_cifar")));
}

TEST_F(FilesTest, ADirectoryInPlaceOfAFile) {
  const DataFile file = FilesOf(DatasetName::kCifar10, Split::kTest)[0];
  ASSERT_TRUE(MakeDirectories(PathOf(file)).ok());
  EXPECT_THAT(Message(LoadCifar10(directory_, Split::kTest).status()),
              HasSubstr("no regular file"));
}

TEST(NamesTest, DatasetNames) {
  EXPECT_EQ(ParseDatasetName("cifar100").value(), DatasetName::kCifar100);
  EXPECT_THAT(Message(ParseDatasetName("mnist").status()),
              AllOf(HasSubstr("mnist"), HasSubstr("cifar10, cifar100 and sample")));
  EXPECT_EQ(Cifar10Classes().size(), 10);
  EXPECT_EQ(Cifar100Classes(LabelKind::kFine).size(), 100);
  EXPECT_EQ(Cifar100Classes(LabelKind::kCoarse).size(), 20);
}

TEST(DefaultDataDirTest, FollowsTheEnvironment) {
  setenv("HOME", "/home/somebody", 1);
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(DefaultDataDir(), "/caches/cotangent");
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(DefaultDataDir(), "/home/somebody/.cache/cotangent");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(DefaultDataDir(), "/home/somebody/.cache/cotangent");
}

}  // namespace
}  // namespace cotangent::data
