#include "tensor/circulant.h"

#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;

std::vector<double> Random(int64_t n, int seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(n);
  for (double& v : values) v = normal(generator);
  return values;
}

std::unique_ptr<CircularConvolver> Convolver(int64_t n) {
  return CircularConvolver::Create(n).value();
}

TEST(Circulant, MatrixHoldsTheVectorInItsFirstColumn) {
  EXPECT_THAT(CirculantMatrix<double>({1, 2, 3}), ElementsAre(1, 3, 2, 2, 1, 3, 3, 2, 1));
  EXPECT_THAT(ShiftMatrix<double>(3, 0, 1), ElementsAre(0, 0, 1, 1, 0, 0, 0, 1, 0));
  EXPECT_THAT(ShiftMatrix<double>(1, 0, 1), ElementsAre(1));
}

TEST(Circulant, ShiftsEitherWayRoundTheEnd) {
  EXPECT_THAT(Shifted({1, 2, 3, 4}, 1), ElementsAre(4, 1, 2, 3));
  EXPECT_THAT(Shifted({1, 2, 3, 4}, -1), ElementsAre(2, 3, 4, 1));
  EXPECT_THAT(Shifted({1, 2, 3, 4}, 9), ElementsAre(4, 1, 2, 3));
}

TEST(Circulant, FourierProductIsTheMatrixProduct) {
  for (const int64_t n : {1, 2, 3, 7, 8, 60, 127}) {
    const std::vector<double> a = Random(n, 1), x = Random(n, 2),
                              matrix = CirculantMatrix<double>(a);
    std::vector<double> expected(n, 0.0), result(n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) expected[i] += matrix[i * n + j] * x[j];
    }
    Convolver(n)->Convolve(a, x, absl::MakeSpan(result));
    EXPECT_THAT(result, Pointwise(DoubleNear(1e-12), expected)) << n;
    CircularConvolver::Create(n, CircularConvolver::Planning::kMeasured)
        .value()
        ->Convolve(a, x, absl::MakeSpan(result));
    EXPECT_THAT(result, Pointwise(DoubleNear(1e-12), expected)) << n;
    EXPECT_THAT(DirectCircularConvolution(a, x), Pointwise(DoubleNear(1e-12), expected)) << n;
  }
}

TEST(Circulant, AKernelIsTransformedOnce) {
  auto convolver = Convolver(5);
  const std::vector<double> a = Random(5, 1);
  convolver->SetKernel(a);
  for (int seed : {2, 3}) {
    const std::vector<double> x = Random(5, seed);
    std::vector<double> result(5);
    convolver->Multiply(x, absl::MakeSpan(result));
    EXPECT_THAT(result, Pointwise(DoubleNear(1e-13), DirectCircularConvolution(a, x)));
  }
}

TEST(Circulant, EigenvaluesBelongToTheFourierVectors) {
  const int64_t n = 6;
  const std::vector<double> a = Random(n, 3), matrix = CirculantMatrix<double>(a);
  const std::vector<Complex> eigenvalues = Convolver(n)->Eigenvalues(a);
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t i = 0; i < n; ++i) {
      Complex product = 0;
      for (int64_t j = 0; j < n; ++j)
        product += matrix[i * n + j] * std::polar(1.0, 2 * M_PI * j * k / n);
      EXPECT_LT(std::abs(product - eigenvalues[k] * std::polar(1.0, 2 * M_PI * i * k / n)), 1e-12);
    }
  }
}

TEST(Circulant, InverseGivesTheIdentity) {
  auto convolver = Convolver(9);
  const std::vector<double> a = Random(9, 4);
  const auto b = convolver->Inverse(a);
  ASSERT_TRUE(b.ok());
  EXPECT_THAT(DirectCircularConvolution(a, *b),
              Pointwise(DoubleNear(1e-12), Shifted({1, 0, 0, 0, 0, 0, 0, 0, 0}, 0)));
}

TEST(Circulant, SingularSaysAtWhichFrequency) {
  const auto b = Convolver(4)->Inverse(std::vector<double>{1, 1, 1, 1});
  ASSERT_FALSE(b.ok());
  EXPECT_THAT(std::string(b.status().message()), HasSubstr("frequency 1 of 4"));
}

TEST(Circulant, DetectionNamesTheEntryThatBreaksIt) {
  std::vector<double> matrix = CirculantMatrix<double>({1, 2, 3, 4});
  auto detection = DetectCirculant(matrix, 4);
  ASSERT_TRUE(detection.ok());
  EXPECT_TRUE(detection->circulant);
  EXPECT_THAT(detection->a, ElementsAre(1, 2, 3, 4));
  matrix[2 * 4 + 3] += 0.5;
  detection = DetectCirculant(matrix, 4);
  EXPECT_FALSE(detection->circulant);
  EXPECT_EQ(detection->row, 2);
  EXPECT_EQ(detection->column, 3);
  EXPECT_EQ(detection->found, 4.5);
  EXPECT_EQ(detection->expected, 4);
  EXPECT_FALSE(DetectCirculant(matrix, 3).ok());
}

TEST(Circulant, EveryEquivariantMapIsACirculant) {
  const std::vector<double> a = Random(12, 5);
  const auto decision = DecideShiftEquivariance(
      [&](absl::Span<const double> x) { return DirectCircularConvolution(a, x); }, 12);
  ASSERT_TRUE(decision.ok());
  EXPECT_TRUE(decision->equivariant);
  EXPECT_THAT(decision->a, Pointwise(DoubleNear(1e-15), a));
}

TEST(Circulant, OthersComeWithAWitness) {
  // This map takes differences of neighbours without wrapping around: a convolution with zero
  // padding, which does not commute with shifts.
  const LinearMap map = [](absl::Span<const double> x) {
    std::vector<double> y(x.begin(), x.end());
    for (size_t i = 1; i < y.size(); ++i) y[i] -= x[i - 1];
    return y;
  };
  const auto decision = DecideShiftEquivariance(map, 6);
  ASSERT_TRUE(decision.ok());
  ASSERT_FALSE(decision->equivariant);
  const double found = map(Shifted(decision->input, decision->shift))[decision->index];
  const double expected = Shifted(map(decision->input), decision->shift)[decision->index];
  EXPECT_EQ(found, decision->found);
  EXPECT_EQ(expected, decision->expected);
  EXPECT_NE(found, expected);
}

TEST(Circulant, RefusesWhatIsNoLinearMapOfRn) {
  EXPECT_FALSE(DecideShiftEquivariance(
                   [](absl::Span<const double> x) { return std::vector<double>(x.size() + 1); }, 4)
                   .ok());
  const LinearMap square = [](absl::Span<const double> x) {
    std::vector<double> y;
    for (double v : x) y.push_back(v * v);
    return y;
  };
  EXPECT_THAT(std::string(DecideShiftEquivariance(square, 4).status().message()),
              HasSubstr("not linear"));
  EXPECT_FALSE(CircularConvolver::Create(0).ok());
}

}  // namespace
}  // namespace cotangent::tensor
