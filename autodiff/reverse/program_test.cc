#include "autodiff/reverse/program.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "autodiff/reverse/benchmark_functions.h"
#include "autodiff/reverse/gradient.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

using namespace reverse;
using ::testing::ElementsAre;

// Records f at x, replays it at `count` points (x and multiples of x) together and at each alone,
// in registers of every width, and compares the results with a tape's at each point.
template <class F>
void ExpectLikeTheTape(const F& f, const std::vector<double>& x, std::size_t count,
                       double tolerance) {
  const std::size_t n = x.size();
  std::vector<double> points, values(count), gradients(count * n);
  for (std::size_t p = 0; p < count; ++p) {
    for (const double xi : x) points.push_back(xi * (1 + 0.01 * static_cast<double>(p)));
  }
  Tape tape;
  std::vector<double> gradient(n), alone(n);
  for (int width = 2; width <= WidestChunk(); width *= 2) {
    SCOPED_TRACE(width);
    Program program(f, x, width);
    ASSERT_THAT(program.Gradients(points, values, gradients), ElementsAre());
    for (std::size_t p = 0; p < count; ++p) {
      const auto point = std::span<const double>(points).subspan(p * n, n);
      const double value = GradientInto(tape, f, point, gradient);
      double value_alone;
      ASSERT_THAT(program.Gradients(point, std::span(&value_alone, 1), alone), ElementsAre());
      ASSERT_NEAR(values[p], value, tolerance * (1 + std::abs(value)));
      ASSERT_NEAR(value_alone, value, tolerance * (1 + std::abs(value)));
      for (std::size_t i = 0; i < n; ++i) {
        const double bound = tolerance * (1 + std::abs(gradient[i]));
        ASSERT_NEAR(gradients[p * n + i], gradient[i], bound);
        ASSERT_NEAR(alone[i], gradient[i], bound);
      }
    }
  }
}

// d/dx 1/(a x) is -1/(a x^2), though the slope by the denominator, -1/(a x)^2, is beyond doubles.
TEST(ProgramTest, QuotientsWhoseSlopesOverflowOnTheWay) {
  const auto reciprocal = [](auto w) { return 1.0 / (1e-160 * w[0]) + w[1]; };
  const std::vector<double> x = {1, 2};
  for (int width = 2; width <= WidestChunk(); width *= 2) {
    Program program(reciprocal, x, width);
    for (const std::size_t count : {1, 8}) {
      std::vector<double> points, values(count), gradients(2 * count);
      for (std::size_t p = 0; p < count; ++p) points.insert(points.end(), x.begin(), x.end());
      ASSERT_THAT(program.Gradients(points, values, gradients), ElementsAre());
      for (std::size_t p = 0; p < count; ++p) EXPECT_NEAR(gradients[2 * p] / -1e160, 1, 1e-15);
    }
  }
}

TEST(ProgramTest, TheBenchmarkFunctions) {
  ExpectLikeTheTape(benchmark::GaussianMixture(), benchmark::GaussianMixture::Point(), 3, 1e-12);
  ExpectLikeTheTape(benchmark::TanhNetwork(), benchmark::TanhNetwork::Point(), 9, 1e-12);
  ExpectLikeTheTape(benchmark::Rosenbrock(), benchmark::Rosenbrock::Point(), 8, 1e-12);
  ExpectLikeTheTape(benchmark::PendulumLoop(), benchmark::PendulumLoop::Point(), 17, 1e-12);
}

TEST(ProgramTest, EveryKindOfStatement) {
  const auto f = [](auto x) {
    using namespace functions;
    using T = std::decay_t<decltype(x[0])>;
    T constant = 0.5;
    T a = -x[0] * constant + 2.0 / x[1];
    T copy = a;
    a += x[1] * x[1];
    a += constant;
    a += 3.0;
    copy -= a * copy;
    a = a + copy;
    a *= pow(x[0], 3) + pow(x[0], x[1]);
    a /= 1.0 + abs(x[0] - x[1]);
    a += max(x[0], x[1]) + max(a, 0.0) + leaky_relu(x[0] - 2.0, 0.1) + elu(-x[1], 0.7) +
         hypot(x[0], x[1]);
    a += exp(-sqr(x[0])) + cos(x[1]) * sin(x[0]) + tanh(x[0]) + log(x[1]) + gelu(x[0]) +
         sigmoid(a) + floor(x[0]);
    a += a;
    return a;
  };
  ExpectLikeTheTape(f, {1.3, 1.7}, 21, 1e-12);
}

// Tests sums with fewer and with more terms than lanes, of equal and of different types, whose
// operands are one variable, neighbouring variables, or neither.
TEST(ProgramTest, SumsOfEveryLength) {
  for (int n = 1; n <= 70; ++n) {
    SCOPED_TRACE(n);
    const auto f = [n]<class T>(std::span<const T> x) {
      using std::exp;
      std::vector<T> sums(5, T(0));
      for (int i = 0; i < n; ++i) {
        for (int k = 0; k < 5; ++k) sums[k] += x[i] * x[(k * i + 1) % n];
        sums[2] += x[0] * x[n - 1 - i];
        sums[3] += exp(x[i * i % n]);
      }
      T total = 0;
      for (T& sum : sums) total += sum * sum;
      return total;
    };
    ExpectLikeTheTape(f, benchmark::Noise(n, n), 3, 1e-12);
  }
}

// sqrt has an infinite derivative at 0, but every root is multiplied by x[9] = 0. So the adjoint of
// the root is 0, and the gradient must be 0, not 0 times infinity.
TEST(ProgramTest, AnAdjointOfZeroHandsNothingOn) {
  const auto f = [](auto x) {
    using T = std::decay_t<decltype(x[0])>;
    T sum = 0;
    for (int i = 0; i < 9; ++i) {
      const T root = sqrt(x[i]);
      sum += root * x[9];
    }
    return sum;
  };
  std::vector<double> x(10, 0.0), values(8), gradients(80, 1.0), points;
  for (int p = 0; p < 8; ++p) points.insert(points.end(), x.begin(), x.end());
  Program program(f, x);
  for (const std::size_t count : {1, 8}) {
    program.Gradients(std::span(points).first(10 * count), std::span(values).first(count),
                      std::span(gradients).first(10 * count));
    EXPECT_THAT(std::span(gradients).first(10 * count), ::testing::Each(0.0)) << count;
  }
}

// f is recorded where nothing overflows, and replayed where intermediate results or reciprocals of
// denominators do, but the derivatives do not.
TEST(ProgramTest, WhatOverflowsOnTheWayDoesNotSpoilTheGradient) {
  const auto f = [](auto x) {
    using T = std::decay_t<decltype(x[0])>;
    T sum = 1.0 / (1.0 + exp(-x[0]));
    sum += tanh(x[1] * x[1] * x[1]);
    sum += x[2] * x[3] / x[2];
    sum += x[2] / x[2];
    return sum;
  };
  const double slope = std::exp(-708.0);
  const std::vector<double> low = {-708, 1e160, 1e-320, 3}, lower = {-800, 1e160, 1e-320, 3};
  for (int width = 2; width <= WidestChunk(); width *= 2) {
    Program program(f, std::vector<double>{1, 2, 3, 4}, width);
    for (const std::size_t count : {1, 8}) {
      std::vector<double> points, values(count), gradients(4 * count);
      for (std::size_t p = 0; p < count; ++p) {
        const std::vector<double>& point = p % 2 == 0 ? low : lower;
        points.insert(points.end(), point.begin(), point.end());
      }
      program.Gradients(points, values, gradients);
      for (std::size_t p = 0; p < count; ++p) {
        EXPECT_EQ(values[p], 5);
        EXPECT_NEAR(gradients[4 * p], p % 2 == 0 ? slope : 0, 1e-13 * slope);
        EXPECT_THAT(std::span(gradients).subspan(4 * p + 1, 3), ElementsAre(0, 0, 1));
      }
    }
  }
}

TEST(ProgramTest, RandomPrograms) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto f = [&]<class T>(std::span<const T> inputs) {
      std::mt19937_64 random(seed);
      std::vector<T> v(inputs.begin(), inputs.end());
      for (int step = 0; step < 30; ++step) {
        T& y = v[random() % v.size()];
        const T& a = v[random() % v.size()];
        const T& b = v[random() % v.size()];
        switch (random() % 8) {
          case 0:
            y = a * b;
            break;
          case 1:
            y += a * 0.5;
            break;
          case 2:
            y -= sin(a) * b;
            break;
          case 3:
            y = a / (2.0 + b * b);
            break;
          case 4:
            y += y * a * 0.1;
            break;
          case 5:
            y = a;
            break;
          case 6:
            std::swap(y, v[random() % v.size()]);
            break;
          case 7:
            y = 0.7;
            break;
        }
        y += tanh(b);
      }
      T sum = 0;
      for (const T& x : v) sum += x * x;
      return sum;
    };
    ExpectLikeTheTape(f, benchmark::Noise(4, seed), 3, 1e-11);
  }
}

TEST(ProgramTest, ReportsPointsThatBranchOtherwise) {
  const auto f = [](auto x) {
    using T = std::decay_t<decltype(x[0])>;
    return x[0] > 2.0 * x[1] ? T(x[0] * x[0]) : T(x[1] * 3.0);
  };
  Program program(f, std::vector{5.0, 1.0});
  std::vector<double> values(3), gradients(6);
  EXPECT_THAT(program.Gradients(std::vector{3.0, 1.0, 1.0, 1.0, 4.0, 1.5}, values, gradients),
              ElementsAre(1));
  EXPECT_EQ(values[0], 9);
  EXPECT_TRUE(std::isnan(values[1]));
  EXPECT_EQ(values[2], 16);
  EXPECT_THAT(std::span(gradients).first(2), ElementsAre(6, 0));
  EXPECT_TRUE(std::isnan(gradients[2]));
  EXPECT_THAT(std::span(gradients).last(2), ElementsAre(8, 0));
}

TEST(ProgramTest, AConstantFunction) {
  Program program([](auto x) { return std::decay_t<decltype(x[0])>(4); }, std::vector{5.0});
  std::vector<double> values(1), gradients(1);
  program.Gradients(std::vector{3.0}, values, gradients);
  EXPECT_EQ(values[0], 4);
  EXPECT_EQ(gradients[0], 0);
}

// Questions that f asks about its numbers (signbit, isfinite, ...) are recorded with their answers,
// as comparisons are.
TEST(ProgramTest, ReportsPointsWhereAQuestionIsAnsweredOtherwise) {
  const auto expect = [](const auto& f, double recorded, double same, double other) {
    Program program(f, std::vector{recorded, 3.0});
    std::vector<double> values(2), gradients(4);
    EXPECT_THAT(program.Gradients(std::vector{same, 3.0, other, 3.0}, values, gradients),
                ElementsAre(1));
    EXPECT_FALSE(std::isnan(values[0]));
    EXPECT_TRUE(std::isnan(values[1]));
  };
  const auto branch = [](auto question) {
    return [question](auto x) {
      using T = std::decay_t<decltype(x[0])>;
      if (question(x[0])) return T(-x[0] * x[1]);
      return T(x[1] * x[1]);
    };
  };
  expect(branch([](const auto& x) { return signbit(x); }), 2, 1, -1);
  expect(branch([](const auto& x) { return isnan(x); }), 2, 1, std::nan(""));
  expect(branch([](const auto& x) { return isinf(x); }), 2, 1, HUGE_VAL);
  expect(branch([](const auto& x) { return !isfinite(x); }), 2, 1, HUGE_VAL);
  expect(branch([](const auto& x) { return !isnormal(x); }), 2, 1, 1e-320);
  expect(branch([](const auto& x) { return fpclassify(x) == FP_ZERO; }), 2, 1, 0);
  expect(branch([](const auto& x) { return ilogb(x) == 7; }), 2, 3, 5);
  expect(branch([](const auto& x) {
           int exponent;
           frexp(x, &exponent);
           return exponent == 7;
         }),
         2, 3, 5);
}

// f is recorded at 2. isfinite has the same answer at 2 and at 0, so the recording is valid at 0,
// though fpclassify would tell the two numbers apart.
TEST(ProgramTest, AnswersPointsWhereAQuestionIsAnsweredAlike) {
  const auto f = [](auto x) {
    using T = std::decay_t<decltype(x[0])>;
    return isfinite(x[0]) ? T(x[0] + 1.0) : T(0.0);
  };
  Program program(f, std::vector{2.0});
  std::vector<double> values(1), gradients(1);
  EXPECT_THAT(program.Gradients(std::vector{0.0}, values, gradients), ElementsAre());
  EXPECT_EQ(values[0], 1);
}

// Records near 1 and replays near 800, where another term is the largest. The expected gradient is
// the softmax, computed by hand.
TEST(ProgramTest, LogSumExpFindsItsShiftAgain) {
  const auto f = [](auto x) { return functions::logsumexp(x); };
  Program program(f, std::vector{1.0, 1.5, 0.5});
  std::vector<double> values(1), gradients(3);
  EXPECT_THAT(program.Gradients(std::vector{800.0, 799.0, 800.0}, values, gradients),
              ElementsAre());
  const double sum = 2 + std::exp(-1.0);
  EXPECT_NEAR(values[0], 800 + std::log(sum), 1e-12);
  EXPECT_NEAR(gradients[0], 1 / sum, 1e-14);
  EXPECT_NEAR(gradients[1], std::exp(-1.0) / sum, 1e-14);
  EXPECT_NEAR(gradients[2], 1 / sum, 1e-14);
}

TEST(ProgramTest, AConstantExponentOfTheRecordersType) {
  Program program([](auto x) { return pow(x[0], std::decay_t<decltype(x[0])>(2.0)); },
                  std::vector{3.0});
  std::vector<double> values(1), gradients(1);
  program.Gradients(std::vector{-3.0}, values, gradients);
  EXPECT_EQ(values[0], 9);
  EXPECT_EQ(gradients[0], -6);
}

}  // namespace
}  // namespace cotangent::autodiff
