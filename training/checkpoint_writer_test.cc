#include "training/checkpoint_writer.h"

#include <future>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

std::vector<float> FloatsIn(const std::string& path, const std::string& name) {
  const Checkpoint checkpoint = ReadCheckpoint(path).value();
  const Checkpoint::Tensor* const tensor = checkpoint.Find(name);
  std::vector<float> floats(tensor == nullptr ? 0 : tensor->size);
  if (tensor != nullptr) checkpoint.CopyTo(*tensor, floats.data());
  return floats;
}

// The first tensor, of 8-bit integers, has an odd number of bytes and stands before one of floats.
TEST(CheckpointWriterTest, WritesWhatTheTensorsHeldWhenItBegan) {
  const std::string directory = ::testing::TempDir();
  const std::string first = directory + "/first.safetensors", second = directory + "/second";
  std::vector<int8_t> integers = {1, -2, 3};
  std::vector<float> scales = {0.5f}, weights = {1, 2, 3, 4};
  const std::vector<CheckpointTensor> tensors = {{"a.weight", {1, 3}, nullptr, integers.data()},
                                                 {"a.weight.scale", {1}, scales.data()},
                                                 {"b.weight", {2, 2}, weights.data()}};
  CheckpointWriter writer;
  const std::shared_future<absl::Status> one = writer.Begin(first, {{"step", "1"}}, tensors);
  integers[0] = 7, scales[0] = 1, weights[3] = -4;
  const std::shared_future<absl::Status> two = writer.Begin(second, {{"step", "2"}}, tensors);
  integers[0] = 9, weights[3] = 0;
  ASSERT_TRUE(two.get().ok()) << two.get();
  // The writer begins the second file after it has finished the first.
  EXPECT_EQ(one.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  ASSERT_TRUE(one.get().ok()) << one.get();
  EXPECT_EQ(FloatsIn(first, "a.weight"), (std::vector<float>{0.5f, -1, 1.5f}));
  EXPECT_EQ(FloatsIn(first, "b.weight"), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(FloatsIn(second, "a.weight"), (std::vector<float>{7, -2, 3}));
  EXPECT_EQ(FloatsIn(second, "b.weight"), (std::vector<float>{1, 2, 3, -4}));
}

TEST(CheckpointWriterTest, AFailureIsOfItsFileAlone) {
  const std::vector<float> weights = {1};
  const std::vector<CheckpointTensor> tensors = {{"weight", {1}, weights.data()}};
  const std::string path = ::testing::TempDir() + "/good.safetensors";
  CheckpointWriter writer;
  const auto bad = writer.Begin("/nowhere/checkpoint", {}, tensors),
             good = writer.Begin(path, {}, tensors);
  EXPECT_FALSE(bad.get().ok());
  EXPECT_TRUE(good.get().ok());
  EXPECT_EQ(FloatsIn(path, "weight"), weights);
  EXPECT_FALSE(writer.Write("/nowhere/checkpoint", {}, tensors).get().ok());
}

}  // namespace
}  // namespace cotangent::training
