#include "tensor/pool.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tensor/reference.h"

namespace cotangent::tensor {
namespace {

using ::testing::HasSubstr;

std::vector<PoolShape> Shapes() {
  return {
      // A large window and many channels: without AVX-512, averages divide the channels in kNhwc
      // into groups of 64, 16, 8 and a rest.
      {.batch = 2,
       .channels = 157,
       .in_height = 5,
       .in_width = 6,
       .window_height = 5,
       .window_width = 6},
      {.batch = 2,
       .channels = 24,
       .in_height = 8,
       .in_width = 6,
       .window_height = 2,
       .window_width = 2,
       .stride_height = 2,
       .stride_width = 2},
      {.batch = 2,
       .channels = 17,
       .in_height = 7,
       .in_width = 9,
       .window_height = 3,
       .window_width = 3,
       .stride_height = 2,
       .stride_width = 2,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 1,
       .channels = 3,
       .in_height = 6,
       .in_width = 5,
       .window_height = 3,
       .window_width = 2,
       .pad_top = 2,
       .pad_right = 1},
      {.batch = 2,
       .channels = 40,
       .in_height = 5,
       .in_width = 4,
       .window_height = 2,
       .window_width = 1,
       .stride_height = 3,
       .stride_width = 2},
      {.batch = 3,
       .channels = 16,
       .in_height = 15,
       .in_width = 17,
       .window_height = 15,
       .window_width = 17},
      // Positions of maxima take one byte each in windows of up to 256 cells, and an s32 in larger
      // ones. The next three shapes have windows of 16 x 16 = 256 cells, of 32 x 40, and of 17 x
      // 20, which overlap.
      {.batch = 2,
       .channels = 17,
       .in_height = 16,
       .in_width = 16,
       .window_height = 16,
       .window_width = 16},
      {.batch = 2,
       .channels = 9,
       .in_height = 32,
       .in_width = 40,
       .window_height = 32,
       .window_width = 40},
      {.batch = 1,
       .channels = 17,
       .in_height = 24,
       .in_width = 33,
       .window_height = 17,
       .window_width = 20,
       .stride_height = 5,
       .stride_width = 3,
       .pad_top = 8,
       .pad_right = 10},
      {},
  };
}

constexpr Layout kLayouts[] = {Layout::kNchw, Layout::kNhwc, Layout::kBlocked8, Layout::kBlocked16};
constexpr ElementType kTypes[] = {ElementType::kF32, ElementType::kBf16};

// Returns normally distributed numbers that bf16 holds exactly.
std::vector<double> Random(int64_t count, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<double> values(count);
  for (double& value : values) value = Bf16ToFloat(FloatToBf16(normal(random)));
  return values;
}

std::vector<uint8_t> Store(const std::vector<double>& values, const Shape& shape, Layout layout,
                           ElementType type) {
  const std::vector<float> plain(values.begin(), values.end());
  std::vector<uint8_t> stored(StorageBytes(shape, layout, type));
  Reorder(shape, plain.data(), Layout::kNchw, ElementType::kF32, stored.data(), layout, type);
  return stored;
}

std::vector<float> Load(const std::vector<uint8_t>& stored, const Shape& shape, Layout layout,
                        ElementType type) {
  std::vector<float> plain(shape.NumElements());
  Reorder(shape, stored.data(), layout, type, plain.data(), Layout::kNchw, ElementType::kF32);
  return plain;
}

std::vector<uint8_t> Garbage(const Shape& shape, Layout layout, ElementType type) {
  return std::vector<uint8_t>(StorageBytes(shape, layout, type), 0xff);
}

void ExpectNear(const std::vector<float>& found, const std::vector<double>& exact,
                double tolerance) {
  ASSERT_EQ(found.size(), exact.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], exact[i], tolerance * (1 + std::abs(exact[i]))) << "element " << i;
  }
}

void ExpectPaddingZero(const std::vector<uint8_t>& stored, const Shape& shape, Layout layout,
                       ElementType type) {
  const std::vector<float> plain = Load(stored, shape, layout, type);
  EXPECT_EQ(Store({plain.begin(), plain.end()}, shape, layout, type), stored);
}

// Computes the gradient of max pooling by plain loops: each output's gradient goes to the first
// pixel with its maximum.
std::vector<double> MaxPoolGradient(const PoolShape& shape, const std::vector<double>& in,
                                    const std::vector<double>& out_gradient) {
  std::vector<double> best(out_gradient.size()), gradient(in.size(), 0.0);
  std::vector<int64_t> winner(out_gradient.size());
  reference::ForEachWindowPixel(shape, [&](int64_t i, int64_t o, bool first) {
    if (first || in[i] > best[o]) best[o] = in[i], winner[o] = i;
  });
  for (size_t o = 0; o < winner.size(); ++o) gradient[winner[o]] += out_gradient[o];
  return gradient;
}

// Computes the gradient of average pooling by plain loops: each output's gradient, divided by the
// number of its window's cells (with padding, if count_include_pad), goes to each pixel of the
// window.
std::vector<double> AveragePoolGradient(const PoolShape& shape, bool count_include_pad,
                                        const std::vector<double>& out_gradient) {
  std::vector<double> cells(out_gradient.size(),
                            count_include_pad ? shape.window_height * shape.window_width : 0);
  if (!count_include_pad)
    reference::ForEachWindowPixel(shape, [&](int64_t, int64_t o, bool) { ++cells[o]; });
  std::vector<double> gradient(shape.in().NumElements(), 0.0);
  reference::ForEachWindowPixel(
      shape, [&](int64_t i, int64_t o, bool) { gradient[i] += out_gradient[o] / cells[o]; });
  return gradient;
}

template <typename Test>
void ForEachCase(Test test) {
  for (const PoolShape& shape : Shapes()) {
    for (Layout layout : kLayouts) {
      for (ElementType type : kTypes) {
        SCOPED_TRACE(shape.ToString() + " " + std::string(Name(layout)) + " " +
                     std::string(Name(type)));
        test(shape, layout, type, type == ElementType::kF32 ? 1e-5 : 1.0 / 256);
      }
    }
  }
}

TEST(MaxPool, ForwardAndBackwardAgreeWithTheReference) {
  ForEachCase([](const PoolShape& shape, Layout layout, ElementType type, double tolerance) {
    const std::vector<double> in = Random(shape.in().NumElements(), 1),
                              out_gradient = Random(shape.out().NumElements(), 2);
    std::vector<uint8_t> out = Garbage(shape.out(), layout, type),
                         gradient = Garbage(shape.in(), layout, type);
    std::vector<uint8_t> positions =
        Garbage(shape.out(), layout, PositionType(shape.window_height, shape.window_width));
    ASSERT_TRUE(MaxPoolForward(shape, layout, type, Store(in, shape.in(), layout, type).data(),
                               out.data(), positions.data())
                    .ok());
    ExpectNear(Load(out, shape.out(), layout, type), reference::MaxPoolForward(shape, in), 0);
    ExpectPaddingZero(out, shape.out(), layout, type);
    ASSERT_TRUE(MaxPoolBackward(shape, layout, type,
                                Store(out_gradient, shape.out(), layout, type).data(),
                                positions.data(), gradient.data())
                    .ok());
    ExpectNear(Load(gradient, shape.in(), layout, type), MaxPoolGradient(shape, in, out_gradient),
               tolerance);
    ExpectPaddingZero(gradient, shape.in(), layout, type);
  });
}

TEST(AveragePool, ForwardAndBackwardAgreeWithTheReference) {
  for (bool count_include_pad : {true, false}) {
    ForEachCase([&](const PoolShape& shape, Layout layout, ElementType type, double tolerance) {
      const std::vector<double> in = Random(shape.in().NumElements(), 1),
                                out_gradient = Random(shape.out().NumElements(), 2);
      std::vector<uint8_t> out = Garbage(shape.out(), layout, type),
                           gradient = Garbage(shape.in(), layout, type);
      ASSERT_TRUE(AveragePoolForward(shape, count_include_pad, layout, type,
                                     Store(in, shape.in(), layout, type).data(), out.data())
                      .ok());
      ExpectNear(Load(out, shape.out(), layout, type),
                 reference::AveragePoolForward(shape, count_include_pad, in), tolerance);
      ExpectPaddingZero(out, shape.out(), layout, type);
      ASSERT_TRUE(AveragePoolBackward(shape, count_include_pad, layout, type,
                                      Store(out_gradient, shape.out(), layout, type).data(),
                                      gradient.data())
                      .ok());
      ExpectNear(Load(gradient, shape.in(), layout, type),
                 AveragePoolGradient(shape, count_include_pad, out_gradient), tolerance);
      ExpectPaddingZero(gradient, shape.in(), layout, type);
    });
  }
}

TEST(MaxPool, FirstOfEqualsWinsAndNanWins) {
  const PoolShape shape{.in_height = 2, .in_width = 2, .window_height = 2, .window_width = 2};
  const float equal[] = {1, 3, 3, 2},
              minus_infinity[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
              with_nan[] = {1, 7, std::numeric_limits<float>::quiet_NaN(), 8};
  float out;
  uint8_t position;
  ASSERT_TRUE(MaxPoolForward(shape, Layout::kNchw, ElementType::kF32, equal, &out, &position).ok());
  EXPECT_EQ(out, 3);
  EXPECT_EQ(position, 1);
  ASSERT_TRUE(
      MaxPoolForward(shape, Layout::kNchw, ElementType::kF32, minus_infinity, &out, &position)
          .ok());
  EXPECT_EQ(out, -INFINITY);
  EXPECT_EQ(position, 0);
  ASSERT_TRUE(
      MaxPoolForward(shape, Layout::kNchw, ElementType::kF32, with_nan, &out, nullptr).ok());
  EXPECT_TRUE(std::isnan(out));
}

// In a window that reaches into the padding, too, the maximum is a true pixel.
TEST(MaxPool, AWindowOfMinusInfinityHasItsMaximumInTheImage) {
  for (const int64_t channels : {3, 8, 21}) {
    const PoolShape shape{.channels = channels,
                          .in_height = 2,
                          .in_width = 2,
                          .window_height = 3,
                          .window_width = 3,
                          .pad_top = 1,
                          .pad_bottom = 1,
                          .pad_left = 1,
                          .pad_right = 1};
    const std::vector<float> in(4 * channels, -INFINITY), ones(4 * channels, 1);
    std::vector<float> out(4 * channels), gradient(4 * channels);
    std::vector<uint8_t> positions(4 * channels);
    ASSERT_TRUE(MaxPoolForward(shape, Layout::kNhwc, ElementType::kF32, in.data(), out.data(),
                               positions.data())
                    .ok());
    ASSERT_TRUE(MaxPoolBackward(shape, Layout::kNhwc, ElementType::kF32, ones.data(),
                                positions.data(), gradient.data())
                    .ok());
    // The first pixel of the image is the first of all four windows.
    for (int64_t c = 0; c < channels; ++c) {
      EXPECT_EQ(positions[c], 4) << channels;
      EXPECT_EQ(gradient[c], 4) << channels;
    }
  }
}

// A sum of 2^24 threes that grows by 3 at a time in f32 is wrong by a fifth.
TEST(AveragePool, OfManyCellsIsExact) {
  constexpr int64_t kSide = 4096;
  const PoolShape shape{
      .in_height = kSide, .in_width = kSide, .window_height = kSide, .window_width = kSide};
  const std::vector<float> in(kSide * kSide, 3.0f);
  float out;
  ASSERT_TRUE(
      AveragePoolForward(shape, true, Layout::kNchw, ElementType::kF32, in.data(), &out).ok());
  EXPECT_EQ(out, 3);
}

TEST(PoolShape, RejectsWhatDoesNotFit) {
  const PoolShape too_large{.in_height = 3, .in_width = 3, .window_height = 4, .window_width = 2};
  EXPECT_THAT(std::string(too_large.Validate().message()),
              HasSubstr("4x2 is larger than its padded input of 3x3"));
  const PoolShape padded{
      .in_height = 3, .in_width = 3, .window_height = 2, .window_width = 2, .pad_top = 2};
  EXPECT_THAT(std::string(padded.Validate().message()), HasSubstr("less than the window"));
  const PoolShape many_cells{
      .in_height = 1 << 16, .in_width = 1 << 16, .window_height = 1 << 16, .window_width = 1 << 16};
  EXPECT_THAT(std::string(many_cells.Validate().message()), HasSubstr("more than 2^31 - 1 cells"));
}

}  // namespace
}  // namespace cotangent::tensor
