#include "tensor/convolution.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tensor/reference.h"

namespace cotangent::tensor {
namespace {

using ::testing::HasSubstr;

// The largest errors allowed, relative to the largest exact value. Sums in f32 depend on their
// order in the last bits; Winograd's transforms multiply rounding errors by small constants; bf16
// results are rounded to 8 significant bits.
constexpr double kDirectTolerance = 5e-6;
constexpr double kWinogradTolerance = 1e-5;
constexpr double kBf16Tolerance = 1.0 / 256;
// In bf16, Winograd's algorithm also rounds between its transforms.
constexpr double kBf16WinogradTolerance = 0.02;

// Returns a convolution of two images with a square kernel of odd size, and with the padding that
// keeps the size of images at a stride of 1.
ConvolutionShape Padded(int64_t in, int64_t out, int64_t groups, int64_t height, int64_t width,
                        int64_t kernel, int64_t stride) {
  return {.batch = 2,
          .in_channels = in,
          .out_channels = out,
          .groups = groups,
          .in_height = height,
          .in_width = width,
          .kernel_height = kernel,
          .kernel_width = kernel,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = kernel / 2,
          .pad_bottom = kernel / 2,
          .pad_left = kernel / 2,
          .pad_right = kernel / 2};
}

std::vector<ConvolutionShape> Shapes() {
  return {
      // The next six are depthwise convolutions. Their rows have several blocks of pixels (a block
      // is computed at once) inside the image, blocks at its borders, and pixels left over.
      Padded(19, 19, 19, 6, 27, 3, 1),
      Padded(40, 40, 40, 9, 26, 5, 1),
      Padded(9, 9, 9, 8, 21, 7, 1),
      Padded(24, 24, 24, 9, 41, 3, 2),
      Padded(17, 17, 17, 12, 39, 5, 2),
      Padded(8, 8, 8, 9, 33, 7, 2),
      // The next four are for pixel_product.cc and pixel_correlation.cc. Among them are
      // convolutions with several pieces and panels (pixel_convolution.h), with lines of more
      // pixels than are computed at a time, with pixels a power of two apart, and with groups.
      Padded(256, 270, 1, 5, 6, 1, 1),
      Padded(96, 28, 1, 7, 9, 3, 2),
      Padded(5, 12, 1, 3, 300, 3, 1),
      Padded(24, 40, 4, 9, 10, 3, 2),
      {.batch = 2,
       .in_channels = 3,
       .out_channels = 16,
       .in_height = 9,
       .in_width = 7,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 3,
       .out_channels = 24,
       .in_height = 8,
       .in_width = 8,
       .kernel_height = 2,
       .kernel_width = 2},
      {.batch = 3,
       .in_channels = 16,
       .out_channels = 24,
       .in_height = 11,
       .in_width = 6,
       .kernel_height = 3,
       .kernel_width = 2,
       .stride_height = 2,
       .stride_width = 1,
       .pad_top = 0,
       .pad_bottom = 2,
       .pad_left = 1},
      {.batch = 2,
       .in_channels = 64,
       .out_channels = 64,
       .in_height = 8,
       .in_width = 8,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 24,
       .out_channels = 64,
       .in_height = 15,
       .in_width = 15,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 16,
       .out_channels = 32,
       .in_height = 10,
       .in_width = 9,
       .kernel_height = 3,
       .kernel_width = 3,
       .dilation_height = 2,
       .dilation_width = 3,
       .pad_top = 2,
       .pad_bottom = 2,
       .pad_left = 3,
       .pad_right = 3},
      {.batch = 2,
       .in_channels = 32,
       .out_channels = 16,
       .in_height = 7,
       .in_width = 7,
       .stride_height = 2,
       .stride_width = 2},
      {.batch = 2,
       .in_channels = 24,
       .out_channels = 24,
       .groups = 24,
       .in_height = 9,
       .in_width = 9,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 32,
       .out_channels = 32,
       .groups = 32,
       .in_height = 9,
       .in_width = 9,
       .kernel_height = 3,
       .kernel_width = 3,
       .stride_height = 2,
       .stride_width = 2,
       .pad_top = 1,
       .pad_left = 1},
      {.batch = 18,
       .in_channels = 35,
       .out_channels = 35,
       .groups = 35,
       .in_height = 7,
       .in_width = 11,
       .kernel_height = 5,
       .kernel_width = 3,
       .stride_height = 3,
       .stride_width = 2,
       .dilation_width = 2,
       .pad_top = 3,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 4},
      {.batch = 1,
       .in_channels = 130,
       .out_channels = 130,
       .groups = 130,
       .in_height = 3,
       .in_width = 2,
       .kernel_height = 7,
       .kernel_width = 7,
       .pad_top = 3,
       .pad_bottom = 3,
       .pad_left = 3,
       .pad_right = 3},
      {.batch = 2,
       .in_channels = 16,
       .out_channels = 16,
       .groups = 16,
       .in_height = 5,
       .in_width = 5,
       .kernel_height = 1,
       .kernel_width = 2,
       .stride_height = 4,
       .stride_width = 3},
      {.batch = 2,
       .in_channels = 12,
       .out_channels = 24,
       .groups = 3,
       .in_height = 6,
       .in_width = 5,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 64,
       .out_channels = 32,
       .groups = 2,
       .in_height = 6,
       .in_width = 6,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_bottom = 1,
       .pad_right = 1},
      {.batch = 2,
       .in_channels = 5,
       .out_channels = 7,
       .in_height = 5,
       .in_width = 13,
       .kernel_height = 5,
       .kernel_width = 1,
       .pad_top = 2,
       .pad_bottom = 1},
      {.batch = 5,
       .in_channels = 8,
       .out_channels = 10,
       .in_height = 4,
       .in_width = 4,
       .kernel_height = 4,
       .kernel_width = 4},
      {.batch = 5,
       .in_channels = 24,
       .out_channels = 17,
       .in_height = 3,
       .in_width = 2,
       .kernel_height = 3,
       .kernel_width = 2},
      {.batch = 7, .in_channels = 48, .out_channels = 10},
      {.batch = 1, .in_channels = 1, .out_channels = 1, .in_height = 1, .in_width = 1},
      // This batch is large enough for several calls of oneDNN, of which the last computes fewer
      // images than the others.
      {.batch = 33,
       .in_channels = 32,
       .out_channels = 32,
       .in_height = 8,
       .in_width = 8,
       .kernel_height = 3,
       .kernel_width = 3,
       .pad_top = 1,
       .pad_bottom = 1,
       .pad_left = 1,
       .pad_right = 1},
      {.batch = 67,
       .in_channels = 96,
       .out_channels = 40,
       .in_height = 5,
       .in_width = 5,
       .kernel_height = 5,
       .kernel_width = 5},
  };
}

// Returns normally distributed numbers that `type` (f32 or bf16) holds exactly.
std::vector<double> Random(int64_t count, ElementType type, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<double> values(count);
  for (double& value : values) {
    const float drawn = normal(random);
    value = type == ElementType::kBf16 ? Bf16ToFloat(FloatToBf16(drawn)) : drawn;
  }
  return values;
}

std::vector<float> ToFloat(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

AlignedBuffer BufferOfNan(int64_t bytes) {
  AlignedBuffer buffer = *AlignedBuffer::Create(std::max<int64_t>(bytes, 64));
  std::memset(buffer.data(), 0xff, buffer.size());
  return buffer;
}

// A tensor in the layout and type of one side of a ConvolutionChoice.
struct Activation {
  Shape shape;
  Layout layout;
  ElementType type;
  AlignedBuffer buffer = BufferOfNan(StorageBytes(shape, layout, type));

  void Set(const std::vector<double>& values) {
    const std::vector<float> plain = ToFloat(values);
    Reorder(shape, plain.data(), Layout::kNchw, ElementType::kF32, buffer.data(), layout, type);
  }
  std::vector<float> Get() const {
    std::vector<float> plain(shape.NumElements());
    Reorder(shape, buffer.data(), layout, type, plain.data(), Layout::kNchw, ElementType::kF32);
    return plain;
  }
  bool PaddingIsZero() const {
    AlignedBuffer again = BufferOfNan(StorageBytes(shape, layout, type));
    const std::vector<float> plain = Get();
    Reorder(shape, plain.data(), Layout::kNchw, ElementType::kF32, again.data(), layout, type);
    return std::memcmp(again.data(), buffer.data(), StorageBytes(shape, layout, type)) == 0;
  }
};

// Returns the largest difference between `found` and `exact`, divided by the largest absolute value
// in `exact`.
double Error(const std::vector<float>& found, const std::vector<double>& exact) {
  double largest = 0, difference = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    difference =
        std::max(difference, std::isnan(found[i]) ? INFINITY : std::abs(found[i] - exact[i]));
  }
  return largest == 0 ? difference : difference / largest;
}

struct Errors {
  double result = 0, bias = 0;
  bool padding_is_zero = true;
};

// Compares one choice with the reference on random numbers; if adds_and_clips, with an addend and a
// ReLU. The convolution runs twice; before the second run its result is overwritten with NaN, so
// that a run which does not write the whole result fails.
Errors RunAgainstReference(const ConvolutionShape& shape, Direction direction,
                           const ConvolutionChoice& choice, bool adds_and_clips = false) {
  const Epilogue epilogue{.bias = direction != Direction::kInputGradient,
                          .addend = adds_and_clips,
                          .relu = adds_and_clips};
  auto convolution = Convolution::Create(shape, direction, choice, epilogue);
  EXPECT_TRUE(convolution.ok()) << convolution.status();
  if (!convolution.ok()) return {INFINITY, INFINITY, false};
  EXPECT_EQ((*convolution)->implementation(), choice.implementation);

  const ElementType read_type = direction == Direction::kForward ? choice.in_type : choice.out_type;
  const std::vector<double> in = Random(shape.in().NumElements(), read_type, 1),
                            out = Random(shape.out().NumElements(), read_type, 2),
                            weights = Random(shape.weights().NumElements(), read_type, 3),
                            bias = Random(shape.out_channels, ElementType::kF32, 4),
                            addend = Random(shape.out().NumElements(), choice.out_type, 5);
  Activation in_side{shape.in(), choice.in_layout, choice.in_type};
  Activation out_side{shape.out(), choice.out_layout, choice.out_type};
  Activation addend_side{shape.out(), choice.out_layout, choice.out_type};
  addend_side.Set(addend);
  AlignedBuffer packed = BufferOfNan((*convolution)->packed_weight_bytes());
  AlignedBuffer scratch = BufferOfNan((*convolution)->scratch_bytes());
  std::vector<float> plain_weights = ToFloat(weights), bias_values = ToFloat(bias);
  auto run = [&] {
    (*convolution)
        ->Run({.in = in_side.buffer.data(),
               .weights = packed.data(),
               .bias = bias_values.data(),
               .out = out_side.buffer.data(),
               .scratch = scratch.data(),
               .addend = adds_and_clips ? addend_side.buffer.data() : nullptr});
  };
  auto pack = [&] {
    if ((*convolution)->weights_are_plain()) {
      std::memcpy(packed.data(), plain_weights.data(), plain_weights.size() * sizeof(float));
    } else {
      (*convolution)->PackWeights(plain_weights.data(), packed.data());
    }
  };
  switch (direction) {
    case Direction::kForward: {
      in_side.Set(in);
      pack();
      run();
      std::memset(out_side.buffer.data(), 0xff, out_side.buffer.size());
      run();
      std::vector<double> exact = reference::ConvolutionForward(shape, in, weights, bias);
      for (size_t i = 0; adds_and_clips && i < exact.size(); ++i)
        exact[i] = std::max(0.0, exact[i] + addend[i]);
      return {.result = Error(out_side.Get(), exact), .padding_is_zero = out_side.PaddingIsZero()};
    }
    case Direction::kInputGradient:
      out_side.Set(out);
      pack();
      run();
      std::memset(in_side.buffer.data(), 0xff, in_side.buffer.size());
      run();
      return {
          .result = Error(in_side.Get(), reference::ConvolutionInputGradient(shape, out, weights)),
          .padding_is_zero = in_side.PaddingIsZero()};
    case Direction::kWeightGradient:
      in_side.Set(in);
      out_side.Set(out);
      run();
      std::memset(packed.data(), 0xff, packed.size());
      run();
      if ((*convolution)->weights_are_plain()) {
        std::memcpy(plain_weights.data(), packed.data(), plain_weights.size() * sizeof(float));
      } else {
        (*convolution)->UnpackWeightGradient(packed.data(), plain_weights.data());
      }
      return {.result = Error(plain_weights, reference::ConvolutionWeightGradient(shape, in, out)),
              .bias = Error(bias_values, reference::ConvolutionBiasGradient(shape, out))};
  }
  return {};
}

TEST(ConvolutionShape, ParsesItsOwnText) {
  std::vector<ConvolutionShape> shapes = Shapes();
  shapes.push_back({});
  for (const ConvolutionShape& shape : shapes) {
    const absl::StatusOr<ConvolutionShape> parsed = ConvolutionShape::Parse(shape.ToString());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, shape);
  }
  for (const char* text :
       {"", "128x24x31x31", "1x1x4x4 -> 1x4x4 k3x3 s1x1 p0,0,0,0",  // 2x2 pixels of output
        "1x1x4x4 -> 1x2x2 k3x3 s1x1 p0,0,0,0 ", "1x1x4x4 -> 1x2x2 k3x3 s0x1 p0,0,0,0",
        "1x1x4x4 -> 1x2x2 k3x3 s1x1 p0,0,0,0 g2",
        "99999999999999999999x1x4x4 -> 1x2x2 k3x3 s1x1 p0,0,0,0"}) {
    EXPECT_FALSE(ConvolutionShape::Parse(text).ok()) << text;
  }
  EXPECT_TRUE(ConvolutionShape::Parse("1x1x4x4 -> 1x2x2 k3x3 s1x1 p0,0,0,0").ok());
}

TEST(Convolution, EveryCandidateAgreesWithTheReferenceInDouble) {
  SetThreads(2);
  std::map<std::string, double> largest_error;  // by algorithm and types, as printed below
  for (const ConvolutionShape& shape : Shapes()) {
    for (Direction direction :
         {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
      const std::vector<ConvolutionChoice> candidates =
          Candidates(shape, direction, ElementType::kBf16, false);
      ASSERT_FALSE(candidates.empty()) << shape.ToString();
      for (const ConvolutionChoice& choice : candidates) {
        SCOPED_TRACE(shape.ToString() + " " + std::string(Name(direction)) + ": " +
                     choice.ToString());
        const ElementType result_type = direction == Direction::kForward ? choice.out_type
                                        : direction == Direction::kInputGradient
                                            ? choice.in_type
                                            : ElementType::kF32;
        const bool winograd = choice.algorithm == Algorithm::kWinograd;
        const double tolerance = winograd && choice.in_type == ElementType::kBf16
                                     ? kBf16WinogradTolerance
                                 : result_type == ElementType::kBf16 ? kBf16Tolerance
                                 : winograd                          ? kWinogradTolerance
                                                                     : kDirectTolerance;
        const Errors errors = RunAgainstReference(shape, direction, choice);
        EXPECT_LE(errors.result, tolerance);
        EXPECT_LE(errors.bias, kDirectTolerance);
        EXPECT_TRUE(errors.padding_is_zero);
        if (direction == Direction::kForward) {
          const Errors clipped = RunAgainstReference(shape, direction, choice, true);
          // If the addend is added in a separate loop after the convolution, bf16 results are
          // rounded twice.
          const double roundings = result_type == ElementType::kBf16 ? 2 : 1;
          EXPECT_LE(clipped.result, roundings * tolerance) << "with a sum and a ReLU";
          EXPECT_TRUE(clipped.padding_is_zero);
        }
        double& largest = largest_error[std::string(Name(choice.algorithm)) + " " +
                                        std::string(Name(choice.in_type)) + " to " +
                                        std::string(Name(result_type))];
        largest = std::max(largest, errors.result);
      }
    }
  }
  for (const auto& [kind, error] : largest_error) {
    RecordProperty(kind, std::to_string(error));
    std::printf("largest error, %s: %.2g\n", kind.c_str(), error);
  }
}

// Our own implementations with AMX divide channels, pixels and taps into blocks. Together, these
// shapes have several blocks of each, the last of which are not full.
TEST(Convolution, ProductsOfTilesMatchTheReference) {
  if (!HasAmx()) GTEST_SKIP() << "this processor has no AMX";
  for (const ConvolutionShape& shape : {
           ConvolutionShape{.batch = 3,
          .in_channels = 530,
          .out_channels = 140,
          .in_height = 5,
          .in_width = 6,
          .kernel_height = 2,
          .kernel_width = 2,
          .pad_bottom = 1,
          .pad_left = 1},
           ConvolutionShape{
               .batch = 2, .in_channels = 9, .out_channels = 530, .in_height = 19, .in_width = 23},
           ConvolutionShape{.batch = 2,
           .in_channels = 40,
           .out_channels = 150,
           .in_height = 31,
           .in_width = 33,
           .kernel_height = 3,
           .kernel_width = 5,
           .stride_height = 2,
           .stride_width = 3,
           .dilation_height = 3,
           .pad_top = 4,
           .pad_right = 2},
       }) {
    int own = 0;
    for (Direction direction :
         {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
      for (const ConvolutionChoice& choice :
           Candidates(shape, direction, ElementType::kBf16, false)) {
        if (choice.implementation.find("_product:amx") == std::string::npos) continue;
        SCOPED_TRACE(shape.ToString() + " " + std::string(Name(direction)) + ": " +
                     choice.ToString());
        const ElementType result_type =
            direction == Direction::kForward ? choice.out_type : choice.in_type;
        const bool rounded =
            result_type == ElementType::kBf16 && direction != Direction::kWeightGradient;
        EXPECT_LE(RunAgainstReference(shape, direction, choice).result,
                  rounded ? kBf16Tolerance : kDirectTolerance);
        ++own;
      }
    }
    EXPECT_EQ(own, shape.stride_height == 1 ? 5 : 3);
  }
}

// oneDNN's versions give their AMX kernels different names; with each, the kernels must be among
// the candidates.
TEST(Convolution, OneDnnsTileKernelsAreCandidates) {
  if (!HasAmx()) GTEST_SKIP() << "this processor has no AMX";
  const ConvolutionShape shape = {.batch = 4,
                                  .in_channels = 64,
                                  .out_channels = 64,
                                  .in_height = 16,
                                  .in_width = 16,
                                  .kernel_height = 3,
                                  .kernel_width = 3,
                                  .pad_top = 1,
                                  .pad_bottom = 1,
                                  .pad_left = 1,
                                  .pad_right = 1};
  for (Direction direction :
       {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
    const std::vector<ConvolutionChoice> choices =
        Candidates(shape, direction, ElementType::kBf16, false);
    EXPECT_TRUE(std::any_of(choices.begin(), choices.end(), [](const ConvolutionChoice& choice) {
      return choice.implementation.find("amx") != std::string::npos &&
             choice.implementation.find("_product:") == std::string::npos;
    })) << Name(direction);
  }
}

// The output side before pooling (`fine`) and after pooling (`coarse`). Unpooled() turns numbers of
// `coarse` into those of `fine`: each goes to the cell of its window that `positions` names; the
// other cells are zero.
struct PooledSide {
  Shape fine, coarse;
  std::vector<uint8_t> positions;  // NHWC

  explicit PooledSide(const Shape& fine)
      : fine(fine),
        coarse({fine[0], fine[1], fine[2] / 2, fine[3] / 2}),
        positions(coarse.NumElements()) {}

  // Calls f(index in the coarse NCHW tensor, index of the window's cell 0 in the fine NCHW tensor,
  // index in `positions`) for every window.
  template <typename Function>
  void ForEach(Function f) const {
    int64_t at = 0;
    for (int64_t n = 0; n < coarse[0]; ++n) {
      for (int64_t c = 0; c < coarse[1]; ++c) {
        for (int64_t y = 0; y < coarse[2]; ++y) {
          for (int64_t x = 0; x < coarse[3]; ++x, ++at) {
            f(at, ((n * fine[1] + c) * fine[2] + 2 * y) * fine[3] + 2 * x,
              ((n * coarse[2] + y) * coarse[3] + x) * coarse[1] + c);
          }
        }
      }
    }
  }
  int64_t Cell(int position) const { return position / 2 * fine[3] + position % 2; }
  std::vector<double> Unpooled(const std::vector<double>& values) const {
    std::vector<double> all(fine.NumElements());
    ForEach([&](int64_t at, int64_t corner, int64_t place) {
      all[corner + Cell(positions[place])] = values[at];
    });
    return all;
  }
};

// Runs a convolution in one direction, plain or with max pooling. The argument `out` of Run() is
// the convolution's output side, which the gradients read: PooledSide::fine if plain, coarse if
// pooled.
struct PoolRun {
  ConvolutionShape shape;
  Direction direction;
  ConvolutionChoice choice;
  Activation in{shape.in(), choice.in_layout, choice.in_type};
  std::vector<float> weights = ToFloat(Random(shape.weights().NumElements(), choice.in_type, 11));
  std::vector<float> bias = ToFloat(Random(shape.out_channels, ElementType::kF32, 12));

  void Run(bool pooled, Activation& out, uint8_t* positions) {
    const bool forward = direction == Direction::kForward;
    auto convolution =
        Convolution::Create(shape, direction, choice, {.bias = forward, .pooled = pooled});
    ASSERT_TRUE(convolution.ok()) << convolution.status();
    AlignedBuffer packed = BufferOfNan((*convolution)->packed_weight_bytes());
    AlignedBuffer scratch = BufferOfNan((*convolution)->scratch_bytes());
    if (direction != Direction::kWeightGradient)
      (*convolution)->PackWeights(weights.data(), packed.data());
    (*convolution)
        ->Run({.in = in.buffer.data(),
               .weights = packed.data(),
               .bias = forward ? bias.data() : nullptr,
               .out = out.buffer.data(),
               .scratch = scratch.data(),
               .positions = positions});
    if (direction == Direction::kWeightGradient)
      (*convolution)->UnpackWeightGradient(packed.data(), weights.data());
  }
};

void ExpectPooledAsThePlainOne(const ConvolutionShape& shape, Direction direction,
                               const ConvolutionChoice& choice) {
  PoolRun run{shape, direction, choice};
  PooledSide side(shape.out());
  Activation fine{side.fine, choice.out_layout, choice.out_type},
      coarse{side.coarse, choice.out_layout, choice.out_type};
  if (direction != Direction::kInputGradient)
    run.in.Set(Random(shape.in().NumElements(), choice.in_type, 13));
  if (direction == Direction::kForward) {
    run.Run(false, fine, nullptr);
    run.Run(true, coarse, side.positions.data());
    const std::vector<float> all = fine.Get(), values = coarse.Get();
    side.ForEach([&](int64_t at, int64_t corner, int64_t place) {
      const float greatest = std::max({all[corner], all[corner + 1], all[corner + side.fine[3]],
                                       all[corner + side.fine[3] + 1]});
      ASSERT_EQ(values[at], greatest);
      ASSERT_LT(side.positions[place], 4);
      ASSERT_EQ(all[corner + side.Cell(side.positions[place])], greatest);
    });
    Activation again{side.coarse, choice.out_layout, choice.out_type};
    run.Run(true, again, nullptr);  // without positions
    EXPECT_EQ(again.Get(), values);
    return;
  }
  std::mt19937 random(14);
  for (uint8_t& position : side.positions) position = random() % 4;
  const std::vector<double> values = Random(side.coarse.NumElements(), choice.out_type, 15);
  coarse.Set(values);
  fine.Set(side.Unpooled(values));
  PoolRun plain = {shape, direction, choice};
  if (direction == Direction::kWeightGradient)
    plain.in.Set(Random(shape.in().NumElements(), choice.in_type, 13));
  plain.Run(false, fine, nullptr);
  run.Run(true, coarse, side.positions.data());
  if (direction == Direction::kInputGradient) {
    EXPECT_EQ(run.in.Get(), plain.in.Get());
  } else {
    EXPECT_EQ(run.weights, plain.weights);
  }
}

// A pooled convolution must yield bitwise the same results as a plain convolution followed by a
// pooling, because both add the same numbers in the same order. Its gradients must be those of the
// plain convolution for the unpooled output gradient.
TEST(Convolution, PoolsLikeThePlainConvolutionAndAPooling) {
  std::vector<ConvolutionShape> shapes = Shapes();
  ConvolutionShape odd = shapes[0];
  odd.batch = 9, odd.in_channels = 21, odd.out_channels = 37, odd.in_height = 30, odd.in_width = 17;
  shapes.push_back(odd);
  int pooled = 0;
  for (const ConvolutionShape& shape : shapes) {
    for (Direction direction :
         {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
      for (const ConvolutionChoice& choice :
           Candidates(shape, direction, ElementType::kBf16, false)) {
        SCOPED_TRACE(shape.ToString() + " " + std::string(Name(direction)) + ": " +
                     choice.ToString());
        if (!CanPool(shape, choice)) {
          EXPECT_FALSE(Convolution::Create(shape, direction, choice, {.pooled = true}).ok());
          continue;
        }
        ExpectPooledAsThePlainOne(shape, direction, choice);
        ++pooled;
      }
    }
  }
  if (HasAvx2()) {
    EXPECT_GE(pooled, 12);
  }
}

// oneDNN confuses the implementations of two layouts that are the same storage (see Distinct() in
// onednn_convolution.cc), as NCHW and NHWC are for images of one pixel.
TEST(Convolution, CandidatesHaveDistinctStorage) {
  const ConvolutionShape shape = {
      .in_channels = 3, .out_channels = 6, .groups = 3, .in_height = 1, .in_width = 1};
  for (const Direction direction :
       {Direction::kForward, Direction::kInputGradient, Direction::kWeightGradient}) {
    const std::vector<ConvolutionChoice> choices =
        Candidates(shape, direction, ElementType::kF32, /*exact=*/false);
    ASSERT_FALSE(choices.empty());
    for (const ConvolutionChoice& a : choices) {
      for (const ConvolutionChoice& b : choices) {
        if (a.algorithm != b.algorithm) continue;
        EXPECT_TRUE((a.in_layout == b.in_layout && a.out_layout == b.out_layout) ||
                    !SameStorage(shape.in(), a.in_layout, b.in_layout) ||
                    !SameStorage(shape.out(), a.out_layout, b.out_layout))
            << a.ToString() << " and " << b.ToString();
      }
    }
  }
}

TEST(Convolution, ExactLeavesWinogradOut) {
  const ConvolutionShape shape = Shapes()[3];
  for (const ConvolutionChoice& choice :
       Candidates(shape, Direction::kForward, ElementType::kF32, /*exact=*/true)) {
    EXPECT_NE(choice.algorithm, Algorithm::kWinograd);
    EXPECT_EQ(choice.in_type, ElementType::kF32);
  }
}

TEST(Convolution, ChoicesSurviveTheirText) {
  for (const ConvolutionShape& shape : Shapes()) {
    for (const ConvolutionChoice& choice :
         Candidates(shape, Direction::kForward, ElementType::kBf16, false)) {
      absl::StatusOr<ConvolutionChoice> parsed = ConvolutionChoice::Parse(choice.ToString());
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      EXPECT_EQ(*parsed, choice);
    }
  }
  EXPECT_FALSE(ConvolutionChoice::Parse("").ok());
  EXPECT_FALSE(ConvolutionChoice::Parse("direct nhwc/f32 nhwc").ok());
  EXPECT_FALSE(ConvolutionChoice::Parse("direct nhwc/f31 nhwc/f32 jit").ok());
}

TEST(Convolution, RefusesAChoiceThisMachineDoesNotOffer) {
  const ConvolutionShape shape = Shapes()[3];
  ConvolutionChoice choice =
      Candidates(shape, Direction::kForward, ElementType::kF32, true).front();
  choice.implementation = "jit:avx4096";
  const absl::Status status = Convolution::Create(shape, Direction::kForward, choice).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("jit:avx4096"));
  choice.algorithm = Algorithm::kMatmul;
  EXPECT_FALSE(Convolution::Create(shape, Direction::kForward, choice).ok());
}

TEST(ConvolutionShape, RejectsSizesThatDoNotFit) {
  const ConvolutionShape good = Shapes()[0];
  EXPECT_TRUE(good.Validate().ok());
  ConvolutionShape shape = good;
  shape.kernel_height = 12;
  EXPECT_THAT(std::string(shape.Validate().message()), HasSubstr("kernel spans 12x3 pixels"));
  shape = good;
  shape.groups = 2;
  EXPECT_THAT(std::string(shape.Validate().message()), HasSubstr("2 groups"));
  shape = good;
  shape.stride_width = 0;
  EXPECT_THAT(std::string(shape.Validate().message()), HasSubstr("stride_width is 0"));
  shape = good;
  shape.pad_left = -1;
  EXPECT_FALSE(shape.Validate().ok());
  shape = good;
  shape.batch = shape.in_channels = int64_t{1} << 30;
  shape.in_height = int64_t{1} << 20;
  EXPECT_FALSE(shape.Validate().ok());
}

TEST(ConvolutionShape, CountsMultiplyAdds) {
  EXPECT_EQ((ConvolutionShape{.batch = 2,
                              .in_channels = 8,
                              .out_channels = 6,
                              .groups = 2,
                              .in_height = 5,
                              .in_width = 5,
                              .kernel_height = 3,
                              .kernel_width = 3}
                 .MultiplyAdds()),
            2 * 6 * 3 * 3 * 4 * 3 * 3);
}

TEST(Convolution, IsMeasured) {
  const ConvolutionShape shape = Shapes()[3];
  for (Direction direction : {Direction::kForward, Direction::kWeightGradient}) {
    const ConvolutionChoice choice = Candidates(shape, direction, ElementType::kF32, true).front();
    auto convolution = *Convolution::Create(shape, direction, choice);
    AlignedBuffer in =
        *AlignedBuffer::Create(StorageBytes(shape.in(), choice.in_layout, choice.in_type));
    AlignedBuffer out =
        *AlignedBuffer::Create(StorageBytes(shape.out(), choice.out_layout, choice.out_type));
    AlignedBuffer packed = *AlignedBuffer::Create(convolution->packed_weight_bytes());
    AlignedBuffer scratch = *AlignedBuffer::Create(convolution->scratch_bytes());
    std::vector<float> plain(shape.weights().NumElements());
    const ConvolutionTime time =
        Measure(*convolution, {in.data(), packed.data(), nullptr, out.data(), scratch.data()},
                plain.data(), {.repetitions = 2});
    EXPECT_GT(time.run_seconds, 0);
    EXPECT_LT(time.run_seconds, 10);
  }
}

}  // namespace
}  // namespace cotangent::tensor
