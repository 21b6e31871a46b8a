// Counts the memory allocations of the third call of a classifier, when all memory that it keeps
// has been allocated. A network without operations of oneDNN may allocate nothing. With them,
// oneDNN copies the arguments of a primitive into a table each time, of at most kOneDnnsTable bytes
// (tensor/onednn_test.cc checks that), so allocations of at most that size are tolerated. The
// picture (3,072 bytes) and the results of the convolutions are larger.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/classifier.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"

namespace {

constexpr size_t kOneDnnsTable = 2048;  // bytes
std::atomic<bool> counting = false;
std::atomic<int> small = 0, large = 0;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  if (counting) ++(size > kOneDnnsTable ? large : small);
  void* const memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace cotangent::inference {
namespace {

TEST(ClassifierAllocation, WarmCallsAllocateNothing) {
  const std::string path = ::testing::TempDir() + "/warm.safetensors";
  // This network needs no oneDNN, so the call allocates nothing at all.
  ASSERT_TRUE(
      WriteInferenceFile(path, MakeTrained("layer { average_pool { kernel: 4 } } "
                                           "layer { activation { kind: GELU } } "
                                           "layer { global_average_pool {} } layer { flatten {} } "
                                           "layer { softmax {} }",
                                           {"red", "green", "blue"}))
          .ok());
  const auto classifier = *Classifier::Load(path, {.threads = 2, .batch_size = 2});
  const std::vector<uint8_t> pixels(size_t{3} * 100 * 100, 77);
  const std::vector<Picture> pictures = {
      {pixels.data(), 100, 100}, {pixels.data(), 32, 32}, {pixels.data(), 7, 50}};
  std::vector<float> probabilities(9);
  for (int i = 0; i < 3; ++i) {
    counting = i == 2;
    const absl::Status status = classifier->ClassifyBatch(pictures, absl::MakeSpan(probabilities));
    counting = false;
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(large, 0);
  EXPECT_EQ(small, 0);
}

TEST(ClassifierAllocation, NorDoConvolutionsButForOneDnnsTables) {
  const std::string path = ::testing::TempDir() + "/convnet.safetensors";
  ASSERT_TRUE(WriteInferenceFile(path, MakeTrainedFromZoo("convnet", 10)).ok());
  const auto classifier = *Classifier::Load(path, {.threads = 2});
  const std::vector<uint8_t> pixels(size_t{3} * 32 * 32, 77);
  std::vector<float> probabilities(10);
  for (int i = 0; i < 3; ++i) {
    counting = i == 2;
    const absl::Status status =
        classifier->Classify({pixels.data(), 32, 32}, absl::MakeSpan(probabilities));
    counting = false;
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(large, 0);
}

}  // namespace
}  // namespace cotangent::inference
