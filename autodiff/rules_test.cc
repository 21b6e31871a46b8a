// Compares the first and second derivatives of the functions listed in COTANGENT_UNARIES, up to
// both ends of their domains, with those that mpmath computed (testdata/rules.inc): by dual
// numbers, duals of duals and Taylor series, in double and in float, and in double by the tape and
// the tape of duals. Also checks functions of two operands, and that values are those of the plain
// functions, bit for bit.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <sstream>
#include <string>

#include "autodiff/forward/dual.h"
#include "autodiff/forward/taylor.h"
#include "autodiff/math.h"
#include "autodiff/reverse/gradient.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Row {
  const char* name;
  double x;
  double expected[3];  // value, first and second derivative
};
struct BinaryRow {
  const char* name;
  double x, y;
  double expected[3];  // value, derivative by x, by y
};
#include "autodiff/testdata/rules.inc"

// clang-format off
#define COTANGENT_UNARIES(X) \
  X(sqrt) X(cbrt) X(exp) X(exp2) X(expm1) X(log) X(log2) X(log10) X(log1p) X(sin) X(cos) X(tan) \
  X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(asinh) X(acosh) X(atanh) X(erf) X(erfc) \
  X(lgamma) X(tgamma) X(digamma) X(sigmoid) X(softplus) X(softsign) X(gelu) X(gelu_tanh) X(silu)
#define COTANGENT_BINARIES(X) X(pow) X(hypot) X(atan2) X(logsumexp)
// clang-format on

template <class T>
T Call(const std::string& name, const T& x) {
  using namespace functions;
#define COTANGENT_CASE(f) \
  if (name == #f) return T(f(x));
  COTANGENT_UNARIES(COTANGENT_CASE)
#undef COTANGENT_CASE
  ADD_FAILURE() << name;
  return x;
}
template <class T>
T Call(const std::string& name, const T& x, const T& y) {
  using namespace functions;
#define COTANGENT_CASE(f) \
  if (name == #f) return T(f(x, y));
  COTANGENT_BINARIES(COTANGENT_CASE)
#undef COTANGENT_CASE
  ADD_FAILURE() << name;
  return x;
}

// Expects an error of at most `units` times the relative precision of the type R. If `expected` is
// below the smallest normal number, the error is relative to that number. If `expected` is beyond
// the largest number of R (or nearly), `found` must have its sign and be infinite or nearly that
// large.
template <class R>
void ExpectClose(double found, double expected, double units, const std::string& what) {
  using Limits = std::numeric_limits<R>;
  if (std::abs(expected) > Limits::max() * (1 - 1e-6)) {
    EXPECT_TRUE(std::abs(found) > Limits::max() * (1 - 1e-5) &&
                std::signbit(found) == std::signbit(expected))
        << what << ": " << found << ", expected " << expected;
    return;
  }
  const double size = std::max<double>(std::abs(expected), Limits::min());
  EXPECT_NEAR(found, expected, units * Limits::epsilon() * size) << what;
}

constexpr double kUnits = 24;
// The largest error of values, in the units of ExpectClose(). ValuesAreThoseOfThePlainFunctions
// checks values bit for bit against the plain functions; the comparison with mpmath needs a wider
// limit, because gelu, for one, calls erfc, which multiplies the relative rounding error of its
// argument by about twice the square of the argument.
constexpr double kValueUnits = 4096;

template <class R>
void CheckUnary(const Row& row) {
  using D1 = forward::Dual<R, 1>;
  using D2 = forward::Dual<D1, 1>;
  const R x = static_cast<R>(row.x);
  std::ostringstream at_point;
  at_point << row.name << " at " << row.x << (sizeof(R) == 4 ? " (float)" : " (double)") << " by ";
  const std::string what = at_point.str();
  // gelu_tanh(x) is x sigmoid(v) with a cubic v in x (math.h). The exponential in sigmoid
  // multiplies the relative rounding error of v by |v|, which may be 745 before exp(-|v|) is 0 in
  // double.
  const double units = std::string(row.name) == "gelu_tanh" ? 4096 : kUnits;
  const D1 dual = Call(row.name, D1::Variable(x, 0));
  ExpectClose<R>(dual.value, row.expected[0], kValueUnits, what + "value");
  ExpectClose<R>(dual.tangent[0], row.expected[1], units, what + "dual");
  const D2 twice = Call(row.name, forward::VariableOf<D2>(x, 0, 1));
  ExpectClose<R>(twice.tangent[0].value, row.expected[1], units, what + "nested dual");
  ExpectClose<R>(twice.tangent[0].tangent[0], row.expected[2], 4 * units, what + "nested dual");
  using Series = forward::Taylor<R, 2>;
  const Series series = Call(row.name, Series::Variable(x));
  ExpectClose<R>(series[1], row.expected[1], units, what + "series");
  if (std::abs(row.expected[2]) > 4 * std::numeric_limits<R>::min())
    ExpectClose<R>(series.Derivative(2), row.expected[2], 16 * units, what + "series, second");
  if constexpr (sizeof(R) == 8) {
    const auto f = [&](auto at) { return Call(row.name, at[0]); };
    const std::vector<double> at = {row.x};
    ExpectClose<R>(reverse::Gradient(f, at)[0], row.expected[1], units, what + "tape");
    ExpectClose<R>(reverse::Hessian(f, at)[0], row.expected[2], 4 * units, what + "tape, second");
  }
}

TEST(RulesTest, FromOneEndOfTheDomainToTheOtherInDouble) {
  for (const Row& row : kDoubles) CheckUnary<double>(row);
}

TEST(RulesTest, FromOneEndOfTheDomainToTheOtherInFloat) {
  for (const Row& row : kFloats) CheckUnary<float>(row);
}

TEST(RulesTest, OfTwoOperands) {
  using D = forward::Dual<double, 2>;
  for (const BinaryRow& row : kBinaries) {
    const std::string what = std::string(row.name) + " at " + std::to_string(row.x) + ", " +
                             std::to_string(row.y) + " by ";
    const double units =
        std::string(row.name) == "pow" ? 4096 : kUnits;  // ln x amplifies rounding errors
    const D dual = Call(row.name, D::Variable(row.x, 0), D::Variable(row.y, 1));
    const auto f = [&](auto at) { return Call(row.name, at[0], at[1]); };
    const std::vector<double> gradient = reverse::Gradient(f, std::vector{row.x, row.y});
    using Series = forward::Taylor<double, 1>;
    const Series by_x = Call(row.name, Series::Variable(row.x), Series(row.y));
    const Series by_y = Call(row.name, Series(row.x), Series::Variable(row.y));
    ExpectClose<double>(dual.value, row.expected[0], units, what + "value");
    for (int i = 0; i < 2; ++i) {
      ExpectClose<double>(dual.tangent[i], row.expected[1 + i], units, what + "dual");
      ExpectClose<double>(gradient[i], row.expected[1 + i], units, what + "tape");
      ExpectClose<double>(i == 0 ? by_x[1] : by_y[1], row.expected[1 + i], units, what + "series");
    }
  }
}

// logsumexp of two numbers and of a span: equal infinities share the derivative, as any other equal
// numbers do.
TEST(RulesTest, LogSumExpOfInfinities) {
  using namespace functions;
  const auto two = [](auto x) { return logsumexp(x[0], x[1]); };
  const auto many = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    return S(logsumexp(std::span<const S>(x.data(), x.size())));
  };
  const struct {
    double x, y, value, by_x, by_y;
  } cases[] = {{-kInf, -kInf, -kInf, 0.5, 0.5},
               {kInf, kInf, kInf, 0.5, 0.5},
               {kInf, 1, kInf, 1, 0},
               {-kInf, 1, 1, 0, 1},
               {-kInf, kInf, kInf, 0, 1}};
  const auto check = [&](const auto& f, const char* name) {
    using D = forward::Dual<double, 2>;
    using D2 = forward::Dual<D, 2>;
    using Series = forward::Taylor<double, 1>;
    for (const auto& c : cases) {
      SCOPED_TRACE(testing::Message() << name << " of " << c.x << ", " << c.y);
      const std::vector<D> duals = {D::Variable(c.x, 0), D::Variable(c.y, 1)};
      const D dual = f(std::span<const D>(duals));
      EXPECT_EQ(dual.value, c.value);
      EXPECT_EQ(dual.tangent[0], c.by_x);
      EXPECT_EQ(dual.tangent[1], c.by_y);
      const std::vector<D2> nested = {forward::VariableOf<D2>(c.x, 0, 2),
                                      forward::VariableOf<D2>(c.y, 1, 2)};
      EXPECT_EQ(f(std::span<const D2>(nested)).tangent[1].value, c.by_y);
      const std::vector<Series> series = {Series::Variable(c.x), Series(c.y)};
      EXPECT_EQ(f(std::span<const Series>(series))[1], c.by_x);
      const std::vector<double> gradient = reverse::Gradient(f, std::vector{c.x, c.y});
      EXPECT_EQ(gradient[0], c.by_x);
      EXPECT_EQ(gradient[1], c.by_y);
    }
  };
  check(two, "two");
  check(many, "many");
}

// A program takes the same branches as with plain numbers only if values are equal to the last bit.
TEST(RulesTest, ValuesAreThoseOfThePlainFunctions) {
  using namespace functions;
  using D1 = forward::Dual<double, 1>;
  using D2 = forward::Dual<D1, 2>;
  using Series = forward::Taylor<double, 3>;
  const auto same = [](double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
           (std::isnan(a) && std::isnan(b));
  };
  std::mt19937_64 random(1);
  std::vector<double> points = {0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 8.0, 1000.0};
  for (int i = 0; i < 3000; ++i) {
    const double size = std::ldexp(1.0, static_cast<int>(random() % 40) - 30);
    points.push_back(size * (static_cast<double>(random() >> 11) * 0x1p-52 - 1));
  }
  for (int i = 1; i <= 2000; ++i) points.push_back(i);
  reverse::Tape tape;
  reverse::Tape::Scope recording(tape);
  std::map<std::string, int> differ;
  const auto compare = [&](const char* name, const auto& f, double u, double v) {
    const double plain = f(u, v);
    tape.Clear();
    const reverse::Var a = tape.Input(u), b = tape.Input(v);
    differ[name] += !same(value_of(f(D1::Variable(u, 0), D1::Variable(v, 0))), plain);
    differ[name] += !same(value_of(f(forward::VariableOf<D2>(u, 0, 2), D2(v))), plain);
    differ[name] += !same(value_of(f(Series::Variable(u), Series(v))), plain);
    differ[name] += !same(value_of(f(a, b)), plain);
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double u = points[i], v = points[(7 * i + 3) % points.size()];
#define COTANGENT_COMPARE(expression) \
  compare(                            \
      #expression, [](const auto& x, const auto& y) { return (void)y, expression; }, u, v);
#define COTANGENT_COMPARE_UNARY(f) COTANGENT_COMPARE(f(x))
    COTANGENT_UNARIES(COTANGENT_COMPARE_UNARY)
    COTANGENT_COMPARE(pow(x, y))
    COTANGENT_COMPARE(pow(x, 3))
    COTANGENT_COMPARE(pow(x, 2.5))
    COTANGENT_COMPARE(pow(2.5, x))
    COTANGENT_COMPARE(hypot(x, y))
    COTANGENT_COMPARE(hypot(x, y, x))
    COTANGENT_COMPARE(atan2(x, y))
    COTANGENT_COMPARE(logsumexp(x, y))
    COTANGENT_COMPARE(fma(x, y, x))
    COTANGENT_COMPARE(lerp(x, y, 0.3))
    COTANGENT_COMPARE(fmod(x, y))
    COTANGENT_COMPARE(remainder(x, y))
    COTANGENT_COMPARE(copysign(x, y))
    COTANGENT_COMPARE(nextafter(x, y))
    COTANGENT_COMPARE(max(x, y))
    COTANGENT_COMPARE(min(x, y))
    COTANGENT_COMPARE(fdim(x, y))
    COTANGENT_COMPARE(abs(x))
    COTANGENT_COMPARE(sqr(x))
    COTANGENT_COMPARE(sign(x))
    COTANGENT_COMPARE(relu(x))
    COTANGENT_COMPARE(leaky_relu(x, 0.1))
    COTANGENT_COMPARE(elu(x, 1.3))
    COTANGENT_COMPARE(hard_swish(x))
    COTANGENT_COMPARE(ldexp(x, 3))
    COTANGENT_COMPARE(floor(x))
    COTANGENT_COMPARE(logb(x))
    COTANGENT_COMPARE(x / y)
    COTANGENT_COMPARE(1.0 / x)
    COTANGENT_COMPARE(x / 3.0)
#undef COTANGENT_COMPARE_UNARY
#undef COTANGENT_COMPARE
  }
  for (const auto& [name, count] : differ) EXPECT_EQ(count, 0) << name;
}

}  // namespace
}  // namespace cotangent::autodiff
