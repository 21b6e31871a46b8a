#include "optim/orthogonalise.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "base/element_type.h"
#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

// A row-major matrix in double.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> entries;
  double& operator()(int64_t i, int64_t j) { return entries[i * columns + j]; }
  double operator()(int64_t i, int64_t j) const { return entries[i * columns + j]; }
};

Matrix Zeros(int64_t rows, int64_t columns) {
  return {rows, columns, std::vector<double>(rows * columns)};
}

Matrix Transpose(const Matrix& a) {
  Matrix t = Zeros(a.columns, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
  }
  return t;
}

Matrix Product(const Matrix& a, const Matrix& b) {
  Matrix c = Zeros(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t k = 0; k < a.columns; ++k) {
      for (int64_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

// Computes `steps` steps of the Newton-Schulz iteration directly by its formula.
Matrix Reference(Matrix x, int steps) {
  const bool tall = x.rows > x.columns;
  if (tall) x = Transpose(x);
  double norm = 0;
  for (double entry : x.entries) norm += entry * entry;
  for (double& entry : x.entries) entry /= std::sqrt(norm) + 1e-7;
  for (int step = 0; step < steps; ++step) {
    const Matrix a = Product(x, Transpose(x));
    Matrix b = Product(a, a);
    for (size_t i = 0; i < b.entries.size(); ++i) {
      b.entries[i] = -4.7750 * a.entries[i] + 2.0315 * b.entries[i];
    }
    const Matrix bx = Product(b, x);
    for (size_t i = 0; i < x.entries.size(); ++i) {
      x.entries[i] = 3.4445 * x.entries[i] + bx.entries[i];
    }
  }
  return tall ? Transpose(x) : x;
}

Matrix Random(int64_t rows, int64_t columns, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix = Zeros(rows, columns);
  for (double& entry : matrix.entries) entry = static_cast<float>(normal(random));
  return matrix;
}

Matrix Orthogonalised(const Matrix& matrix, int steps, bool bf16 = false) {
  std::vector<float> entries(matrix.entries.begin(), matrix.entries.end());
  std::vector<float> result(entries.size(), 0.0f);
  Orthogonaliser(std::min(matrix.rows, matrix.columns), matrix.rows * matrix.columns, bf16)
      .Update(entries.data(), matrix.rows, matrix.columns, steps, 1, 0, result.data());
  return {matrix.rows, matrix.columns, {result.begin(), result.end()}};
}

double LargestDifference(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (size_t i = 0; i < a.entries.size(); ++i) {
    largest = std::max(largest, std::abs(a.entries[i] - b.entries[i]));
  }
  return largest;
}

TEST(OrthogonaliseTest, EqualsTheIterationInDouble) {
  for (auto [rows, columns] : {std::pair{8, 27}, {27, 8}, {16, 16}, {24, 216}, {64, 27}, {1, 5}}) {
    for (int steps : {1, 3, 5, 8, 12}) {
      const Matrix g = Random(rows, columns, rows + steps);
      EXPECT_LT(LargestDifference(Orthogonalised(g, steps), Reference(g, steps)),
                steps <= 5 ? 5e-5 : 1e-3)
          << rows << " x " << columns << ", " << steps << " steps";
    }
  }
}

// Compares the result with bf16 to the iteration in double on the matrix rounded to bf16. If the
// processor has no bf16 products, the result is computed in f32, as in the test above.
TEST(OrthogonaliseTest, InBf16EqualsTheIterationOnTheRoundedMatrix) {
  for (auto [rows, columns] :
       {std::pair{8, 27}, {27, 8}, {16, 16}, {24, 216}, {64, 27}, {1, 5}, {130, 300}}) {
    for (int steps : {1, 3, 5}) {
      Matrix g = Random(rows, columns, rows + steps);
      for (double& entry : g.entries) entry = static_cast<float>(Bf16(static_cast<float>(entry)));
      const Matrix expected = Reference(g, steps);
      double largest = 0;
      for (double entry : expected.entries) largest = std::max(largest, std::abs(entry));
      EXPECT_LT(LargestDifference(Orthogonalised(g, steps, /*bf16=*/true), expected),
                0.01 * largest)
          << rows << " x " << columns << ", " << steps << " steps";
    }
  }
}

TEST(OrthogonaliseTest, SingularValuesComeOutNearOne) {
  // If all singular values of X lie in [0.6, 1.25], then so does |z X| for unit vectors z. Checks
  // this for many z, and the root mean square of the singular values.
  const Matrix x = Orthogonalised(Random(24, 216, 7), 5);
  double mean_square = 0;
  for (double entry : x.entries) mean_square += entry * entry / 24;
  EXPECT_NEAR(std::sqrt(mean_square), 0.95, 0.2);
  for (int seed = 0; seed < 200; ++seed) {
    Matrix z = Random(1, 24, seed);
    double norm = 0;
    for (double entry : z.entries) norm += entry * entry;
    const Matrix zx = Product(z, x);
    double image = 0;
    for (double entry : zx.entries) image += entry * entry;
    EXPECT_GT(std::sqrt(image / norm), 0.6);
    EXPECT_LT(std::sqrt(image / norm), 1.25);
  }
}

TEST(OrthogonaliseTest, DeficientRankStaysBounded) {
  // A matrix of 24 x 100 and rank 2 with a row of zeros, such as a layer with a dead filter has.
  const Matrix left = Random(24, 2, 3), right = Random(2, 100, 4);
  Matrix g = Product(left, right);
  for (double& entry : g.entries) entry = static_cast<float>(entry);
  for (int64_t j = 0; j < 100; ++j) g(5, j) = 0;
  for (int steps : {3, 5, 10, 20}) {
    const Matrix x = Orthogonalised(g, steps);
    double square = 0;
    for (double entry : x.entries) square += entry * entry;
    // Rounding errors, too, are multiplied by 3.4445 in each step. After enough steps they reach 1,
    // but they stay bounded.
    if (steps <= 5) {
      EXPECT_NEAR(std::sqrt(square), std::sqrt(2.0), 0.4) << steps << " steps";
    }
    EXPECT_LT(std::sqrt(square), 1.25 * std::sqrt(24.0)) << steps << " steps";
    EXPECT_EQ(x(5, 50), 0);
  }
}

TEST(OrthogonaliseTest, ZerosAddNothing) {
  const Matrix x = Orthogonalised(Zeros(4, 9), 5);
  for (double entry : x.entries) EXPECT_EQ(entry, 0);
}

TEST(OrthogonaliseTest, ScaleAndKeep) {
  const Matrix g = Random(6, 20, 11);
  const Matrix x = Orthogonalised(g, 3);
  std::vector<float> entries(g.entries.begin(), g.entries.end()), result(entries.size(), 2.0f);
  Orthogonaliser(6, 120).Update(entries.data(), 6, 20, 3, -0.5f, 0.25f, result.data());
  for (size_t i = 0; i < result.size(); ++i) {
    EXPECT_NEAR(result[i], 0.5 - 0.5 * x.entries[i], 1e-6);
  }
}

}  // namespace
}  // namespace cotangent::optim
