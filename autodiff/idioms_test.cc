// Compiles and runs, with each scalar of this library, what programs do with plain numbers and with
// the scalars of other libraries. Also checks names: argument-dependent lookup finds those of the
// standard library, and no others that programs may use themselves.

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <sstream>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/forward/taylor.h"
#include "autodiff/math.h"
#include "autodiff/probe.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/reverse/program.h"
#include "autodiff/symbolic_scalar.h"
#include "gtest/gtest.h"

// Stands for a program that does not know this library's names, and has functions of the same
// names.
namespace theirs {

template <class T>
T sigmoid(const T& x) {
  using std::exp;
  return T(1.0) / (T(1.0) + exp(-x));
}
template <class T>
T softplus(T x) {
  using std::exp;
  using std::log;
  return log(T(1.0) + exp(x));
}
template <class T>
T relu(T x) {
  return x > T(0) ? x : T(0);
}
template <class T>
T logsumexp(const T& a, const T& b) {
  using std::exp;
  using std::log;
  return log(exp(a) + exp(b));
}
template <class T>
T sqr(const T& x) {
  return x * x;
}
template <class T>
T sign(const T& x) {
  return x < T(0) ? T(-1) : T(1);
}
template <class T>
T gelu(const T& x) {
  return x * sigmoid(T(T(1.702) * x));  // a T even if x's type makes x * x an expression
}
template <class T>
T ValueOf(const T& x) {
  return x;
}
template <class T>
T Chain(const T& x, const T& y) {
  return x + y;
}
template <class F, class X>
auto Gradient(const F& f, const X& x) {
  return f(x);
}
template <class T>
T Lift(const T& x) {
  return x;
}

template <class T>
T Names(const T& x, const T& y) {
  const std::vector<T> both = {x, y};
  const T all = sigmoid(x) + softplus(y) + relu(x) + logsumexp(x, y) + sqr(x) + sign(y) + gelu(x);
  return all + ValueOf(x) + Chain(x, y) + Lift(y) +
         Gradient([](const std::vector<T>& v) { return v[0] * v[1]; }, both);
}

template <class T>
T Idioms(const T& x, const T& y) {
  using std::abs, std::cos, std::exp, std::log, std::pow, std::sin, std::sqrt;
  using std::frexp, std::modf, std::nextafter, std::logb, std::ilogb, std::ldexp, std::scalbn;
  using std::isfinite, std::isinf, std::isnan, std::isnormal, std::signbit, std::fpclassify;
  using std::isgreater, std::isgreaterequal, std::isless, std::islessequal, std::islessgreater;
  using std::isunordered, std::lround, std::llround, std::lrint, std::llrint;
  using std::max, std::min, std::swap, std::clamp, std::lerp, std::hypot, std::fma;
  T a = 0.0, b = T(0), c(1), d{};
  d = 2;
  a += x;
  a -= 1;
  a *= 2.0;
  a /= d;
  b = a;
  b = b * b;
  ++b;
  b++;
  --b;
  b--;
  swap(a, b);
  std::vector<T> v(3, x);
  v.push_back(y);
  v[0] = 0.5;
  std::sort(v.begin(), v.end(), [](const T& p, const T& q) { return p < q; });
  const T total = std::accumulate(v.begin(), v.end(), T(0));
  std::map<int, T> named;
  named[1] = x;
  const std::pair<T, int> pair(y, 1);
  T array[2] = {x, y};
  const T largest = max(x, y) + max(x, T(1)) + min(y, T(2)) + (std::max)(x, y);
  const T powers = pow(x, 2) + pow(x, 2.0) + pow(x, T(2)) + pow(x, -1) + pow(2.0, x) + pow(x, y);
  const T positive = x > 0 && x >= y && x != y && !(x == y) ? T(sqrt(x)) : T(-x);
  const double step = (x > 0) * 2.0 - (y < 0);  // comparisons used as numbers
  const int steps = int(x > y) + int(0 < x) + int(x <= 1.0);
  T cosine = cos(x), sine = sin(T(x + 1)), absolute = abs(-x), unary = +x;
  T between = clamp(x, 0.0, 1.0) + lerp(x, y, 0.5) + clamp(x, T(0), T(1));
  T length = hypot(x, y) + hypot(x, 1.0) + hypot(x, y, 1.0) + fma(x, y, 2.0);
  int exponent = 0;
  T whole;
  const T mantissa = frexp(x, &exponent);
  const T fraction = modf(x, &whole);
  const T neighbour = nextafter(x, y) + logb(x) + ldexp(x, 2) + scalbn(x, 1);
  const auto whole_numbers = lround(x) * 2 + llround(T(y * 9)) + lrint(x) + llrint(T(-y));
  const int ordered = isgreater(x, y) + 2 * isgreaterequal(y, 1.0) + 4 * isless(0.5, x) +
                      8 * islessequal(x, y) + 16 * islessgreater(x, x) + 32 * isunordered(x, y);
  const bool normal = isnormal(x) && isfinite(x) && !isnan(x) && !isinf(x) && !signbit(x) &&
                      fpclassify(x) == FP_NORMAL && ilogb(x) >= -10;
  std::ostringstream out;
  out << x << ' ' << x * y << ' ' << T(x + y) << ' ' << -x;
  const T limits = x < std::numeric_limits<T>::max() ? x : y;
  return a + b + c + static_cast<double>(whole_numbers + ordered) + total + named[1] + pair.first +
         array[0] + largest + powers + positive + step + steps + cosine + sine + absolute + unary +
         between + length + mantissa + exponent + whole + fraction + neighbour + (normal ? 1 : 0) +
         limits + log(exp(x)) + static_cast<double>(out.str().size() > 3);
}

// Approximates the integral of t^2 from x to y by the midpoint rule, and adds the square root of y
// by Newton's method with a derivative written by hand. The code uses loops, an early return and
// const&.
template <class T>
T Loops(const T& x, const T& y) {
  using std::abs;
  T sum(0);
  for (int i = 0; i < 4; ++i) {
    const T t = x + (y - x) * (i + 0.5) / 4.0;
    sum += t * t;
    if (sum > 1e6) return sum;
  }
  T root = x;
  for (int i = 0; i < 20 && abs(root * root - y) > 1e-14; ++i)
    root -= (root * root - y) / (2 * root);
  return sum * (y - x) / 4 + root;
}

// Idioms that need operators to return the scalar's own type. reverse::Program does not support
// them, since the operators of its variables return expressions.
template <class T>
T Same(const T& x, const T& y) {
  using std::cos, std::exp, std::max, std::sin;
  T sum = x > y ? x * y : x + y;
  sum += x < y ? x * y : x;
  sum += x > y ? -x : x + y * x;
  sum += x > 0 ? x * y : T(0);
  auto r = x * y;
  r += x;
  auto s = r;
  s *= r;
  s -= 2 * y;
  T moving = x;
  auto before = moving * y;
  moving += y;
  moving *= 2;
  sum += before * moving + s;
  const auto branches = [](const T& a, const T& b) {
    if (a > b) return a * b;
    if (a > 2 * b) return a;
    return a + b;
  };
  sum += branches(x, y) + branches(y, x) * branches(y + x, x * y);
  static_assert(std::is_same_v<std::common_type_t<decltype(x * y), decltype(x + y), T>, T>);
  sum += std::max(x * y, x + y) + std::min(x * y, y - x) + std::max(-x, sin(x)) + max(x, x * y);
  sum += std::clamp(x * y, y - x, x + y);
  const auto square = [](const auto& v) { return v * v; };
  sum += square(x * y) + square(square(x - y)) + sqr(x + y) + sigmoid(x - y) + logsumexp(x, x * y);
  const std::vector terms = {x * y, x + y, -x, exp(y)};
  sum += std::accumulate(terms.begin(), terms.end(), T(0));
  sum += std::accumulate(terms.begin(), terms.end(), T(1),
                         [](const auto& a, const auto& b) { return a * b; });
  sum += std::inner_product(terms.begin(), terms.end(), terms.begin(), T(0));
  const std::array pair = {x / y, cos(x)};
  const auto [ratio, cosine] = std::pair(x / y, cos(x) * y);
  auto&& named = x * y;
  sum = sum + named * named + pair[0] * pair[1] + ratio * cosine;
  sum = sum * x + sum;
  sum = x - sum;
  T first = x * y, second = first + y;
  std::swap(first, second);
  first = first + second * x;
  second = std::move(first) * y;
  first = second + (second - x) * (x * second);
  const std::function<T(T)> twice = [](T v) { return v + v; };
  T power = 1;
  for (int i = 0; i < 30; ++i) power = std::move(power) * (x + 0.01 * i) / 1.5;
  while (x * first > 1e3 * (x + y)) first = first / 2;
  return sum + first + twice(x * y) + power + (x * y < x ? x * x * x : y * y);
}

}  // namespace theirs

namespace cotangent::autodiff {
namespace {

constexpr double kX = 1.75, kY = 0.625;

#define COTANGENT_EACH_FUNCTION(X) X(theirs::Names) X(theirs::Idioms) X(theirs::Loops)

TEST(IdiomsTest, WithEveryScalar) {
  using D1 = forward::Dual<double, 1>;
  using D2 = forward::Dual<D1, 2>;
  using Dynamic = forward::DynamicDual<>;
  using DFloat = forward::Dual<float, 3>;
  using Series = forward::Taylor<double, 3>;
  using reverse::Var;
  reverse::Tape tape;
  reverse::Tape::Scope recording(tape);
  const Var x = tape.Input(kX), y = tape.Input(kY);
  Findings findings;
  SymbolicTrace trace;
#define COTANGENT_CHECK(f)                                                                  \
  {                                                                                         \
    using functions::value_of;                                                              \
    const double plain = f(kX, kY);                                                         \
    const D1 dual = f(D1::Variable(kX, 0), D1(kY));                                         \
    EXPECT_EQ(value_of(dual), plain);                                                       \
    EXPECT_EQ(value_of(f(D2(kX), D2(kY))), plain);                                          \
    EXPECT_EQ(value_of(f(Dynamic::Variable(kX, 0, 2), Dynamic(kY))), plain);                \
    EXPECT_NEAR(value_of(f(DFloat(kX), DFloat(kY))), plain, 1e-4);                          \
    EXPECT_EQ(value_of(f(Series::Variable(kX), Series(kY))), plain);                        \
    EXPECT_NEAR(f(Series::Variable(kX), Series(kY))[1], dual.tangent[0], 1e-9);             \
    const Var recorded = f(x, y);                                                           \
    EXPECT_EQ(value_of(recorded), plain);                                                   \
    tape.Backward(recorded);                                                                \
    EXPECT_NEAR(tape.Adjoint(x), dual.tangent[0], 1e-9);                                    \
    EXPECT_EQ(value_of(f(Probe::Input(kX, 0, &findings), Probe(kY))), plain);               \
    const SymbolicScalar traced(kX, trace.pool.Variable("x"), &trace);                      \
    EXPECT_EQ(value_of(f(traced, SymbolicScalar(kY))), plain);                              \
    reverse::Program program([](auto at) { return f(at[0], at[1]); }, std::vector{kX, kY}); \
    double value, gradient[2];                                                              \
    program.Gradients(std::vector{kX, kY}, std::span(&value, 1), gradient);                 \
    EXPECT_NEAR(value, plain, 1e-12);                                                       \
    EXPECT_NEAR(gradient[0], dual.tangent[0], 1e-9);                                        \
  }
  COTANGENT_EACH_FUNCTION(COTANGENT_CHECK)
#undef COTANGENT_CHECK
}

TEST(IdiomsTest, ResultsOfOperatorsAreOfTheScalarsType) {
  using D = forward::Dual<double, 2>;
  for (const auto& [a, b] : std::vector<std::pair<double, double>>{
           {kX, kY}, {kY, kX}, {0.5, 0.25}, {2.5, 0.3}, {3.0, 7.0}}) {
    const D dual = theirs::Same(D::Variable(a, 0), D::Variable(b, 1));
    EXPECT_EQ(dual.value, theirs::Same(a, b));
    const auto f = [](auto at) { return theirs::Same(at[0], at[1]); };
    const std::vector<double> at = {a, b};
    std::vector<double> gradient;
    EXPECT_EQ(reverse::ValueAndGradient(f, at, gradient), dual.value);
    const std::vector<double> hessian = reverse::Hessian(f, at), forward = forward::Hessian(f, at);
    for (int i = 0; i < 2; ++i) {
      EXPECT_NEAR(gradient[i], dual.tangent[i], 1e-12 * (1 + std::abs(dual.tangent[i])));
    }
    for (int i = 0; i < 4; ++i)
      EXPECT_NEAR(hessian[i], forward[i], 1e-11 * (1 + std::abs(forward[i])));
    Findings findings;
    EXPECT_EQ(functions::value_of(
                  theirs::Same(Probe::Input(a, 0, &findings), Probe::Input(b, 1, &findings))),
              dual.value);
  }
}

TEST(IdiomsTest, ValueOfIsSharedByPlainNumbersAndScalars) {
  using namespace functions;
  EXPECT_EQ(value_of(2.5), 2.5);
  EXPECT_EQ(value_of(forward::Dual<forward::Dual<double, 1>, 1>(2.5)), 2.5);
  static_assert(std::is_same_v<decltype(value_of(forward::Dual<double, 1>(2.5))), double>);
  reverse::Tape tape;
  reverse::Tape::Scope recording(tape);
  const reverse::Var x = tape.Input(2.5);
  EXPECT_EQ(value_of(x), 2.5);
  EXPECT_EQ(value_of(x * x), 6.25);
}

}  // namespace
}  // namespace cotangent::autodiff
