#include "data/sources/cifar.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/source.h"
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
  const Dataset dataset = ParseCifarRecords(Bytes(bytes), CifarFormat::kCifar10).value();
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
  const Dataset fine = ParseCifarRecords(Bytes(bytes), CifarFormat::kCifar100).value();
  EXPECT_EQ(fine.labels[0], 99);
  EXPECT_EQ(fine.classes.size(), 100);
  EXPECT_EQ(fine.classes[99], "worm");
  EXPECT_EQ(fine.image(0)[0], 1);
  const Dataset coarse =
      ParseCifarRecords(Bytes(bytes), CifarFormat::kCifar100, CifarLabel::kCoarse).value();
  EXPECT_EQ(coarse.labels[0], 19);
  EXPECT_EQ(coarse.classes.size(), 20);
  EXPECT_EQ(coarse.classes[19], "vehicles_2");
}

TEST(ParseCifarRecordsTest, LabelsOutOfRangeAreNamedWithTheirPlace) {
  const std::string ten = Record({0}, 0) + Record({10}, 0);
  EXPECT_THAT(Message(ParseCifarRecords(Bytes(ten), CifarFormat::kCifar10).status()),
              AllOf(HasSubstr("record 1 (byte 3073)"), HasSubstr("label 10"), HasSubstr("0 to 9")));
  const std::string hundred = Record({20, 100}, 0);
  EXPECT_THAT(Message(ParseCifarRecords(Bytes(hundred), CifarFormat::kCifar100).status()),
              AllOf(HasSubstr("record 0 (byte 1)"), HasSubstr("label 100"), HasSubstr("0 to 99")));
  EXPECT_THAT(
      Message(
          ParseCifarRecords(Bytes(hundred), CifarFormat::kCifar100, CifarLabel::kCoarse).status()),
      AllOf(HasSubstr("label 20"), HasSubstr("0 to 19")));
}

TEST(ParseCifarRecordsTest, PartOfARecordIsAnError) {
  for (int64_t size : {1, 3072, 3074, 6145}) {
    const std::string bytes(size, '\0');
    EXPECT_THAT(Message(ParseCifarRecords(Bytes(bytes), CifarFormat::kCifar10).status()),
                HasSubstr("no whole number of records"));
  }
  EXPECT_EQ(ParseCifarRecords({}, CifarFormat::kCifar10)->size(), 0);
}

std::vector<DataFile> Files(const std::string& source, const std::vector<Split>& splits) {
  std::vector<DataFile> files;
  for (Split split : splits) {
    const std::shared_ptr<const Source> found = FindSource(source).value();
    for (const DataFile& file : found->files(split)) files.push_back(file);
  }
  return files;
}

// Tests with files of the right size that are full of zeros (each image is black, each label 0).
// The files are sparse, so they take no space on the disk.
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
  const std::vector<DataFile> files = Files("cifar10", {Split::kTrain, Split::kTest});
  ASSERT_EQ(files.size(), 6);
  MakeFiles(files);
  for (int i = 0; i < 6; ++i) Poke(files[i], 0, i + 1);
  Poke(files[4], 9999 * 3073 + 3072, 77);
  const Dataset train = LoadDataset("cifar10", directory_, Split::kTrain).value();
  ASSERT_EQ(train.size(), 50000);
  EXPECT_EQ(train.images.size(), 50000 * 3072);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(train.labels[i * 10000], i + 1);
  EXPECT_EQ(train.images.back(), 77);
  const Dataset test = LoadDataset("cifar10", directory_, Split::kTest).value();
  ASSERT_EQ(test.size(), 10000);
  EXPECT_EQ(test.labels[0], 6);
}

TEST_F(FilesTest, Cifar100) {
  MakeFiles(Files("cifar100", {Split::kTest}));
  const DataFile file = Files("cifar100", {Split::kTest})[0];
  Poke(file, 5000 * 3074, 12);
  Poke(file, 5000 * 3074 + 1, 55);
  EXPECT_EQ(LoadDataset("cifar100", directory_, Split::kTest)->labels[5000], 55);
  EXPECT_EQ(LoadDataset("cifar100", directory_, Split::kTrain).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FilesTest, AMissingFileIsNamedWithTheMend) {
  const absl::Status status = LoadDataset("cifar10", directory_, Split::kTrain).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status),
              AllOf(HasSubstr("cifar-10-batches-bin/data_batch_1.bin: No such file"),
                    HasSubstr("//tools:fetch_data -- --dataset=cifar10 --data_dir=" + directory_)));
}

TEST_F(FilesTest, ShortAndOverlongFiles) {
  const DataFile file = Files("cifar10", {Split::kTest})[0];
  for (int64_t size : {int64_t{0}, file.bytes - 3073, file.bytes - 1, file.bytes + 1}) {
    MakeFiles({file});
    std::filesystem::resize_file(PathOf(file), size);
    const absl::Status status = LoadDataset("cifar10", directory_, Split::kTest).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr("test_batch.bin has " + std::to_string(size) + " bytes"),
                      HasSubstr("30730000 were expected"), HasSubstr("fetch_data")));
  }
}

TEST_F(FilesTest, LabelOutOfRangeInAFile) {
  const DataFile file = Files("cifar10", {Split::kTest})[0];
  MakeFiles({file});
  Poke(file, 1234 * 3073, 10);
  const absl::Status status = LoadDataset("cifar10", directory_, Split::kTest).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("test_batch.bin, record 1234 (byte 3792082)"),
                                     HasSubstr("label 10"), HasSubstr("fetch_data")));
}

TEST_F(FilesTest, ADirectoryInPlaceOfAFile) {
  const DataFile file = Files("cifar10", {Split::kTest})[0];
  ASSERT_TRUE(MakeDirectories(PathOf(file)).ok());
  EXPECT_THAT(Message(LoadDataset("cifar10", directory_, Split::kTest).status()),
              HasSubstr("no regular file"));
}

TEST(CifarTest, ClassesHaveNames) {
  EXPECT_EQ(Cifar10Classes().size(), 10);
  EXPECT_EQ(Cifar100Classes(CifarLabel::kFine).size(), 100);
  EXPECT_EQ(Cifar100Classes(CifarLabel::kCoarse).size(), 20);
}

// A sheet (a PNG with an image in each row) of the sample's first images must give the sample's
// records.
TEST(RecordsFromSheetTest, GivesTheOfficialRecords) {
  const Dataset sample = LoadDataset("sample", "", Split::kTest).value();
  Image sheet = {1024, 3, {}};
  for (int row = 0; row < 3; ++row) {
    const Image image = FromPlanar(absl::MakeConstSpan(sample.image(row), 3072), 32, 32);
    sheet.rgb.insert(sheet.rgb.end(), image.rgb.begin(), image.rgb.end());
  }
  std::string labels = "[7, 7";
  for (int row = 0; row < 3; ++row) labels += ", " + std::to_string(sample.labels[row]);
  labels += "]";
  const std::string png = EncodePng(sheet).value();
  const std::string records = CifarRecordsFromSheet(Bytes(png), labels, 2).value();
  const Dataset parsed = ParseCifarRecords(Bytes(records), CifarFormat::kCifar10).value();
  ASSERT_EQ(parsed.size(), 3);
  for (int row = 0; row < 3; ++row) EXPECT_EQ(parsed.labels[row], sample.labels[row]);
  EXPECT_TRUE(std::equal(parsed.images.begin(), parsed.images.end(), sample.images.begin()));
}

TEST(RecordsFromSheetTest, BadSheetsAndLabels) {
  const std::string png = EncodePng({1024, 1, std::vector<uint8_t>(3072)}).value();
  const auto message = [](const std::string& sheet, absl::string_view labels, int64_t first) {
    return Message(CifarRecordsFromSheet(Bytes(sheet), labels, first).status());
  };
  EXPECT_THAT(message(png, "[10]", 0), HasSubstr("label 0 is 10"));
  EXPECT_THAT(message(png, "[-1]", 0), HasSubstr("label 0 is -1"));
  EXPECT_THAT(message(png, "[\"cat\"]", 0), HasSubstr("label 0 is \"cat\""));
  EXPECT_THAT(message(png, "[1]", 1), HasSubstr("no list of at least 2"));
  EXPECT_THAT(message(png, "[1", 0), HasSubstr("no list"));
  EXPECT_THAT(message(png, "{}", 0), HasSubstr("no list"));
  EXPECT_THAT(message("GIF89a", "[1]", 0), HasSubstr(" nor PNG"));
  EXPECT_THAT(message(EncodePng({2, 1, std::vector<uint8_t>(6)}).value(), "[1]", 0),
              HasSubstr("2 pixels wide"));
}

}  // namespace
}  // namespace cotangent::data
