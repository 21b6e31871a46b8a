// Checks that forward, reverse and symbolic mode agree to a relative 1e-12, and numeric differences
// within their own error estimate: on every operation at random points between -8 and 8 of its
// domain, and on 10,000 random compositions of operations. To use another seed for the
// compositions:
//
//   bazel test //autodiff:agreement_test --test_arg=--gtest_random_seed=7

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <limits>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "autodiff/differentiate.h"
#include "autodiff/math.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

// Returns whether u is more than 0.05 away from the whole numbers and from the numbers halfway
// between two of them, where floor, ceil, trunc, round and rint jump.
bool InsideStep(double u) {
  return std::abs(u - std::round(u)) > 0.05 && std::abs(u - std::floor(u) - 0.5) > 0.05;
}

// For each operation: its name, its number of operands, a condition on the values u and v of its
// operands a and b under which the operation is defined, differentiable and of moderate size, and
// its formula.
#define COTANGENT_OPERATIONS(X)                                            \
  X(add, 2, true, a + b)                                                   \
  X(subtract, 2, true, a - b)                                              \
  X(multiply, 2, true, a* b)                                               \
  X(divide, 2, std::abs(v) > 0.1, a / b)                                   \
  X(negate, 1, true, -a)                                                   \
  X(plus_number, 1, true, 1.5 + a)                                         \
  X(minus_number, 1, true, 2.5 - a)                                        \
  X(times_number, 1, true, a * 0.75)                                       \
  X(into_number, 1, std::abs(u) > 0.1, 2.0 / a)                            \
  X(abs, 1, std::abs(u) > 0.05, abs(a))                                    \
  X(fabs, 1, std::abs(u) > 0.05, fabs(a))                                  \
  X(sqr, 1, true, sqr(a))                                                  \
  X(sqrt, 1, u > 0.05, sqrt(a))                                            \
  X(cbrt, 1, std::abs(u) > 0.05, cbrt(a))                                  \
  X(exp, 1, u < 5, exp(a))                                                 \
  X(exp2, 1, u < 5, exp2(a))                                               \
  X(expm1, 1, u < 5, expm1(a))                                             \
  X(log, 1, u > 0.05, log(a))                                              \
  X(log2, 1, u > 0.05, log2(a))                                            \
  X(log10, 1, u > 0.05, log10(a))                                          \
  X(log1p, 1, u > -0.9, log1p(a))                                          \
  X(sin, 1, true, sin(a))                                                  \
  X(cos, 1, true, cos(a))                                                  \
  X(tan, 1, std::abs(std::cos(u)) > 0.2, tan(a))                           \
  X(asin, 1, std::abs(u) < 0.95, asin(a))                                  \
  X(acos, 1, std::abs(u) < 0.95, acos(a))                                  \
  X(atan, 1, true, atan(a))                                                \
  X(sinh, 1, std::abs(u) < 5, sinh(a))                                     \
  X(cosh, 1, std::abs(u) < 5, cosh(a))                                     \
  X(tanh, 1, std::abs(u) < 5, tanh(a))                                     \
  X(asinh, 1, true, asinh(a))                                              \
  X(acosh, 1, u > 1.1, acosh(a))                                           \
  X(atanh, 1, std::abs(u) < 0.9, atanh(a))                                 \
  X(erf, 1, std::abs(u) < 4, erf(a))                                       \
  X(erfc, 1, std::abs(u) < 4, erfc(a))                                     \
  X(sign, 1, std::abs(u) > 0.05, sign(a) + a)                              \
  X(floor, 1, InsideStep(u), floor(a) * a)                                 \
  X(ceil, 1, InsideStep(u), ceil(a) * a)                                   \
  X(trunc, 1, InsideStep(u), trunc(a) * a)                                 \
  X(round, 1, InsideStep(u), round(a) * a)                                 \
  X(rint, 1, InsideStep(u), rint(a) * a)                                   \
  X(nearbyint, 1, InsideStep(u), nearbyint(a) * a)                         \
  X(pow, 2, u > 0.1 && std::abs(v) < 3, pow(a, b))                         \
  X(pow_integer, 1, std::abs(u) > 0.1, pow(a, 3) - pow(a, -2))             \
  X(pow_real, 1, u > 0.1, pow(a, 1.7))                                     \
  X(power_of_number, 1, std::abs(u) < 4, pow(1.3, a))                      \
  X(hypot, 2, std::abs(u) + std::abs(v) > 0.1, hypot(a, b))                \
  X(atan2, 2, std::abs(u) > 0.1 || v > 0.1, atan2(a, b))                   \
  X(max, 2, std::abs(u - v) > 0.05, max(a, b))                             \
  X(min, 2, std::abs(u - v) > 0.05, min(a, b))                             \
  X(fmax, 2, std::abs(u - v) > 0.05, fmax(a, b))                           \
  X(fmin, 2, std::abs(u - v) > 0.05, fmin(a, b))                           \
  X(fdim, 2, std::abs(u - v) > 0.05, fdim(a, b))                           \
  X(fmod, 2, std::abs(v) > 0.5 && InsideStep(u / v), fmod(a, b))           \
  X(remainder, 2, std::abs(v) > 0.5 && InsideStep(u / v), remainder(a, b)) \
  X(copysign, 2, std::abs(u) > 0.05 && std::abs(v) > 0.05, copysign(a, b)) \
  X(fma, 2, true, fma(a, b, a))                                            \
  X(sigmoid, 1, std::abs(u) < 8, sigmoid(a))                               \
  X(softplus, 1, std::abs(u) < 8, softplus(a))                             \
  X(softsign, 1, std::abs(u) > 0.05, softsign(a))                          \
  X(relu, 1, std::abs(u) > 0.05, relu(a))                                  \
  X(leaky_relu, 1, std::abs(u) > 0.05, leaky_relu(a, 0.2))                 \
  X(elu, 1, std::abs(u) > 0.05, elu(a, 1.4))                               \
  X(gelu, 1, std::abs(u) < 6, gelu(a))                                     \
  X(gelu_tanh, 1, std::abs(u) < 6, gelu_tanh(a))                           \
  X(silu, 1, std::abs(u) < 8, silu(a))                                     \
  X(hard_swish, 1, std::abs(std::abs(u) - 3) > 0.05, hard_swish(a))        \
  X(logsumexp, 2, std::abs(u - v) < 8, logsumexp(a, b))

#define COTANGENT_NAME(name, ...) k_##name,
enum Operation { COTANGENT_OPERATIONS(COTANGENT_NAME) kOperationCount };
#undef COTANGENT_NAME

struct OperationInfo {
  const char* name;
  int operands;
  bool (*in_domain)(double u, double v);
};
#define COTANGENT_INFO(name, operands, domain, formula) \
  {#name, operands, []([[maybe_unused]] double u, [[maybe_unused]] double v) { return domain; }},
constexpr OperationInfo kInfo[] = {COTANGENT_OPERATIONS(COTANGENT_INFO)};
#undef COTANGENT_INFO

template <class S>
S ApplyOperation(Operation operation, const S& a, const S& b) {
  using namespace functions;  // NOLINT
  switch (operation) {
#define COTANGENT_CASE(name, operands, domain, formula) \
  case k_##name:                                        \
    return S(formula);
    COTANGENT_OPERATIONS(COTANGENT_CASE)
#undef COTANGENT_CASE
    case kOperationCount:
      break;
  }
  return S(0.0);
}

constexpr std::size_t kInputs = 3;

// A program without branches: registers 0 .. kInputs - 1 are the inputs, every step applies an
// operation to registers a and b (only to a, if the operation has one operand) and appends one
// register, and the result is the sum of the last two registers.
struct RandomProgram {
  struct Step {
    Operation operation;
    std::size_t a, b;
  };
  std::vector<Step> steps;

  template <class S>
  S operator()(std::span<const S> x) const {
    std::vector<S> registers(x.begin(), x.end());
    for (const Step& step : steps)
      registers.push_back(ApplyOperation<S>(step.operation, registers[step.a], registers[step.b]));
    return S(registers.back() + registers[registers.size() - 2]);
  }

  // Returns, for each entry of the gradient, the magnitude that rounding errors are relative to:
  // the sum, over all paths from the input to the result, of the products of the magnitudes of the
  // derivatives along the path. The entry itself may be smaller, because the paths' contributions
  // may cancel.
  std::vector<double> Magnitudes(std::span<const double> x) const {
    using D = forward::Dual<double, 2>;
    std::vector<double> values(x.begin(), x.end());
    std::vector<std::array<double, kInputs>> magnitudes(x.size(), std::array<double, kInputs>{});
    for (std::size_t i = 0; i < x.size(); ++i) magnitudes[i][i] = 1;
    for (const Step& step : steps) {
      const D result = ApplyOperation(step.operation, D::Variable(values[step.a], 0),
                                      D::Variable(values[step.b], 1));
      std::array<double, kInputs> sum;
      for (std::size_t i = 0; i < kInputs; ++i) {
        sum[i] = std::abs(result.tangent[0]) * magnitudes[step.a][i] +
                 std::abs(result.tangent[1]) * magnitudes[step.b][i];
      }
      values.push_back(result.value);
      magnitudes.push_back(sum);
    }
    std::vector<double> total;
    for (std::size_t i = 0; i < kInputs; ++i)
      total.push_back(magnitudes.back()[i] + magnitudes[magnitudes.size() - 2][i]);
    return total;
  }

  std::string Text() const {
    std::ostringstream text;
    std::size_t next = kInputs;
    for (const Step& step : steps) {
      text << "v" << next++ << " = " << kInfo[step.operation].name << "(v" << step.a;
      if (kInfo[step.operation].operands == 2) text << ", v" << step.b;
      text << "); ";
    }
    return text.str();
  }
};

struct Sample {
  RandomProgram program;
  std::vector<double> x;
};

// Draws a program and a point such that every intermediate result is of moderate size and inside
// the domain of the operations that use it.
Sample Draw(std::mt19937_64& random) {
  Sample sample;
  std::uniform_real_distribution<double> coordinate(-2, 2);
  std::vector<double> registers;
  for (std::size_t i = 0; i < kInputs; ++i) registers.push_back(coordinate(random));
  sample.x = registers;
  const std::size_t length = 2 + random() % 12;
  while (sample.program.steps.size() < length) {
    const auto operation = static_cast<Operation>(random() % kOperationCount);
    const std::size_t a = random() % registers.size(), b = random() % registers.size();
    const double u = registers[a], v = registers[b];
    if (!kInfo[operation].in_domain(u, v)) continue;
    const double result = ApplyOperation<double>(operation, u, v);
    if (!(std::abs(result) < 20)) continue;
    sample.program.steps.push_back({operation, a, b});
    registers.push_back(result);
  }
  return sample;
}

double LargestOf(const std::vector<double>& values) {
  double largest = 0;
  for (double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// Compares the gradients of all modes. Reverse and symbolic mode may differ from forward mode, in
// each entry, by 1e-12 times the entry's magnitude (Magnitudes(), but at least 1e-3); numeric mode
// by its error estimate and the rounding error of forward mode.
void ExpectAgreement(const Sample& sample, const std::string& what) {
  constexpr double kTolerance = 1e-12, kLeastMagnitude = 1e-3;
  const auto& [f, x] = sample;
  const auto forward = Gradient(f, x, Mode::kForward);
  ASSERT_TRUE(forward.ok()) << what << ": " << forward.status();
  std::vector<double> magnitudes = f.Magnitudes(x);
  for (double& magnitude : magnitudes) magnitude = std::max(magnitude, kLeastMagnitude);
  for (Mode mode : {Mode::kReverse, Mode::kSymbolic}) {
    const auto other = Gradient(f, x, mode);
    ASSERT_TRUE(other.ok()) << what << ": " << other.status();
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR((*other)[i], (*forward)[i], kTolerance * magnitudes[i])
          << ModeName(mode) << " by v" << i << ": " << what;
    }
  }
  const numeric::ScalarFunction plain = [&f = f](std::span<const double> at) { return f(at); };
  const std::vector<numeric::Estimate> differences = numeric::Gradient(plain, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    // A bound on the rounding error of the forward gradient.
    const double own_rounding = 16 * std::numeric_limits<double>::epsilon() * magnitudes[i];
    EXPECT_NEAR(differences[i].value, (*forward)[i], differences[i].error + own_rounding)
        << "numeric by v" << i << ": " << what;
  }
}

std::string Describe(const Sample& sample) {
  std::ostringstream text;
  text.precision(17);
  text << "at (" << sample.x[0] << ", " << sample.x[1] << ", " << sample.x[2]
       << "): " << sample.program.Text();
  return text.str();
}

TEST(AgreementTest, EveryOperationAllOverItsDomain) {
  constexpr int kPoints = 100;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> coordinate(-8, 8);
  for (int k = 0; k < kOperationCount; ++k) {
    for (int point = 0; point < kPoints && !HasFailure();) {
      const double u = coordinate(random), v = coordinate(random);
      if (!kInfo[k].in_domain(u, v)) continue;
      ++point;
      const Sample sample = {{{{static_cast<Operation>(k), 0, 1}}}, {u, v, 0.5}};
      ExpectAgreement(sample, Describe(sample));
    }
  }
}

TEST(AgreementTest, RandomCompositions) {
  const int seed = 1 + GTEST_FLAG_GET(random_seed);
  std::cout << "seed " << seed << " (--gtest_random_seed=" << seed - 1 << ")\n";
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  constexpr double kSteepest = 1e6;
  for (int compared = 0; compared < 10000;) {
    const Sample sample = Draw(random);
    // Leaves out programs with a derivative of a million or more over domains of size about 1: a
    // singularity is then so near that the modes cannot agree closely.
    const std::vector<double> slope = forward::Gradient(sample.program, sample.x);
    if (!(LargestOf(slope) < kSteepest)) continue;
    ++compared;
    ExpectAgreement(sample, "composition " + std::to_string(compared) + " " + Describe(sample));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace cotangent::autodiff
