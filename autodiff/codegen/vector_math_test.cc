// Compares the elementary functions of vector kernels with double-precision libm, on every
// instruction set that this machine has.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/codegen/vector_kernel.h"
#include "autodiff/codegen/vector_program.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::codegen {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Unary = Value (VectorProgram::*)(Value);

class VectorMath : public testing::TestWithParam<InstructionSet> {
 protected:
  std::vector<float> Apply(Unary function, const std::vector<float>& x,
                           Accuracy accuracy = Accuracy::kF32) {
    VectorProgram program(accuracy);
    program.Store((program.*function)(program.Load(ElementType::kF32)), ElementType::kF32);
    return Run(program, {x.data()}, x.size());
  }

  std::vector<float> ApplyPow(const std::vector<float>& x, const std::vector<float>& y) {
    VectorProgram program;
    const Value a = program.Load(ElementType::kF32);
    const Value b = program.Load(ElementType::kF32);
    program.Store(program.Pow(a, b), ElementType::kF32);
    return Run(program, {x.data(), y.data()}, x.size());
  }

  std::vector<float> Run(const VectorProgram& program, std::vector<const void*> loads, size_t n) {
    auto kernel = VectorKernel::Compile(program, {.isa = GetParam()});
    EXPECT_TRUE(kernel.ok()) << kernel.status();
    std::vector<float> y(n);
    void* store = y.data();
    (**kernel)({.rows = static_cast<int64_t>(n), .loads = loads.data(), .stores = &store});
    return y;
  }

  // Expects errors of at most `bound` units in the last place of the exact result, on [low, high].
  // For exact results smaller than `floor` in magnitude, the unit is that of `floor`.
  void ExpectUlps(const char* name, Unary function, double (*exact)(double), float low, float high,
                  double bound, double floor = std::numeric_limits<float>::min()) {
    std::vector<float> x;
    for (int i = 0; i <= 400000; ++i) x.push_back(low + (high - low) * (i / 400000.0));
    // Adds numbers of both signs with every magnitude from 1e-30 to `high`, unless they are below
    // `low`.
    for (float size = 1e-30f; size < high; size *= 1.01f) {
      for (const float v : {size, -size}) {
        if (v >= low) x.push_back(v);
      }
    }
    const std::vector<float> y = Apply(function, x);
    double worst = 0;
    float worst_x = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = exact(x[i]);
      if (std::fabs(want) > std::numeric_limits<float>::max()) continue;
      const double size = std::max(std::fabs(want), floor);
      const double ulp = std::ldexp(1.0, std::ilogb(size) - 23);
      const double error = std::fabs(y[i] - want) / ulp;
      if (!(error <= worst)) worst = error, worst_x = x[i];
    }
    std::printf("%-8s on [%g, %g]: %.2f ulp, at %.9g\n", name, low, high, worst, worst_x);
    EXPECT_LE(worst, bound) << name << " at " << worst_x;
  }

  // Expects errors of at most 1.2e-4 relative to the exact result, on [low, high], for
  // Accuracy::kBf16.
  void ExpectBf16(const char* name, Unary function, double (*exact)(double), float low,
                  float high) {
    std::vector<float> x;
    for (int i = 0; i <= 400000; ++i) x.push_back(low + (high - low) * (i / 400000.0));
    const std::vector<float> y = Apply(function, x, Accuracy::kBf16);
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = std::fabs(y[i] / exact(x[i]) - 1);
      if (!(error <= worst)) worst = error;
    }
    std::printf("%-8s on [%g, %g], for bf16: %.2g\n", name, low, high, worst);
    EXPECT_LE(worst, 1.2e-4) << name;
  }

  void ExpectValues(Unary function, const std::vector<float>& x, const std::vector<float>& want) {
    const std::vector<float> y = Apply(function, x);
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(want[i])) {
        EXPECT_TRUE(std::isnan(y[i])) << "at " << x[i] << " found " << y[i];
      } else {
        EXPECT_EQ(y[i], want[i]) << "at " << x[i];
      }
    }
  }
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return std::log1p(std::exp(x)); }

TEST_P(VectorMath, Exp) {
  ExpectUlps("exp", &VectorProgram::Exp, std::exp, -87.3f, 88.72f, 1.1);
  ExpectValues(&VectorProgram::Exp, {0, kInf, -kInf, kNaN, 89, 1000, -1000, -104},
               {1, kInf, 0, kNaN, kInf, kInf, 0, 0});
}

TEST_P(VectorMath, Log) {
  ExpectUlps("log", &VectorProgram::Log, std::log, 1e-37f, 4, 1.0);
  ExpectUlps("log", &VectorProgram::Log, std::log, 4, 1e38f, 1.0);
  ExpectValues(&VectorProgram::Log, {1, 0, -0.0f, -1, -kInf, kInf, kNaN},
               {0, -kInf, -kInf, kNaN, kNaN, kInf, kNaN});
  // The logarithm of a denormal number is accurate too.
  EXPECT_NEAR(Apply(&VectorProgram::Log, {1e-40f})[0], std::log(static_cast<double>(1e-40f)), 1e-5);
}

TEST_P(VectorMath, SinAndCos) {
  // With `floor` = 0.5, the bound is an absolute error, in ulps of numbers just below 1.
  ExpectUlps("sin", &VectorProgram::Sin, std::sin, -1e5f, 1e5f, 2, 0.5);
  ExpectUlps("cos", &VectorProgram::Cos, std::cos, -1e5f, 1e5f, 2, 0.5);
  ExpectUlps("sin", &VectorProgram::Sin, std::sin, -3.2f, 3.2f, 1.6, 1e-5);
  ExpectUlps("tan", &VectorProgram::Tan, std::tan, -1.57f, 1.57f, 4);
  ExpectValues(&VectorProgram::Sin, {0, kInf, kNaN}, {0, kNaN, kNaN});
}

TEST_P(VectorMath, Tanh) {
  ExpectUlps("tanh", &VectorProgram::Tanh, std::tanh, -12, 12, 5.2);
  ExpectValues(&VectorProgram::Tanh, {0, 20, kInf, -kInf, kNaN}, {0, 1, 1, -1, kNaN});
  std::vector<float> x;
  for (uint32_t bits = std::bit_cast<uint32_t>(6.0f); bits < std::bit_cast<uint32_t>(9.1f);
       ++bits) {
    x.push_back(std::bit_cast<float>(bits));
  }
  float greatest = 0;
  for (const float y : Apply(&VectorProgram::Tanh, x)) greatest = std::max(greatest, y);
  EXPECT_EQ(greatest, 1);
}

TEST_P(VectorMath, Sigmoid) {
  ExpectUlps("sigmoid", &VectorProgram::Sigmoid, Sigmoid, -10, 60, 5);
  ExpectUlps("sigmoid", &VectorProgram::Sigmoid, Sigmoid, -86, -10, 24);
  ExpectValues(&VectorProgram::Sigmoid, {0, 100, kInf, kNaN}, {0.5, 1, 1, kNaN});
  EXPECT_LT(Apply(&VectorProgram::Sigmoid, {-kInf})[0], 1e-37);
}

TEST_P(VectorMath, Erf) {
  ExpectUlps("erf", &VectorProgram::Erf, std::erf, -6, 6, 5);
  ExpectValues(&VectorProgram::Erf, {0, 5, kInf, -kInf, kNaN}, {0, 1, 1, -1, kNaN});
  std::vector<float> x;
  for (uint32_t bits = std::bit_cast<uint32_t>(2.5f); bits < std::bit_cast<uint32_t>(4.0f);
       ++bits) {
    x.push_back(std::bit_cast<float>(bits));
  }
  float greatest = 0;
  for (const float y : Apply(&VectorProgram::Erf, x)) greatest = std::max(greatest, y);
  EXPECT_EQ(greatest, 1);
}

TEST_P(VectorMath, TheOthers) {
  ExpectUlps("expm1", &VectorProgram::Expm1, std::expm1, -20, 88.7f, 2);
  ExpectUlps("log1p", &VectorProgram::Log1p, std::log1p, -0.9999f, 10, 2);
  ExpectUlps("log1p", &VectorProgram::Log1p, std::log1p, 10, 1e30f, 2);
  ExpectUlps("sinh", &VectorProgram::Sinh, std::sinh, -89, 89, 4);
  ExpectUlps("cosh", &VectorProgram::Cosh, std::cosh, -89, 89, 3);
  ExpectUlps("asin", &VectorProgram::Asin, std::asin, -1, 1, 4);
  ExpectUlps("acos", &VectorProgram::Acos, std::acos, -1, 1, 4);
  ExpectUlps("atan", &VectorProgram::Atan, std::atan, -20, 20, 3);
  ExpectUlps("asinh", &VectorProgram::Asinh, std::asinh, -1000, 1000, 4);
  ExpectUlps("acosh", &VectorProgram::Acosh, std::acosh, 1, 1000, 4);
  ExpectUlps("atanh", &VectorProgram::Atanh, std::atanh, -0.9999f, 0.9999f, 4);
  ExpectUlps("erfc", &VectorProgram::Erfc, std::erfc, -6, 9, 7);
  ExpectUlps("softplus", &VectorProgram::Softplus, Softplus, -80, 100, 4);
  ExpectValues(&VectorProgram::Expm1, {0, kInf, -kInf, kNaN}, {0, kInf, -1, kNaN});
  ExpectValues(&VectorProgram::Log1p, {0, kInf, -1, -2, kNaN}, {0, kInf, -kInf, kNaN, kNaN});
  ExpectValues(&VectorProgram::Sinh, {0, kInf, -kInf, kNaN}, {0, kInf, -kInf, kNaN});
  ExpectValues(&VectorProgram::Cosh, {0, kInf, -kInf, kNaN}, {1, kInf, kInf, kNaN});
  ExpectValues(&VectorProgram::Asin, {0, 1.5f, kNaN}, {0, kNaN, kNaN});
  ExpectValues(&VectorProgram::Acos, {1, 1.5f, kNaN}, {0, kNaN, kNaN});
  ExpectValues(&VectorProgram::Atan, {0, kInf, kNaN}, {0, std::atan(kInf), kNaN});
  ExpectValues(&VectorProgram::Asinh, {0, kInf, -kInf, kNaN}, {0, kInf, -kInf, kNaN});
  ExpectValues(&VectorProgram::Acosh, {1, 0.5f, kInf, kNaN}, {0, kNaN, kInf, kNaN});
  ExpectValues(&VectorProgram::Atanh, {0, 1, -1, 2, kNaN}, {0, kInf, -kInf, kNaN, kNaN});
  ExpectValues(&VectorProgram::Erfc, {0, kInf, -kInf, kNaN}, {1, 0, 2, kNaN});
  ExpectValues(&VectorProgram::Softplus, {kInf, -kInf, kNaN}, {kInf, 0, kNaN});
}

TEST_P(VectorMath, ForBf16) {
  ExpectBf16("exp", &VectorProgram::Exp, std::exp, -87, 88.7f);
  ExpectBf16("sigmoid", &VectorProgram::Sigmoid, Sigmoid, -85, 60);
  ExpectBf16("erfc", &VectorProgram::Erfc, std::erfc, -6, 9);
  const std::vector<float> ends = {kInf, -kInf, kNaN, 1000, -1000};
  const auto expect = [&](Unary function, const std::vector<float>& want) {
    const std::vector<float> y = Apply(function, ends, Accuracy::kBf16);
    for (size_t i = 0; i < ends.size(); ++i) {
      EXPECT_TRUE(std::isnan(want[i]) ? std::isnan(y[i])
                                      : std::fabs(y[i] - want[i]) < 1e-30 || y[i] == want[i])
          << "at " << ends[i] << " found " << y[i];
    }
  };
  expect(&VectorProgram::Exp, {kInf, 0, kNaN, kInf, 0});
  expect(&VectorProgram::Sigmoid, {1, 0, kNaN, 1, 0});
  expect(&VectorProgram::Erfc, {0, 2, kNaN, 0, 2});
}

TEST_P(VectorMath, Pow) {
  std::vector<float> x, y;
  for (double base = 1e-3; base < 1e3; base *= 1.013) {
    for (double power = -12; power <= 12; power += 0.0371) {
      x.push_back(base);
      y.push_back(power);
    }
  }
  const std::vector<float> found = ApplyPow(x, y);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::pow(static_cast<double>(x[i]), y[i]);
    if (want < 1.2e-38 || want > 3.4e38) continue;
    worst = std::max(worst, std::fabs(found[i] / want - 1));
  }
  std::printf("pow: relative error %.3g\n", worst);
  EXPECT_LT(worst, 2.5e-7);
}

TEST_P(VectorMath, PowAtItsEnds) {
  std::vector<float> x, y;
  const std::vector<float> odd = {0,    -0.0f, 1,      -1,    2,    -2,    0.5,
                                  -0.5, 3,     1e-30f, 1e30f, kInf, -kInf, kNaN};
  for (const float a : odd) {
    for (const float b : odd) x.push_back(a), y.push_back(b);
  }
  const std::vector<float> found = ApplyPow(x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const float want = std::pow(x[i], y[i]);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(found[i])) << x[i] << "^" << y[i] << " found " << found[i];
    } else if (std::fabs(want) > 1.2e-38 || want == 0) {
      EXPECT_FLOAT_EQ(found[i], want) << x[i] << "^" << y[i];
    }
  }
}

TEST_P(VectorMath, PowWithConstantExponents) {
  const std::vector<float> x = {0, -0.0f, 1, -1, 2.25, -2.25, 1e-30f, 1e30f, kInf, -kInf, kNaN};
  for (const float exponent : {0.5f, -0.5f, 0.0f, 1.0f, -1.0f, 2.0f, -3.0f}) {
    VectorProgram program;
    const Value a = program.Load(ElementType::kF32);
    program.Store(program.Pow(a, program.Constant(exponent)), ElementType::kF32);
    const std::vector<float> found = Run(program, {x.data()}, x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const float want = std::pow(x[i], exponent);
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(found[i])) << x[i] << "^" << exponent << " found " << found[i];
      } else if (std::fabs(want) > 1.2e-38 || want == 0) {
        EXPECT_FLOAT_EQ(found[i], want) << x[i] << "^" << exponent;
        EXPECT_EQ(std::signbit(found[i]), std::signbit(want)) << x[i] << "^" << exponent;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, VectorMath, testing::ValuesIn(AvailableInstructionSets()),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace cotangent::autodiff::codegen
