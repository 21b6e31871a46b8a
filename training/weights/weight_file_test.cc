// PyTorch wrote the files in testdata/, by tests/weights_from_pytorch/make_testdata.py.
#include "training/weights/weight_file.h"

#include <cmath>
#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Path(const std::string& name) { return "training/weights/testdata/" + name; }

std::vector<float> Values(const WeightFile& file, const std::string& name) {
  const WeightFile::Tensor* tensor = file.Find(name);
  if (tensor == nullptr) return {};
  std::vector<float> values(tensor->elements);
  file.CopyTo(*tensor, values.data());
  return values;
}

TEST(WeightFile, TorchAndSafetensorsHoldTheSame) {
  const auto safetensors = ReadWeightFile(Path("small.safetensors"));
  ASSERT_TRUE(safetensors.ok()) << safetensors.status();
  EXPECT_EQ(safetensors->tensors().size(), 9u);
  for (const char* name : {"small.pth", "small_protocol4.pt"}) {
    const auto torch = ReadWeightFile(Path(name));
    ASSERT_TRUE(torch.ok()) << torch.status();
    EXPECT_EQ(torch->tensors().size(), safetensors->tensors().size());
    for (const auto& [name, tensor] : torch->tensors()) {
      ASSERT_NE(safetensors->Find(name), nullptr) << name;
      EXPECT_EQ(tensor.shape, safetensors->Find(name)->shape) << name;
      if (tensor.type == NumberType::kOther) continue;
      EXPECT_EQ(Values(*torch, name), Values(*safetensors, name)) << name;
    }
  }
}

TEST(WeightFile, ReadsEveryTypeAndLayout) {
  const auto file = ReadWeightFile(Path("types.pth"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(Values(*file, "f64"), ElementsAre(1.5f, -2.25f));
  EXPECT_THAT(Values(*file, "f16"),
              ElementsAre(1.5f, -2.25f, std::ldexp(1.0f, -24), 65504.0f, INFINITY));
  EXPECT_THAT(Values(*file, "bf16"), ElementsAre(1.5f, -2.25f));
  EXPECT_EQ(file->Find("int64")->type, NumberType::kOther);
  EXPECT_THAT(file->Find("transposed")->shape, ElementsAre(4, 3));
  EXPECT_THAT(Values(*file, "transposed"), ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  EXPECT_THAT(Values(*file, "view"), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(file->Find("empty")->shape, ElementsAre(0, 3));
  EXPECT_THAT(Values(*file, "parameter"), ElementsAre(3));
}

TEST(WeightFile, FindsTheWeightsOfAWholeRun) {
  const auto file = ReadWeightFile(Path("run.pth"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_NE(file->Find("conv1.weight"), nullptr);
}

TEST(WeightFile, RefusesWhatItShould) {
  const std::pair<const char*, const char*> cases[] = {
      {"runs_a_command.pth", "system', which was not done"},
      {"whole_module.pth", "wants to run"},
      {"compressed.pth", "is compressed"},
      {"bomb.pth", "is compressed"},
      {"old_format.pth", "PyTorch before 1.6"},
      {"resnet18_names.txt", "neither a whole safetensors file nor"},
  };
  for (const auto& [name, says] : cases) {
    const auto file = ReadWeightFile(Path(name));
    ASSERT_FALSE(file.ok()) << name;
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(file.status().message(), HasSubstr(says));
    EXPECT_THAT(file.status().message(), HasSubstr(name));
  }
}

TEST(WeightFile, WhatIsCutShortAnywhereIsAnError) {
  for (const char* name : {"small.pth", "small.safetensors"}) {
    const std::string bytes = data::ReadFile(Path(name)).value();
    for (size_t size = 0; size < bytes.size(); size += 7) {
      const std::string cut = bytes.substr(0, size);
      EXPECT_FALSE(
          (name[6] == 'p' ? ParseTorchWeights(cut, name) : ParseSafetensorsWeights(cut, name)).ok())
          << name << size;
    }
  }
}

// The product of the extents before the 0 is beyond what 64 bits can count.
TEST(WeightFile, AnEmptyTensorMayHaveHugeExtents) {
  const std::string header =
      R"({"t":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const auto file = ParseSafetensorsWeights(bytes + header, "empty.safetensors");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(Values(*file, "t"), ElementsAre());
}

TEST(WeightFile, AFlippedByteOfAStorageIsFound) {
  std::string bytes = data::ReadFile(Path("small.pth")).value();
  const size_t storage = bytes.find("/data/0");
  ASSERT_NE(storage, std::string::npos);
  bytes[storage + 200] ^= 1;
  EXPECT_THAT(ParseTorchWeights(bytes, "flipped").status().message(), HasSubstr("damaged"));
}

}  // namespace
}  // namespace cotangent::training
