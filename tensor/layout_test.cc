#include "tensor/layout.h"

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

constexpr Layout kLayouts[] = {Layout::kNchw, Layout::kNhwc, Layout::kBlocked8, Layout::kBlocked16};

std::vector<Shape> Shapes() {
  return {{2, 3, 5, 4}, {1, 16, 3, 3},  {2, 24, 4, 5}, {3, 8, 1, 1},
          {2, 1, 6, 7}, {1, 40, 2, 19}, {1, 1, 1, 1}};
}

// Stores 1, 2, 3, ... in the order of NCHW at the offsets of `layout`, and zeros in its padding.
std::vector<float> Counted(const Shape& shape, Layout layout) {
  std::vector<float> stored(StorageElements(shape, layout), 0.0f);
  const Strides strides = StridesOf(shape, layout);
  float next = 1;
  for (int64_t n = 0; n < shape.batch(); ++n)
    for (int64_t c = 0; c < shape.channels(); ++c)
      for (int64_t h = 0; h < shape.height(); ++h)
        for (int64_t w = 0; w < shape.width(); ++w) stored[strides.Offset(n, c, h, w)] = next++;
  return stored;
}

TEST(Layout, PlainLayoutsAreRowMajor) {
  const Shape shape = {2, 3, 4, 5};
  EXPECT_EQ(StridesOf(shape, Layout::kNchw).Offset(1, 2, 3, 4), ((1 * 3 + 2) * 4 + 3) * 5 + 4);
  EXPECT_EQ(StridesOf(shape, Layout::kNhwc).Offset(1, 2, 3, 4), ((1 * 4 + 3) * 5 + 4) * 3 + 2);
  EXPECT_EQ(StridesOf({2, 24, 4, 5}, Layout::kBlocked16).Offset(1, 17, 3, 4),
            (((1 * 2 + 1) * 4 + 3) * 5 + 4) * 16 + 1);
}

TEST(Layout, StorageIncludesPadding) {
  EXPECT_EQ(StorageBytes({2, 24, 4, 5}, Layout::kNchw, ElementType::kF32), 2 * 24 * 4 * 5 * 4);
  EXPECT_EQ(StorageBytes({2, 24, 4, 5}, Layout::kBlocked16, ElementType::kBf16),
            2 * 32 * 4 * 5 * 2);
  EXPECT_EQ(StorageBytes({2, 24, 4, 5}, Layout::kBlocked8, ElementType::kU8), 2 * 24 * 4 * 5);
  EXPECT_EQ(StorageBytes({10, 512}, Layout::kNchw, ElementType::kF64), 10 * 512 * 8);
}

TEST(Layout, ReorderGoesFromAnyLayoutToAnyOther) {
  for (const Shape& shape : Shapes()) {
    for (Layout from : kLayouts) {
      for (Layout to : kLayouts) {
        SCOPED_TRACE(shape.ToString() + " " + std::string(Name(from)) + " to " +
                     std::string(Name(to)));
        const std::vector<float> source = Counted(shape, from);
        std::vector<float> destination(StorageElements(shape, to), -1.0f);
        Reorder(shape, source.data(), from, ElementType::kF32, destination.data(), to,
                ElementType::kF32);
        EXPECT_EQ(destination, Counted(shape, to));
      }
    }
  }
}

TEST(Layout, ReorderConvertsBetweenF32AndBf16) {
  const Shape shape = {2, 24, 3, 5};
  for (Layout from : kLayouts) {
    for (Layout to : kLayouts) {
      const std::vector<float> source = Counted(shape, from);
      std::vector<Bf16> narrow(StorageElements(shape, to));
      std::vector<float> wide(StorageElements(shape, from));
      Reorder(shape, source.data(), from, ElementType::kF32, narrow.data(), to, ElementType::kBf16);
      Reorder(shape, narrow.data(), to, ElementType::kBf16, wide.data(), from, ElementType::kF32);
      for (size_t i = 0; i < wide.size(); ++i)
        ASSERT_EQ(wide[i], Bf16ToFloat(FloatToBf16(source[i])));
    }
  }
}

TEST(Layout, ReorderMovesOtherTypesUnchanged) {
  const Shape shape = {1, 5, 3, 3};
  std::vector<uint8_t> source(45), blocked(16 * 9), back(45);
  std::iota(source.begin(), source.end(), 200);
  Reorder(shape, source.data(), Layout::kNchw, ElementType::kU8, blocked.data(), Layout::kBlocked16,
          ElementType::kU8);
  Reorder(shape, blocked.data(), Layout::kBlocked16, ElementType::kU8, back.data(), Layout::kNchw,
          ElementType::kU8);
  EXPECT_EQ(source, back);
}

TEST(Layout, SameStorageMeansTheSameOffsetsWithoutPadding) {
  for (const Shape& shape : Shapes()) {
    for (Layout a : kLayouts) {
      for (Layout b : kLayouts) {
        EXPECT_EQ(SameStorage(shape, a, b), Counted(shape, a) == Counted(shape, b))
            << shape.ToString() << " " << Name(a) << " " << Name(b);
      }
    }
  }
}

}  // namespace
}  // namespace cotangent::tensor
