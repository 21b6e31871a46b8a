#include "data/sources/idx.h"

#include <filesystem>

#include "data/file.h"
#include "data/sources/source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string Idx(std::vector<uint8_t> shape, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
  for (uint8_t extent : shape) bytes += std::string(3, '\0') + static_cast<char>(extent);
  return bytes + values;
}

std::string Message(const std::string& bytes) {
  return std::string(ParseIdx(Bytes(bytes), "file").status().message());
}

TEST(IdxTest, ReadsShapeAndValues) {
  const IdxArray array = ParseIdx(Bytes(Idx({2, 1, 3}, "abcdef")), "file").value();
  EXPECT_THAT(array.shape, ElementsAre(2, 1, 3));
  EXPECT_THAT(array.values, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
}

// The bytes are Idx({3}, {0, 1, 2}), compressed by Python's gzip module.
TEST(IdxTest, Gzip) {
  const uint8_t gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63,
                          0x60, 0xe0, 0x60, 0x64, 0x60, 0x60, 0x60, 0x66, 0x60, 0x64, 0x02,
                          0x00, 0xe9, 0xec, 0x55, 0xf9, 0x0b, 0x00, 0x00, 0x00};
  const auto array = ParseIdx(gzip, "file");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->values, ElementsAre(0, 1, 2));
  EXPECT_THAT(std::string(ParseIdx(absl::MakeConstSpan(gzip, 18), "file").status().message()),
              HasSubstr("cut short"));
}

// A small file that unpacks to far more than its header says must not take memory for all of it.
// The stream has the header of three values, and then 64 MiB of zeros in stored blocks; each block
// names its own length.
TEST(IdxTest, UnpacksNoMoreThanTheHeaderSays) {
  std::string gzip("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  const std::string header = Idx({3}, "");
  gzip += std::string("\0\x08\0\xf7\xff", 5) + header;
  const std::string zeros = std::string("\0\xff\xff\0\0", 5) + std::string(0xffff, '\0');
  for (int block = 0; block < 1024; ++block) gzip += zeros;
  const auto array = ParseIdx(Bytes(gzip), "file");
  EXPECT_THAT(std::string(array.status().message()),
              HasSubstr("it has at least 65"));  // the first piece, not 67,107,840
}

TEST(IdxTest, WhatIsNoIdxFile) {
  EXPECT_THAT(Message(""), HasSubstr("file: not a sound IDX file"));
  EXPECT_THAT(Message("PNG picture"), HasSubstr("two zero bytes"));
  EXPECT_THAT(Message(std::string("\0\0\x0d\1", 4)), HasSubstr("type 13"));
  EXPECT_THAT(Message(std::string("\0\0\x08\3\0", 5)), HasSubstr("header is cut short"));
  EXPECT_THAT(Message(Idx({2, 3}, "abcde")), HasSubstr("5 values, where 2 x 3 were expected"));
  EXPECT_THAT(Message(Idx({2, 3}, "abcdefg")), HasSubstr("7 values"));
  std::string huge = {0, 0, 8, 4};
  huge += std::string(16, '\xff');
  EXPECT_THAT(Message(huge), HasSubstr("claims too much"));
}

class IdxDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = JoinPath(::testing::TempDir(), "idx_test");
    std::filesystem::remove_all(directory_);
    ASSERT_TRUE(MakeDirectories(directory_).ok());
    Write("train-images-idx3-ubyte", Idx({3, 2, 2}, "abcdefghijkl"));
    Write("train-labels-idx1-ubyte", Idx({3}, {0, 2, 1}));
    Write("t10k-images-idx3-ubyte", Idx({1, 2, 2}, "mnop"));
    Write("t10k-labels-idx1-ubyte", Idx({1}, {2}));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(JoinPath(directory_, name), bytes).ok());
  }
  std::string directory_;
};

TEST_F(IdxDirectoryTest, IsASource) {
  const auto source = FindSource(directory_);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->channels, 1);
  EXPECT_EQ((*source)->height, 2);
  EXPECT_THAT((*source)->classes, ElementsAre("0", "1", "2"));
  EXPECT_EQ((*source)->Size(Split::kTrain).value(), 3);
  const Dataset train = (*source)->Load("", Split::kTrain).value();
  EXPECT_THAT(train.labels, ElementsAre(0, 2, 1));
  EXPECT_EQ(train.image(2)[3], 'l');
  EXPECT_THAT((*source)->Load("", Split::kTest)->labels, ElementsAre(2));
}

TEST_F(IdxDirectoryTest, NeedsNoTestImages) {
  std::filesystem::remove(JoinPath(directory_, "t10k-images-idx3-ubyte"));
  EXPECT_THAT(std::string(FindSource(directory_).status().message()),
              HasSubstr("there is no t10k-images-idx3-ubyte"));
  std::filesystem::remove(JoinPath(directory_, "t10k-labels-idx1-ubyte"));
  const auto source = FindSource(directory_);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_FALSE((*source)->Has(Split::kTest));
  EXPECT_EQ((*source)->Load("", Split::kTrain)->size(), 3);
}

// Tests the file names of data sets like MNIST, and that the same file of two data sets in one
// folder is an error.
TEST_F(IdxDirectoryTest, OtherNames) {
  for (const char* const name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                 "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    std::filesystem::remove(JoinPath(directory_, name));
  Write("emnist-letters-train-images-idx3-ubyte", Idx({2, 2, 2}, "abcdefgh"));
  Write("emnist-letters-train-labels-idx1-ubyte", Idx({2}, {0, 1}));
  Write("emnist-letters-test-images-idx3-ubyte", Idx({1, 2, 2}, "mnop"));
  Write("emnist-letters-test-labels-idx1-ubyte", Idx({1}, {1}));
  EXPECT_EQ(LoadDataset(directory_, "", Split::kTrain)->size(), 2);
  EXPECT_EQ(LoadDataset(directory_, "", Split::kTest)->image(0)[3], 'p');
  Write("train-images.idx3-ubyte", Idx({3, 2, 2}, "abcdefghijkl"));
  EXPECT_THAT(std::string(FindSource(directory_).status().message()),
              HasSubstr("hold the same of two data sets"));
  for (const char* const name :
       {"emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte"})
    std::filesystem::remove(JoinPath(directory_, name));
  Write("train-labels.idx1-ubyte", Idx({3}, {0, 2, 1}));
  EXPECT_EQ(LoadDataset(directory_, "", Split::kTrain)->size(), 3);
}

// A file that lies there compressed, too, is no file of another data set.
TEST_F(IdxDirectoryTest, CompressedTwins) {
  Write("train-images-idx3-ubyte.gz", "not read");
  EXPECT_EQ(LoadDataset(directory_, "", Split::kTrain)->size(), 3);
  Write("train-images.idx3-ubyte", Idx({3, 2, 2}, "abcdefghijkl"));
  EXPECT_THAT(std::string(FindSource(directory_).status().message()),
              HasSubstr("train-images-idx3-ubyte and train-images.idx3-ubyte hold the same"));
}

TEST_F(IdxDirectoryTest, WithoutTrainingImages) {
  Write("train-images-idx3-ubyte", Idx({0, 2, 2}, ""));
  Write("train-labels-idx1-ubyte", Idx({0}, ""));
  EXPECT_THAT(std::string(FindSource(directory_).status().message()),
              HasSubstr("there are no training images in it"));
}

TEST_F(IdxDirectoryTest, WhatDoesNotFitTogetherIsNamed) {
  Write("t10k-labels-idx1-ubyte", Idx({2}, {2, 2}));
  EXPECT_THAT(std::string(LoadDataset(directory_, "", Split::kTest).status().message()),
              HasSubstr("has 1 images, but there are 2 labels"));
  Write("t10k-images-idx3-ubyte", Idx({2, 1, 2}, "mnop"));
  EXPECT_THAT(std::string(LoadDataset(directory_, "", Split::kTest).status().message()),
              HasSubstr("1x2, where 2x2"));
  std::filesystem::remove(JoinPath(directory_, "t10k-labels-idx1-ubyte"));
  EXPECT_THAT(std::string(FindSource(directory_).status().message()),
              HasSubstr("no t10k-labels-idx1-ubyte"));
}

TEST(MnistTest, IsKnown) {
  const std::shared_ptr<const Source> source = FindSource("mnist").value();
  EXPECT_EQ(source->classes.size(), 10);
  EXPECT_EQ(source->channels * source->height * source->width, 28 * 28);
  EXPECT_THAT(std::string(source->Load("/nowhere", Split::kTest).status().message()),
              HasSubstr("//tools:fetch_data -- --dataset=mnist"));
}

}  // namespace
}  // namespace cotangent::data
