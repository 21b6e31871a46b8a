// Sums of millions of equal products: a single sum in f32 that grows by one product at a time is
// wrong by up to a fifth, since f32 has 24 bits. Every implementation in f32 must add up in parts,
// except oneDNN's where there is no other, without AVX2 and with AVX-512.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {
namespace {

constexpr float kValue = 0.1f;
constexpr double kProduct = double{kValue} * double{kValue};
constexpr double kTolerance = 1e-3;

AlignedBuffer BufferOf(int64_t bytes) {
  return *AlignedBuffer::Create(std::max<int64_t>(bytes, 64), "a test");
}

struct Side {
  Shape shape;
  Layout layout;
  AlignedBuffer buffer = BufferOf(StorageBytes(shape, layout, ElementType::kF32));

  void Fill() {
    const std::vector<float> plain(shape.NumElements(), kValue);
    Reorder(shape, plain.data(), Layout::kNchw, ElementType::kF32, buffer.data(), layout,
            ElementType::kF32);
  }
};

// Returns the results of one implementation if all that it reads is kValue: out [N, C, H, W] of
// kForward, the gradient by the weights of kWeightGradient.
std::vector<float> ResultsOf(const ConvolutionShape& shape, Direction direction,
                             const ConvolutionChoice& choice) {
  const auto convolution = Convolution::Create(shape, direction, choice, {});
  EXPECT_TRUE(convolution.ok()) << convolution.status();
  Side in{shape.in(), choice.in_layout}, out{shape.out(), choice.out_layout};
  std::vector<float> weights(shape.weights().NumElements(), kValue);
  const bool forward = direction == Direction::kForward;
  AlignedBuffer packed = BufferOf((*convolution)->packed_weight_bytes()),
                scratch = BufferOf((*convolution)->scratch_bytes());
  in.Fill();
  if (!forward) out.Fill();
  const bool plain = (*convolution)->weights_are_plain();
  if (forward && !plain) (*convolution)->PackWeights(weights.data(), packed.data());
  (*convolution)
      ->Run({.in = in.buffer.data(),
             .weights = plain ? weights.data() : packed.data(),
             .out = out.buffer.data(),
             .scratch = scratch.data()});
  if (!forward) {
    if (!plain) (*convolution)->UnpackWeightGradient(packed.data(), weights.data());
    return weights;
  }
  std::vector<float> results(shape.out().NumElements());
  Reorder(shape.out(), out.buffer.data(), choice.out_layout, ElementType::kF32, results.data(),
          Layout::kNchw, ElementType::kF32);
  return results;
}

// Expects that each result is a sum of between `least` and `most` products.
void ExpectSums(const ConvolutionShape& shape, Direction direction, int64_t least, int64_t most) {
  SetThreads(1);
  for (const ConvolutionChoice& choice :
       Candidates(shape, direction, ElementType::kF32, /*exact=*/false)) {
    const bool is_own = choice.implementation.find("jit") == std::string::npos;
    if (!is_own && (!HasAvx2() || HasAvx512())) continue;
    const std::vector<float> results = ResultsOf(shape, direction, choice);
    const double low = kProduct * static_cast<double>(least),
                 high = kProduct * static_cast<double>(most);
    double smallest = results[0], largest = results[0];
    for (const float result : results) {
      smallest = std::min<double>(smallest, result), largest = std::max<double>(largest, result);
    }
    EXPECT_GE(smallest, low * (1 - kTolerance)) << choice.ToString();
    EXPECT_LE(largest, high * (1 + kTolerance)) << choice.ToString();
  }
}

TEST(LargeSums, OfALinearLayer) {
  ExpectSums({.in_channels = 16,
              .out_channels = 2,
              .in_height = 512,
              .in_width = 1024,
              .kernel_height = 512,
              .kernel_width = 1024},
             Direction::kForward, 1 << 23, 1 << 23);
}

TEST(LargeSums, OfGradientsByWeights) {
  constexpr int64_t kSide = 1024;
  for (const int64_t groups : {1, 16}) {
    for (const int64_t kernel : {1, 3}) {
      ExpectSums({.batch = 2,
                  .in_channels = 16,
                  .out_channels = 16,
                  .groups = groups,
                  .in_height = kSide,
                  .in_width = kSide,
                  .kernel_height = kernel,
                  .kernel_width = kernel,
                  .pad_top = kernel / 2,
                  .pad_bottom = kernel / 2,
                  .pad_left = kernel / 2,
                  .pad_right = kernel / 2},
                 Direction::kWeightGradient, 2 * (kSide - kernel / 2) * (kSide - kernel / 2),
                 2 * kSide * kSide);
    }
  }
}

}  // namespace
}  // namespace cotangent::tensor
