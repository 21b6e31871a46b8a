#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "tensor/convolution.h"
#include "tensor/onednn.h"
#include "tensor/reference.h"

namespace cotangent::tensor {
namespace {

// Returns the numbers of a buffer in NHWC as doubles in NCHW.
template <typename T>
std::vector<double> FromNhwc(const Shape& s, const void* data) {
  const Strides strides = StridesOf(s, Layout::kNhwc);
  std::vector<double> values;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t c = 0; c < s[1]; ++c)
      for (int64_t y = 0; y < s[2]; ++y)
        for (int64_t x = 0; x < s[3]; ++x)
          values.push_back(static_cast<double>(
              static_cast<float>(static_cast<const T*>(data)[strides.Offset(n, c, y, x)])));
  return values;
}

std::vector<double> Read(const Shape& shape, ElementType type, const void* data) {
  switch (type) {
    case ElementType::kU8:
      return FromNhwc<uint8_t>(shape, data);
    case ElementType::kS8:
      return FromNhwc<int8_t>(shape, data);
    case ElementType::kBf16:
      return FromNhwc<Bf16>(shape, data);
    default:
      return FromNhwc<float>(shape, data);
  }
}

AlignedBuffer RandomBytes(int64_t count, std::mt19937& random) {
  AlignedBuffer buffer = *AlignedBuffer::Create(std::max<int64_t>(count, 64), "test");
  for (int64_t i = 0; i < count; ++i) buffer.as<uint8_t>()[i] = static_cast<uint8_t>(random());
  return buffer;
}

struct Case {
  ConvolutionShape shape;
  ElementType in, out, addend;
  bool with_bias, with_addend, relu;
};

// Evaluates the formula of Int8Convolution (convolution.h) in double, without rounding or clamping
// the results.
std::vector<double> Expected(const Case& c, const Int8Convolution& int8,
                             const std::vector<double>& in, const std::vector<float>& weights,
                             const std::vector<float>& bias, const std::vector<double>& addend) {
  std::vector<double> real_in, real_weights;
  for (double x : in) real_in.push_back(x * int8.in_scale);
  const size_t taps = weights.size() / c.shape.out_channels;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double scale = int8.weight_scales[i / taps];
    real_weights.push_back(scale * std::nearbyint(weights[i] / scale));
  }
  std::vector<double> out = reference::ConvolutionForward<double>(
      c.shape, real_in, real_weights, std::vector<double>(bias.begin(), bias.end()));
  const bool is_real = c.out == ElementType::kF32;
  for (size_t i = 0; i < out.size(); ++i) {
    if (c.with_addend) out[i] += addend[i] * (is_real ? 1 : int8.addend_scale);
    if (c.relu) out[i] = std::max(out[i], 0.0);
    if (!is_real) out[i] /= int8.out_scale;
  }
  return out;
}

void Check(const Case& c) {
  SCOPED_TRACE(c.shape.ToString());
  std::mt19937 random(5);
  const std::vector<ConvolutionChoice> choices = Int8Candidates(c.shape, c.in, c.out);
  ASSERT_FALSE(choices.empty());
  std::uniform_real_distribution<float> uniform(-1, 1);
  Int8Convolution int8{.in_type = c.in,
                       .out_type = c.out,
                       .addend_type = c.addend,
                       .in_scale = 0.02f,
                       .out_scale = 0.05f,
                       .addend_scale = 0.013f};
  if (c.out == ElementType::kF32) int8.out_scale = 1;
  std::vector<float> weights, bias;
  const int64_t taps = c.shape.weights().NumElements() / c.shape.out_channels;
  for (int64_t o = 0; o < c.shape.out_channels; ++o) {
    int8.weight_scales.push_back((1.5f + uniform(random)) / 127 /
                                 std::sqrt(static_cast<float>(taps)));
    for (int64_t i = 0; i < taps; ++i)
      weights.push_back(127 * int8.weight_scales[o] * uniform(random));
    if (c.with_bias) bias.push_back(uniform(random));
  }
  const AlignedBuffer in = RandomBytes(c.shape.in().NumElements(), random);
  const std::vector<double> read_in = Read(c.shape.in(), c.in, in.data());
  for (const ConvolutionChoice& choice : choices) {
    SCOPED_TRACE(choice.ToString());
    EXPECT_EQ(*ConvolutionChoice::Parse(choice.ToString()), choice);
    const bool is_real = c.out == ElementType::kF32;
    const ElementType addend_type = is_real ? choice.out_type : c.addend;
    const int64_t elements = c.shape.out().NumElements();
    AlignedBuffer addend = RandomBytes(elements * Bytes(addend_type), random);
    for (int64_t i = 0; is_real && i < elements; ++i) {
      const float x = uniform(random);
      if (addend_type == ElementType::kF32)
        addend.as<float>()[i] = x;
      else
        addend.as<Bf16>()[i] = Bf16(x);
    }
    auto made = Convolution::Create(
        c.shape, Direction::kForward, choice,
        {.bias = c.with_bias, .addend = c.with_addend, .relu = c.relu, .int8 = &int8});
    ASSERT_TRUE(made.ok()) << made.status();
    AlignedBuffer packed = *AlignedBuffer::Create((*made)->packed_weight_bytes(), "test"),
                  scratch = *AlignedBuffer::Create(std::max<int64_t>(64, (*made)->scratch_bytes()),
                                                   "test"),
                  out = *AlignedBuffer::Create(
                      std::max<int64_t>(64, elements * Bytes(choice.out_type)), "test");
    (*made)->PackWeights(weights.data(), packed.data());
    for (int run = 0; run < 2; ++run) {
      (*made)->Run({.in = const_cast<void*>(static_cast<const void*>(in.data())),
                    .weights = packed.data(),
                    .bias = bias.data(),
                    .out = out.data(),
                    .scratch = scratch.data(),
                    .addend = addend.data()});
    }
    const std::vector<double> found = Read(c.shape.out(), choice.out_type, out.data());
    const std::vector<double> expected =
        Expected(c, int8, read_in, weights, bias, Read(c.shape.out(), addend_type, addend.data()));
    const double low = choice.out_type == ElementType::kU8 ? 0 : -128,
                 high = choice.out_type == ElementType::kU8 ? 255 : 127;
    int wrong = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      // The tolerance in units of the output type: rounding to an integer costs half a unit; real
      // results are rounded to f32 or bf16, and f32 may round differently from double.
      const double tolerance = !is_real ? 0.501
                               : choice.out_type == ElementType::kBf16
                                   ? 0.006 * std::fabs(expected[i]) + 0.002
                                   : 1e-4 * std::fabs(expected[i]) + 1e-4;
      const double value = is_real ? expected[i] : std::clamp(expected[i], low, high);
      if (!(std::fabs(found[i] - value) <= tolerance) && ++wrong <= 3)
        ADD_FAILURE() << "element " << i << ": " << found[i] << ", expected " << value;
    }
    EXPECT_EQ(wrong, 0);
  }
}

class Int8ConvolutionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Int8Available()) GTEST_SKIP() << "this processor has neither AVX2 nor VNNI";
    SetThreads(2);
  }
};

constexpr ElementType kU8 = ElementType::kU8, kS8 = ElementType::kS8, kF32 = ElementType::kF32;

TEST_F(Int8ConvolutionTest, EveryTypeAndEpilogue) {
  const ConvolutionShape shape = {.batch = 2,
                                  .in_channels = 20,
                                  .out_channels = 33,
                                  .in_height = 9,
                                  .in_width = 7,
                                  .kernel_height = 3,
                                  .kernel_width = 3,
                                  .pad_top = 1,
                                  .pad_bottom = 1,
                                  .pad_left = 1,
                                  .pad_right = 1};
  for (const ElementType in : {kU8, kS8}) {
    for (const ElementType out : {kU8, kS8, kF32}) {
      for (const bool with_addend : {false, true}) {
        for (const bool relu : {false, true}) Check({shape, in, out, kS8, relu, with_addend, relu});
      }
    }
  }
  Check({shape, kU8, kS8, kU8, true, true, false});
}

TEST_F(Int8ConvolutionTest, EveryGeometry) {
  const auto check = [](ConvolutionShape shape) {
    if (shape.groups > 1 && !onednn::Int8Available()) return;  // our own kernels have no groups
    // Depthwise convolutions are tested without an addend, because some of oneDNN's kernels for
    // them do not support one.
    Check(
        {shape, kU8, kU8, kS8, true, shape.groups < shape.in_channels || shape.groups == 1, true});
  };
  check({.batch = 3,
         .in_channels = 16,
         .out_channels = 24,
         .in_height = 8,
         .in_width = 8,
         .kernel_height = 3,
         .kernel_width = 3,
         .stride_height = 2,
         .stride_width = 2,
         .pad_top = 1,
         .pad_left = 1});
  check({.batch = 2, .in_channels = 64, .out_channels = 32, .in_height = 5, .in_width = 6});
  check({.batch = 2,
         .in_channels = 12,
         .out_channels = 12,
         .groups = 12,
         .in_height = 8,
         .in_width = 8,
         .kernel_height = 3,
         .kernel_width = 3,
         .pad_top = 1,
         .pad_bottom = 1,
         .pad_left = 1,
         .pad_right = 1});
  check({.batch = 1,
         .in_channels = 32,
         .out_channels = 48,
         .groups = 2,
         .in_height = 9,
         .in_width = 9,
         .kernel_height = 3,
         .kernel_width = 2,
         .dilation_height = 2,
         .pad_bottom = 2,
         .pad_right = 1});
}

// Threads divide the single image of the batch: each computes some rows of output pixels.
TEST_F(Int8ConvolutionTest, OneImageInLines) {
  for (const int64_t stride : {1, 2}) {
    Check({{.batch = 1,
            .in_channels = 64,
            .out_channels = 64,
            .in_height = 33,
            .in_width = 30,
            .kernel_height = 5,
            .kernel_width = 3,
            .stride_height = stride,
            .pad_top = 2,
            .pad_bottom = 1,
            .pad_left = 1,
            .pad_right = 1},
           kU8,
           kU8,
           kU8,
           true,
           true,
           true});
  }
}

TEST_F(Int8ConvolutionTest, LinearLayers) {
  for (const int64_t batch : {1, 5, 64}) {
    Check({{.batch = batch, .in_channels = 30, .out_channels = 10},
           kU8,
           kF32,
           kU8,
           true,
           false,
           false});
    Check({{.batch = batch,
            .in_channels = 8,
            .out_channels = 40,
            .in_height = 4,
            .in_width = 3,
            .kernel_height = 4,
            .kernel_width = 3},
           kS8,
           kU8,
           kU8,
           true,
           false,
           true});
  }
}

// Tests that integers are summed without saturation, overflow or rounding, however large they are:
// with scales of 1 and results in f32, every result is the exact sum, rounded once.
void CheckExact(const ConvolutionShape& shape, ElementType type, const std::vector<int>& in,
                const std::vector<int>& weights) {
  SCOPED_TRACE(shape.ToString());
  const std::vector<double> exact = reference::ConvolutionForward<double>(
      shape, std::vector<double>(in.begin(), in.end()),
      std::vector<double>(weights.begin(), weights.end()), {});
  const Strides strides = StridesOf(shape.in(), Layout::kNhwc);
  AlignedBuffer bytes = *AlignedBuffer::Create(std::max<int64_t>(in.size(), 64), "test");
  size_t next = 0;
  for (int64_t n = 0; n < shape.batch; ++n)
    for (int64_t c = 0; c < shape.in_channels; ++c)
      for (int64_t y = 0; y < shape.in_height; ++y)
        for (int64_t x = 0; x < shape.in_width; ++x)
          bytes.as<uint8_t>()[strides.Offset(n, c, y, x)] = static_cast<uint8_t>(in[next++]);
  const std::vector<float> real_weights(weights.begin(), weights.end());
  const Int8Convolution int8{.in_type = type,
                             .weight_scales = std::vector<float>(shape.out_channels, 1.0f)};
  for (const ConvolutionChoice& choice : Int8Candidates(shape, type, ElementType::kF32)) {
    if (choice.out_type != ElementType::kF32) continue;
    SCOPED_TRACE(choice.ToString());
    const auto made = Convolution::Create(shape, Direction::kForward, choice, {.int8 = &int8});
    ASSERT_TRUE(made.ok()) << made.status();
    AlignedBuffer packed = *AlignedBuffer::Create((*made)->packed_weight_bytes(), "test"),
                  scratch = *AlignedBuffer::Create(std::max<int64_t>(64, (*made)->scratch_bytes()),
                                                   "test"),
                  out = *AlignedBuffer::Create(shape.out().NumElements() * 4, "test");
    (*made)->PackWeights(real_weights.data(), packed.data());
    (*made)->Run({.in = bytes.data(),
                  .weights = packed.data(),
                  .out = out.data(),
                  .scratch = scratch.data()});
    const std::vector<double> found = Read(shape.out(), ElementType::kF32, out.data());
    int wrong = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i] != static_cast<double>(static_cast<float>(exact[i])) && ++wrong <= 3)
        ADD_FAILURE() << "element " << i << ": " << found[i] << ", expected " << exact[i];
    }
    ASSERT_EQ(wrong, 0);
  }
}

// Returns `count` random numbers: two fifths are `least`, two fifths `most`, the others 0.
std::vector<int> Extremes(int64_t count, int least, int most, std::mt19937& random) {
  std::vector<int> numbers;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t kind = random() % 5;
    numbers.push_back(kind < 2 ? least : kind < 4 ? most : 0);
  }
  return numbers;
}

TEST_F(Int8ConvolutionTest, IsExactAtTheExtremes) {
  std::mt19937 random(2);
  for (const ElementType type : {kU8, kS8}) {
    const int least = type == kU8 ? 0 : -128, most = type == kU8 ? 255 : 127;
    // Winograd's algorithm in 8-bit integers takes at most 1841 channels.
    for (const int64_t channels : {1, 7, 24, 1841, 1842}) {
      for (const int64_t stride : {1, 2}) {
        const ConvolutionShape shape = {.batch = 1,
                                        .in_channels = channels,
                                        .out_channels = 3,
                                        .in_height = 5,
                                        .in_width = 6,
                                        .kernel_height = 3,
                                        .kernel_width = 3,
                                        .stride_height = stride,
                                        .stride_width = stride,
                                        .pad_top = 1,
                                        .pad_bottom = 1,
                                        .pad_left = 1};
        const int64_t numbers = shape.in().NumElements(), weights = shape.weights().NumElements();
        CheckExact(shape, type, std::vector<int>(numbers, most), std::vector<int>(weights, 127));
        CheckExact(shape, type, std::vector<int>(numbers, most), std::vector<int>(weights, -127));
        CheckExact(shape, type, std::vector<int>(numbers, least), std::vector<int>(weights, 127));
        CheckExact(shape, type, Extremes(numbers, least, most, random),
                   Extremes(weights, -127, 127, random));
      }
    }
  }
}

// Tests, for each of the 36 points (elements of a transformed tile), inputs and weights that make
// the transforms of both as large as they can be: extreme numbers with the signs of the products of
// the two matrix rows that belong to the point.
TEST_F(Int8ConvolutionTest, IsExactForTheLargestTransforms) {
  constexpr int kIn[6][6] = {{2, 3, -4, -3, 2, 0}, {0, -2, -5, -1, 2, 0}, {0, 2, 1, -5, 2, 0},
                             {0, -1, -2, 1, 2, 0}, {0, 2, -1, -2, 1, 0},  {0, 2, 3, -4, -3, 2}};
  constexpr int kWeights[6][3] = {{1, 0, 0}, {1, 1, 1},  {1, -1, 1},
                                  {1, 2, 4}, {4, -2, 1}, {0, 0, 1}};
  const ConvolutionShape shape = {.batch = 1,
                                  .in_channels = 2,
                                  .out_channels = 1,
                                  .in_height = 6,
                                  .in_width = 6,
                                  .kernel_height = 3,
                                  .kernel_width = 3};
  for (int point = 0; point < 36; ++point) {
    for (const int sign : {1, -1}) {
      std::vector<int> unsigned_in, signed_in, weights;
      for (int i = 0; i < 72; ++i) {
        const int size = sign * kIn[point / 6][i % 36 / 6] * kIn[point % 6][i % 6];
        unsigned_in.push_back(size > 0 ? 255 : 0);
        signed_in.push_back(size > 0 ? 127 : -128);
      }
      for (int i = 0; i < 18; ++i) {
        const int size = kWeights[point / 6][i % 9 / 3] * kWeights[point % 6][i % 3];
        weights.push_back(size > 0 ? 127 : -127);
      }
      CheckExact(shape, kU8, unsigned_in, weights);
      CheckExact(shape, kS8, signed_in, weights);
    }
  }
}

TEST_F(Int8ConvolutionTest, RefusesOtherChoices) {
  const ConvolutionShape shape = {
      .in_channels = 4, .out_channels = 4, .in_height = 4, .in_width = 4};
  ConvolutionChoice choice = Int8Candidates(shape, kU8, kU8).front();
  Int8Convolution int8{.out_type = kU8, .weight_scales = std::vector<float>(3, 1.0f)};
  EXPECT_FALSE(Convolution::Create(shape, Direction::kForward, choice, {.int8 = &int8}).ok());
  int8.weight_scales.push_back(1);
  EXPECT_TRUE(Convolution::Create(shape, Direction::kForward, choice, {.int8 = &int8}).ok());
  choice.out_type = kS8;
  EXPECT_FALSE(Convolution::Create(shape, Direction::kForward, choice, {.int8 = &int8}).ok());
}

}  // namespace
}  // namespace cotangent::tensor
