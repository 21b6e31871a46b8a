#include "tensor/row_softmax.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Sixteenths from -span/16 to span/16, whose differences are exact in f32.
std::vector<float> Entries(int64_t count, int64_t seed, int64_t span) {
  std::vector<float> entries;
  for (int64_t i = 0; i < count; ++i)
    entries.push_back(static_cast<float>((i * seed + 5) % (2 * span) - span) / 16);
  return entries;
}

std::vector<float> Softmax(int64_t columns, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  SoftmaxRows(static_cast<int64_t>(x.size()) / columns, columns, x.data(), y.data());
  return y;
}

// Expects what the formulas of the header give in long double.
void ExpectIsByTheFormulas(int64_t rows, int64_t columns, int64_t span) {
  const std::vector<float> x = Entries(rows * columns, 37, span),
                           dy = Entries(rows * columns, 23, 40);
  const std::vector<float> y = Softmax(columns, x);
  std::vector<float> dx(x.size());
  SoftmaxRowsGradient(rows, columns, dy.data(), y.data(), dx.data());
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * columns;
    long double largest = x[at], sum = 0, dot = 0;
    for (int64_t k = 0; k < columns; ++k) largest = std::max<long double>(largest, x[at + k]);
    for (int64_t k = 0; k < columns; ++k) sum += std::exp(x[at + k] - largest);
    for (int64_t k = 0; k < columns; ++k) dot += static_cast<long double>(dy[at + k]) * y[at + k];
    for (int64_t k = 0; k < columns; ++k) {
      const double expected = static_cast<double>(std::exp(x[at + k] - largest) / sum);
      ASSERT_NEAR(y[at + k], expected, 4e-7 * expected + 1e-37)
          << columns << " columns, " << at + k;
      const double gradient = static_cast<double>(y[at + k] * (dy[at + k] - dot));
      ASSERT_NEAR(dx[at + k], gradient, 1e-7 * std::fabs(gradient) + 1e-37)
          << columns << " columns, " << at + k;
    }
  }
}

TEST(RowSoftmaxTest, IsByTheFormulas) {
  for (int64_t columns = 1; columns <= 40; ++columns) ExpectIsByTheFormulas(7, columns, 100);
  ExpectIsByTheFormulas(3, 1000, 1000);
  ExpectIsByTheFormulas(1, 20000, 2000);  // down to the smallest numbers of f32, and beyond
}

TEST(RowSoftmaxTest, BitsDoNotDependOnThreads) {
  const std::vector<float> x = Entries(1000 * 67, 37, 100);
  SetThreads(1);
  const std::vector<float> one = Softmax(67, x);
  SetThreads(4);
  EXPECT_EQ(Softmax(67, x), one);
}

TEST(RowSoftmaxTest, InfinitiesAndNan) {
  EXPECT_EQ(Softmax(3, {-kInfinity, 2, -kInfinity}), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(Softmax(2, {3e38f, -3e38f}), (std::vector<float>{1, 0}));
  for (int64_t columns : {3, 8, 11}) {
    std::vector<float> numbers(columns, 1.0f);
    for (float bad : {kNan, kInfinity}) {
      numbers[columns - 1] = bad;
      for (float y : Softmax(columns, numbers)) EXPECT_TRUE(std::isnan(y)) << columns << " " << bad;
    }
    for (float y : Softmax(columns, std::vector<float>(columns, -kInfinity)))
      EXPECT_TRUE(std::isnan(y)) << columns;
  }
}

}  // namespace
}  // namespace cotangent::tensor
