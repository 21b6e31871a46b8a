#include "tensor/row_norm.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/parallel.h"
#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

// The results of NormaliseRows() (y, mean and inverse deviation) and NormaliseRowsGradient() (dx).
struct Results {
  std::vector<float> y, mean, inverse, dx;
};

constexpr int64_t kRows = 37;
constexpr double kEpsilon = 1e-3;

template <typename T>
std::vector<T> Entries(int64_t count, int seed, float offset) {
  std::vector<T> entries;
  for (int64_t i = 0; i < count; ++i)
    entries.push_back(static_cast<T>(static_cast<float>((i * seed + 5) % 61 - 30) / 16 + offset));
  return entries;
}

template <typename T>
std::vector<float> Floats(const std::vector<T>& entries) {
  std::vector<float> floats;
  for (const T& entry : entries) floats.push_back(static_cast<float>(entry));
  return floats;
}

template <typename T>
Results Normalised(int64_t columns, float offset) {
  const std::vector<T> x = Entries<T>(kRows * columns, 37, offset),
                       dy = Entries<T>(kRows * columns, 23, 0);
  std::vector<T> y(x.size()), dx(x.size());
  Results results;
  results.mean.resize(kRows), results.inverse.resize(kRows);
  NormaliseRows(ElementTypeOf<T>, kRows, columns, kEpsilon, x.data(), y.data(), results.mean.data(),
                results.inverse.data());
  NormaliseRowsGradient(ElementTypeOf<T>, kRows, columns, dy.data(), y.data(),
                        results.inverse.data(), dx.data());
  results.y = Floats(y), results.dx = Floats(dx);
  return results;
}

// Compares with the formulas of the header, in long double, for a matrix x whose entries lie around
// `offset`. `tolerance` is the largest error allowed in y; in dx it is multiplied by 1 + the
// inverse deviation.
template <typename T>
void ExpectIsByTheFormulas(int64_t columns, float offset, double tolerance) {
  const std::vector<float> x = Floats(Entries<T>(kRows * columns, 37, offset)),
                           dy = Floats(Entries<T>(kRows * columns, 23, 0));
  const Results results = Normalised<T>(columns, offset);
  for (int64_t r = 0; r < kRows; ++r) {
    long double mean = 0, variance = 0, sum = 0, product = 0;
    for (int64_t c = 0; c < columns; ++c) mean += x[r * columns + c];
    mean /= columns;
    for (int64_t c = 0; c < columns; ++c)
      variance += (x[r * columns + c] - mean) * (x[r * columns + c] - mean);
    const long double inverse = 1 / std::sqrt(variance / columns + kEpsilon);
    EXPECT_NEAR(results.mean[r], static_cast<double>(mean), 1e-6 * (1 + std::abs(offset)));
    EXPECT_NEAR(results.inverse[r], static_cast<double>(inverse), 1e-6 * inverse);
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t i = r * columns + c;
      EXPECT_NEAR(results.y[i], static_cast<double>((x[i] - mean) * inverse), tolerance)
          << columns << " columns, row " << r;
      sum += dy[i];
      product += static_cast<long double>(dy[i]) * results.y[i];
    }
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t i = r * columns + c;
      const long double dx = inverse * (dy[i] - sum / columns - results.y[i] * product / columns);
      EXPECT_NEAR(results.dx[i], static_cast<double>(dx),
                  tolerance * (1 + static_cast<double>(inverse)))
          << columns << " columns, row " << r;
    }
  }
}

TEST(RowNorm, IsByTheFormulas) {
  for (const int64_t columns : {1, 2, 3, 7, 8, 9, 16, 23, 40, 64, 333}) {
    ExpectIsByTheFormulas<float>(columns, 0.25, 4e-6);
    ExpectIsByTheFormulas<Bf16>(columns, 0.25, 2e-2);
  }
}

// A mean of about a thousand standard deviations must not cost digits of y and dx: the tolerance is
// the same as for a small mean.
TEST(RowNorm, OfLargeMean) { ExpectIsByTheFormulas<float>(40, 1024, 4e-6); }

TEST(RowNorm, HasTheSameBitsForAnyNumberOfThreads) {
  SetThreads(1);
  const Results one = Normalised<float>(4099, 0.5);
  SetThreads(3);
  const Results three = Normalised<float>(4099, 0.5);
  for (const auto& [a, b] : {std::pair(&one.y, &three.y), std::pair(&one.dx, &three.dx)})
    EXPECT_EQ(std::memcmp(a->data(), b->data(), a->size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace cotangent::tensor
