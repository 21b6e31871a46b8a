#include "tensor/matrix_product.h"

#include <cmath>
#include <random>
#include <tuple>
#include <vector>

#include "base/element_type.h"
#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

std::vector<float> Random(int64_t size, int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(size);
  for (float& value : values) value = uniform(random);
  return values;
}

double At(const MatrixView& m, int64_t i, int64_t j) {
  return m.transposed ? m.data[j * m.row + i] : m.data[i * m.row + j];
}

// Computes alpha a b + beta c in double.
std::vector<double> Reference(double alpha, const MatrixView& a, const MatrixView& b, double beta,
                              const std::vector<float>& c) {
  std::vector<double> result(c.begin(), c.end());
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < a.columns; ++k) sum += At(a, i, k) * At(b, k, j);
      double& element = result[i * b.columns + j];
      element = alpha * sum + beta * element;
    }
  }
  return result;
}

TEST(MatrixProductTest, EqualsTheSumsInDouble) {
  // matrix_product.cc computes the result in blocks of 64 columns and 64 or 128 rows, from pieces
  // of b of 256 rows. These sizes are smaller than, equal to and larger than a block and a piece.
  for (auto [m, n, k] : {std::tuple{1, 1, 1}, {3, 17, 5}, {64, 64, 256}, {70, 130, 300}}) {
    for (bool transpose_a : {false, true}) {
      for (bool transpose_b : {false, true}) {
        // The rows in memory are a little longer than the rows of the matrix.
        const int64_t a_row = (transpose_a ? m : k) + 2, b_row = (transpose_b ? k : n) + 3;
        const std::vector<float> a = Random(a_row * (transpose_a ? k : m), 1);
        const std::vector<float> b = Random(b_row * (transpose_b ? n : k), 2);
        const MatrixView a_view = {a.data(), m, k, a_row, transpose_a};
        const MatrixView b_view = {b.data(), k, n, b_row, transpose_b};
        std::vector<float> c = Random(m * n, 3);
        const std::vector<double> expected = Reference(0.5, a_view, b_view, -2, c);
        MultiplyMatrices(0.5f, a_view, b_view, -2, c.data());
        for (size_t i = 0; i < c.size(); ++i) {
          ASSERT_NEAR(c[i], expected[i], 1e-5 * std::sqrt(k))
              << m << " x " << n << ", element " << i;
        }
      }
    }
  }
}

// With alpha = 1 and beta = 0, blocks whose columns fill whole registers are written directly to
// the result (unless it is symmetric); all other blocks go through a buffer.
TEST(MatrixProductTest, PlainResultsEqualTheSumsInDouble) {
  for (auto [m, n, k] : {std::tuple{5, 8, 3}, {130, 512, 300}, {300, 72, 600}}) {
    for (bool transposed : {false, true}) {
      const std::vector<float> a = Random(m * k, 5), b = Random(k * n, 6);
      const MatrixView a_view = {a.data(), m, k, transposed ? m : k, transposed};
      const MatrixView b_view = {b.data(), k, n, transposed ? k : n, transposed};
      std::vector<float> c(m * n, std::nanf(""));  // not read
      MultiplyMatrices(1, a_view, b_view, 0, c.data());
      const std::vector<double> expected =
          Reference(1, a_view, b_view, 0, std::vector<float>(m * n));
      for (size_t i = 0; i < c.size(); ++i) {
        ASSERT_NEAR(c[i], expected[i], 1e-5 * std::sqrt(k)) << m << " x " << n << ", element " << i;
      }
    }
  }
}

float Rounded(float x) { return static_cast<float>(Bf16(x)); }

TEST(MatrixProductTest, PairsOfBf16EqualTheSumsOfRoundedNumbers) {
  if (!HaveBf16Products()) GTEST_SKIP() << "no products of bf16 on this processor";
  for (auto [m, n, k] : {std::tuple{1, 1, 1}, {3, 17, 5}, {64, 64, 512}, {70, 130, 601}}) {
    std::vector<float> a = Random(m * k, 7), b = Random(k * n, 8);
    const int64_t half = (k + 1) / 2;
    std::vector<float> a_pairs(m * half, std::nanf("")), b_pairs(half * n, std::nanf("")), c(m * n);
    PairColumns(a.data(), m, k, a_pairs.data());
    PairRows(b.data(), k, n, b_pairs.data());
    MultiplyMatrices(1, {a_pairs.data(), m, half, half}, {b_pairs.data(), half, n, n}, 0, c.data(),
                     ResultForm::kGeneral, Factors::kBf16Pairs);
    for (float& x : a) x = Rounded(x);
    for (float& x : b) x = Rounded(x);
    const std::vector<double> expected =
        Reference(1, {a.data(), m, k, k}, {b.data(), k, n, n}, 0, std::vector<float>(m * n));
    for (size_t i = 0; i < c.size(); ++i) {
      ASSERT_NEAR(c[i], expected[i], 1e-5 * std::sqrt(k)) << m << " x " << n << ", element " << i;
    }
  }
}

TEST(MatrixProductTest, SymmetricResultsAreWhole) {
  for (auto [side, length] : {std::pair{5, 40}, {64, 64}, {150, 300}}) {
    const std::vector<float> a = Random(side * length, 4);
    const MatrixView view = {a.data(), side, length, length};
    std::vector<float> c(side * side, std::nanf(""));  // not read
    MultiplyMatrices(1, view, view.Transposed(), 0, c.data(), ResultForm::kSymmetric);
    const std::vector<double> expected =
        Reference(1, view, view.Transposed(), 0, std::vector<float>(side * side));
    for (size_t i = 0; i < c.size(); ++i) {
      ASSERT_NEAR(c[i], expected[i], 1e-5 * std::sqrt(length)) << "element " << i;
    }
  }
}

}  // namespace
}  // namespace cotangent::tensor
