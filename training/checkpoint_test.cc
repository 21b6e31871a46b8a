#include "training/checkpoint.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string TestDirectory(const std::string& name) {
  const std::string directory = ::testing::TempDir() + "/" + name;
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  return directory;
}

const std::vector<float> kWeights = {1, -2, 3.5f, 1e-30f, -0.0f, 7};
const std::vector<float> kBias = {0.25f};

std::string WriteSample(const std::string& path) {
  const absl::Status status = WriteCheckpoint(
      path, {{"step", "12"}, {"network", "name: \"a \\\" b\"\nlayer {}"}},
      {{"conv1.weight", {1, 2, 3, 1}, kWeights.data()}, {"conv1.bias", {1}, kBias.data()}});
  EXPECT_TRUE(status.ok()) << status;
  return data::ReadFile(path).value();
}

// Returns the bytes of a safetensors file with the given header and `data_bytes` zero bytes of
// data. No checksum is added to the header.
std::string File(const std::string& header, size_t data_bytes) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i)
    file[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return file + header + std::string(data_bytes, '\0');
}

TEST(Checkpoint, ComesBackAsItWasWritten) {
  const std::string path = TestDirectory("round") + "/checkpoint-00000012.safetensors";
  WriteSample(path);
  const absl::StatusOr<Checkpoint> read = ReadCheckpoint(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Get("step"), "12");
  EXPECT_EQ(read->Get("network"), "name: \"a \\\" b\"\nlayer {}");
  ASSERT_EQ(read->tensors().size(), 2u);
  const Checkpoint::Tensor* weight = read->Find("conv1.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{1, 2, 3, 1}));
  std::vector<float> values(6);
  read->CopyTo(*weight, values.data());
  EXPECT_EQ(values, kWeights);
  EXPECT_EQ(read->Find("conv2.weight"), nullptr);
}

TEST(Checkpoint, IntegersComeBackAsWhatTheyStandFor) {
  const std::string path = TestDirectory("integers") + "/c";
  const int8_t integers[] = {127, -3, 0, 5, -128, 1};
  const std::vector<float> scales = {0.5f, 2}, bias = {7};
  ASSERT_TRUE(WriteCheckpoint(path, {},
                              {{"w", {2, 3}, nullptr, integers},
                               {"w.scale", {2}, scales.data()},
                               {"b", {1}, bias.data()}})
                  .ok());
  const absl::StatusOr<Checkpoint> read = ReadCheckpoint(path);
  ASSERT_TRUE(read.ok()) << read.status();
  std::vector<float> values(6);
  read->CopyTo(*read->Find("w"), values.data());
  EXPECT_EQ(values, (std::vector<float>{63.5f, -1.5f, 0, 10, -256, 2}));
  // Reading a tensor of integers fails if there is no scale for each row.
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 3}, {3, 2}, {}}) {
    std::vector<CheckpointTensor> tensors = {{"w", shape, nullptr, integers}};
    if (shape.size() == 2 && shape[0] == 3) tensors.push_back({"w.scale", {2}, scales.data()});
    const absl::Status status = WriteCheckpoint(path, {}, tensors);
    EXPECT_THAT(status.message(), HasSubstr("there is no w.scale, an F32 for each of its rows"));
  }
}

TEST(Checkpoint, IsASafetensorsFile) {
  const std::string bytes = WriteSample(TestDirectory("format") + "/c");
  const size_t header_bytes =
      static_cast<unsigned char>(bytes[0]) + 256u * static_cast<unsigned char>(bytes[1]);
  EXPECT_EQ((8 + header_bytes) % 64, 0u);
  const json header = json::parse(bytes.substr(8, header_bytes));
  EXPECT_EQ(header["conv1.weight"]["dtype"], "F32");
  EXPECT_EQ(header["conv1.weight"]["data_offsets"], (json{0, 24}));
  EXPECT_EQ(header["conv1.bias"]["data_offsets"], (json{24, 28}));
  for (const auto& [key, value] : header["__metadata__"].items())
    EXPECT_TRUE(value.is_string()) << key;
}

TEST(Checkpoint, AnyFlippedBitIsFound) {
  const std::string bytes = WriteSample(TestDirectory("flip") + "/c");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
    EXPECT_FALSE(ParseCheckpoint(damaged, "c").ok()) << "byte " << i;
  }
}

TEST(Checkpoint, AnyMissingOrAddedEndIsFound) {
  const std::string bytes = WriteSample(TestDirectory("cut") + "/c");
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(ParseCheckpoint(bytes.substr(0, size), "c").ok()) << size;
  EXPECT_FALSE(ParseCheckpoint(bytes + std::string(4, '\0'), "c").ok());
}

TEST(Checkpoint, HostileHeadersAreRefusedWithAReason) {
  const std::string meta =
      R"("__metadata__": {"format": "cotangent checkpoint 1", "header_crc32c": "00000000", "crc32c": "{}"})";
  const struct {
    std::string header;
    std::string says;
  } cases[] = {
      {"", "no JSON"},
      {"[1]", "unexpected a list"},
      {"{", "no JSON"},
      {"{\"a\": 1}", "unexpected a number"},
      {"{\"a\": {\"dtype\": {}}}", "nested deeper"},
      {"{\"a\": {\"shape\": [[1]]}}", "unexpected a list"},
      {"{\"a\": {\"shape\": [-1]}}", "negative"},
      {"{\"a\": {\"shape\": [1.5]}}", "fraction"},
      {"{\"a\": {\"shape\": [1,1,1,1,1,1,1]}}", "more than 6"},
      {"{\"a\": {\"shape\": [99999999999999999999]}}", "fraction"},
      {"{\"a\": {\"shape\": [18446744073709551615]}}", "too large"},
      {"{\"a\": {}, \"a\": {}}", "two tensors"},
      {"{\"__metadata__\": {\"step\": 1}}", "unexpected a number"},
      {"{\"__metadata__\": {\"format\": \"pt\"}}", "not a checkpoint of train"},
      {"{\"__metadata__\": {\"format\": \"cotangent checkpoint 2\"}}",
       "a checkpoint of another version of this program"},
      {"{" + meta + "}", "header's checksum"},
      {std::string(100000, '['), "unexpected a list"},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<Checkpoint> read = ParseCheckpoint(File(c.header, 8), "file.safetensors");
    ASSERT_FALSE(read.ok()) << c.header;
    EXPECT_TRUE(absl::IsInvalidArgument(read.status()));
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("file.safetensors: "));
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(c.says)) << c.header.substr(0, 100);
  }
}

// Returns the bytes of a checkpoint whose header contains the entries `tensors` and the header's
// correct checksum, but no checksums of tensors, with `data_bytes` zero bytes of data.
std::string Signed(json tensors, size_t data_bytes) {
  tensors["__metadata__"] = {
      {"format", "cotangent checkpoint 1"}, {"header_crc32c", "00000000"}, {"crc32c", "{}"}};
  std::string header = tensors.dump();
  char checksum[9];
  snprintf(checksum, sizeof(checksum), "%08x", Crc32c(header));
  header.replace(header.find("00000000"), 8, checksum);
  return File(header, data_bytes);
}

TEST(Checkpoint, TensorsOutsideTheDataAreRefused) {
  const auto tensor = [](json shape, json offsets) {
    return json{{"dtype", "F32"}, {"shape", shape}, {"data_offsets", offsets}};
  };
  const struct {
    json tensors;
    std::string says;
  } cases[] = {
      {{{"a", tensor({4}, {0, 16})}}, "said to lie"},
      {{{"a", tensor({2}, {8, 0})}}, "said to lie"},
      {{{"a", tensor({3}, {0, 8})}}, "said to lie"},
      {{{"a", tensor({1L << 40, 1L << 40}, {0, 8})}}, "said to lie"},
      {{{"a", tensor({1}, {0, 4})}}, "take 4 bytes of 8"},
      {{{"a", tensor({1}, {4, 8})}}, "gap or overlap"},
      {{{"a", tensor({2}, {0, 8})}, {"b", tensor({1}, {4, 8})}}, "gap or overlap"},
      {{{"a", tensor({2}, {0, 8})}}, "checksum of tensor a"},
      {{{"a", {{"dtype", "F64"}, {"shape", {1}}, {"data_offsets", {0, 8}}}}}, "type \"F64\""},
      {{{"a", {{"dtype", "F32"}, {"data_offsets", {0, 8}}}}}, "lacks a shape"},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<Checkpoint> read = ParseCheckpoint(Signed(c.tensors, 8), "f");
    ASSERT_FALSE(read.ok()) << c.tensors;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(c.says)) << c.tensors;
  }
}

TEST(Checkpoint, ALengthBeyondTheFileAsksForNoMemory) {
  const std::string path = TestDirectory("length") + "/c";
  ASSERT_TRUE(
      data::WriteFileAtomically(path, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + "{}")
          .ok());
  // Extends the file to 1 TiB; the added bytes take no space on the disk (a sparse file).
  ASSERT_EQ(truncate(path.c_str(), int64_t{1} << 40), 0);
  const absl::StatusOr<Checkpoint> read = ReadCheckpoint(path);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("announce a header"));
}

TEST(Checkpoint, TheChecksumIsCastagnolis) { EXPECT_EQ(Crc32c("123456789"), 0xe3069283u); }

TEST(Directory, TheNewestGoodCheckpointIsFound) {
  const std::string directory = TestDirectory("newest");
  EXPECT_FALSE(FindNewestGood(directory, [](const std::string&) {}).has_value());
  WriteSample(CheckpointPath(directory, 5));
  const std::string bytes = WriteSample(CheckpointPath(directory, 9));
  WriteSample(CheckpointPath(directory, 100000000));
  ASSERT_TRUE(
      data::WriteFileAtomically(CheckpointPath(directory, 100000000), bytes.substr(0, 300)).ok());
  std::vector<std::string> reports;
  const auto found =
      FindNewestGood(directory, [&](const std::string& line) { reports.push_back(line); });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->path, CheckpointPath(directory, 9));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0], HasSubstr("checkpoint-100000000.safetensors"));
}

TEST(Directory, OldCheckpointsAreRemoved) {
  const std::string directory = TestDirectory("old");
  for (int step : {1, 10, 2, 30}) WriteSample(CheckpointPath(directory, step));
  RemoveOldCheckpoints(directory, 2);
  const std::vector<CheckpointFile> left = ListCheckpoints(directory);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].step, 30);
  EXPECT_EQ(left[1].step, 10);
}

TEST(Directory, ADirectoryThatIsNotThereIsSaidSo) {
  const absl::Status status =
      WriteCheckpoint(::testing::TempDir() + "/nowhere/checkpoint-1.safetensors", {}, {});
  EXPECT_THAT(std::string(status.message()), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace cotangent::training
