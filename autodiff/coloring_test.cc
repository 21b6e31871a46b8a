#include "autodiff/coloring.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

Pattern Tridiagonal(std::uint32_t n) {
  Pattern pattern{n, {}};
  for (std::uint32_t i = 0; i < n; ++i) {
    pattern.rows.push_back({});
    for (std::uint32_t j = i == 0 ? 0 : i - 1; j <= std::min(i + 1, n - 1); ++j)
      pattern.rows.back().push_back(j);
  }
  return pattern;
}

// Returns the pattern of a matrix with a diagonal, a full first row and a full first column.
Pattern Arrow(std::uint32_t n) {
  Pattern pattern{n, {{}}};
  for (std::uint32_t j = 0; j < n; ++j) pattern.rows[0].push_back(j);
  for (std::uint32_t i = 1; i < n; ++i) pattern.rows.push_back({0, i});
  return pattern;
}

TEST(ColoringTest, ColumnsOfATridiagonalMatrixNeedThreeColors) {
  const Pattern pattern = Tridiagonal(100);
  const Coloring coloring = ColorColumns(pattern);
  EXPECT_EQ(coloring.colors, 3);
  for (const auto& row : pattern.rows) {
    std::set<std::uint32_t> colors;
    for (std::uint32_t j : row) EXPECT_TRUE(colors.insert(coloring.color[j]).second);
  }
}

TEST(ColoringTest, SymmetryMakesAnArrowCheap) {
  EXPECT_EQ(ColorColumns(Arrow(50)).colors, 50);
  EXPECT_EQ(ColorSymmetric(Arrow(50)).colors, 2);
  EXPECT_LE(ColorSymmetric(Tridiagonal(100)).colors, 3);
  EXPECT_EQ(ColorSymmetric(Arrow(5000)).colors, 2);
}

TEST(ColoringTest, DensePatternsNeedNone) {
  constexpr std::uint32_t kSize = 2000;
  Pattern dense{kSize, {}};
  std::vector<std::uint32_t> row(kSize);
  std::iota(row.begin(), row.end(), 0);
  for (std::uint32_t i = 0; i < kSize; ++i) dense.rows.push_back(row);
  EXPECT_EQ(ColorSymmetric(dense).colors,
            kSize);  // at once: a search for a star colouring would visit 1.6e13 entries
  EXPECT_EQ(ColorColumns(dense).colors, kSize);
}

TEST(ColoringTest, TransposedTwiceIsTheSame) {
  const Pattern pattern = {3, {{0, 2}, {1}}};
  EXPECT_EQ(Transposed(pattern).rows, (std::vector<std::vector<std::uint32_t>>{{0}, {1}, {0}}));
  EXPECT_EQ(Transposed(Transposed(pattern)).rows, pattern.rows);
  EXPECT_EQ(pattern.nonzeros(), 3);
}

}  // namespace
}  // namespace cotangent::autodiff
