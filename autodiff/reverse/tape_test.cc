#include "autodiff/reverse/tape.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "autodiff/forward/gradient.h"
#include "autodiff/math.h"
#include "autodiff/reverse/benchmark_functions.h"
#include "autodiff/reverse/gradient.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {
std::atomic<long> allocations{0};
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace cotangent::autodiff {
namespace {

using namespace reverse;

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Records f at x on a tape and computes its derivatives by a backward sweep. Returns the value,
// then the derivatives.
template <class F, class... X>
std::vector<double> Differentiate(F f, X... x) {
  Tape tape;
  Tape::Scope recording(tape);
  const Var inputs[] = {tape.Input(x)...};
  const Var y = std::apply([&](auto... i) { return Var(f(inputs[i]...)); },
                           [&]<int... I>(std::integer_sequence<int, I...>) {
                             return std::make_tuple(I...);
                           }(std::make_integer_sequence<int, sizeof...(X)>()));
  tape.Backward(y);
  std::vector<double> result{y.Value()};
  for (const Var& input : inputs) result.push_back(tape.Adjoint(input));
  return result;
}

TEST(TapeTest, TheExampleOfTheHeader) {
  Tape tape;
  Tape::Scope recording(tape);
  Var x1 = tape.Input(2.0), x2 = tape.Input(3.0);
  Var y = x1 * x2 + sin(x1);
  EXPECT_EQ(tape.rows(), 1u);
  tape.Backward(y);
  EXPECT_DOUBLE_EQ(y.Value(), 6 + std::sin(2));
  EXPECT_DOUBLE_EQ(tape.Adjoint(x1), 3 + std::cos(2));
  EXPECT_DOUBLE_EQ(tape.Adjoint(x2), 2);
}

TEST(TapeTest, Arithmetic) {
  EXPECT_THAT(Differentiate([](Var x, Var y) { return x + y; }, 3, 4), ElementsAre(7, 1, 1));
  EXPECT_THAT(Differentiate([](Var x, Var y) { return x - y; }, 3, 4), ElementsAre(-1, 1, -1));
  EXPECT_THAT(Differentiate([](Var x, Var y) { return x * y; }, 3, 4), ElementsAre(12, 4, 3));
  EXPECT_THAT(Differentiate([](Var x, Var y) { return x / y; }, 3, 4),
              ElementsAre(0.75, 0.25, -3.0 / 16));
  EXPECT_THAT(Differentiate([](Var x) { return -x; }, 3), ElementsAre(-3, -1));
  EXPECT_THAT(Differentiate([](Var x) { return +x; }, 3), ElementsAre(3, 1));
  EXPECT_THAT(Differentiate([](Var x) { return 2 + x * 3 - 1; }, 3), ElementsAre(10, 3));
  EXPECT_THAT(Differentiate([](Var x) { return 12 / x; }, 3), ElementsAre(4, -12.0 / 9));
  EXPECT_THAT(Differentiate([](Var x) { return x * x * x; }, 3), ElementsAre(27, 27));
  EXPECT_THAT(Differentiate([](Var) { return Var(5); }, 3), ElementsAre(5, 0));
}

TEST(TapeTest, CompoundAssignment) {
  EXPECT_THAT(Differentiate(
                  [](Var x, Var y) {
                    x += y;
                    x += 1;
                    return x;
                  },
                  3, 4),
              ElementsAre(8, 1, 1));
  EXPECT_THAT(Differentiate(
                  [](Var x, Var y) {
                    x -= y * y;
                    return x;
                  },
                  3, 4),
              ElementsAre(-13, 1, -8));
  EXPECT_THAT(Differentiate(
                  [](Var x, Var y) {
                    x *= y;
                    x *= 2;
                    return x;
                  },
                  3, 4),
              ElementsAre(24, 8, 6));
  EXPECT_THAT(Differentiate(
                  [](Var x, Var y) {
                    x /= y;
                    return x;
                  },
                  3, 4),
              ElementsAre(0.75, 0.25, -3.0 / 16));
  EXPECT_THAT(Differentiate(
                  [](Var x) {
                    x += x;
                    x += x * x;
                    return x;
                  },
                  3),
              ElementsAre(42, 26));  // 2x + 4x^2
  EXPECT_THAT(Differentiate(
                  [](Var x) {
                    x -= x;
                    return x;
                  },
                  3),
              ElementsAre(0, 0));
}

// += gives the sum the slot of the old value (the place of its adjoint on the tape). These cases
// would go wrong if the slot were shared while another variable needs the old value.
TEST(TapeTest, SumsShareASlotOnlyWhileNothingElseHoldsIt) {
  const auto copied_before = [](Var x, Var y) {
    Var sum = x * y;
    Var old = sum;  // x y
    sum += y;       // x y + y
    return Var(old * sum);
  };
  EXPECT_THAT(Differentiate(copied_before, 3, 4),
              ElementsAre(192, 4 * 16 + 12 * 4, 3 * 16 + 12 * 4));
  const auto copy_grows = [](Var x, Var y) {
    Var sum = x * y;
    Var other = sum;
    other += y;
    return Var(other * sum);
  };
  EXPECT_THAT(Differentiate(copy_grows, 3, 4), ElementsAre(192, 4 * 16 + 12 * 4, 3 * 16 + 12 * 4));
  const auto used_between = [](Var x, Var y) {
    Var sum = x * x;
    Var a = sum * y;  // uses the old sum: x^2 y
    sum += y;
    Var b = sum * y;  // (x^2 + y) y
    sum += a;
    return Var(sum + b);  // x^2 + y + x^2 y + x^2 y + y^2
  };
  EXPECT_THAT(Differentiate(used_between, 3, 4), ElementsAre(101, 6 + 48, 1 + 18 + 8));
  const auto mentions_itself = [](Var x, Var y) {
    Var s = x * 1.0;
    s += y;
    s += s * y;
    s += x;
    s = s + s * s;
    return s;
  };
  // The last assignment to s computes t + t^2, where t = (x + y)(1 + y) + x.
  const double t = 7 * 5 + 3;
  EXPECT_THAT(Differentiate(mentions_itself, 3, 4),
              ElementsAre(t + t * t, 6 * (1 + 2 * t), (5 + 7) * (1 + 2 * t)));
  const auto moved = [](Var x, Var y) {
    std::vector<Var> v{x * y, y * y};
    v[0] += x;
    std::swap(v[0], v[1]);
    v[0] += v[1];
    v[1] += v[0];
    return v[1];  // 2 (x y + x) + y^2
  };
  EXPECT_THAT(Differentiate(moved, 3, 4), ElementsAre(46, 10, 14));
  const auto overwritten = [](Var x, Var y) {
    Var s = x * y;
    s += x;
    s = y * 2;
    s += x;
    return s;
  };
  EXPECT_THAT(Differentiate(overwritten, 3, 4), ElementsAre(11, 1, 2));
}

TEST(TapeTest, ADotProductIsOneRow) {
  Tape tape;
  Tape::Scope recording(tape);
  std::vector<Var> a, b;
  for (int i = 0; i < 100; ++i) a.push_back(tape.Input(i)), b.push_back(tape.Input(1));
  Var sum = 0;
  for (int i = 0; i < 100; ++i) sum += a[i] * b[i];
  EXPECT_EQ(tape.rows(), 1u);
  EXPECT_EQ(tape.pairs(), 200u);
  tape.Backward(sum);
  EXPECT_EQ(tape.Adjoint(b[7]), 7);
  EXPECT_EQ(tape.Adjoint(a[7]), 1);
}

// ---- Every function, compared with dual numbers and central differences ----

struct Function {
  std::string name;
  std::function<double(double)> plain;
  std::function<Var(const Var&)> recorded;
  std::function<forward::Dual<double, 1>(const forward::Dual<double, 1>&)> dual;
  std::vector<double> at = {-2.3, -0.4, 0.7, 1.9, 5.1};
};

#define FUNCTION(name, ...)                                                                                  \
  Function {                                                                                                 \
#name, [](double x) { using namespace functions; return double(name(x)); },                                \
        [](const Var& x) { using namespace functions; return Var(name(x)); },                                  \
        [](const forward::Dual<double, 1>& x) { using namespace functions; return forward::Dual<double, 1>(name(x)); } \
        __VA_OPT__(, ) __VA_ARGS__ \
  }

std::vector<Function> Functions() {
  return {
      FUNCTION(abs),
      FUNCTION(fabs),
      FUNCTION(sqrt, {0.3, 4.0}),
      FUNCTION(cbrt),
      FUNCTION(exp),
      FUNCTION(exp2),
      FUNCTION(expm1),
      FUNCTION(log, {0.3, 4.0}),
      FUNCTION(log2, {0.3, 4.0}),
      FUNCTION(log10, {0.3, 4.0}),
      FUNCTION(log1p, {-0.5, 4.0}),
      FUNCTION(sin),
      FUNCTION(cos),
      FUNCTION(tan),
      FUNCTION(asin, {-0.4, 0.7}),
      FUNCTION(acos, {-0.4, 0.7}),
      FUNCTION(atan),
      FUNCTION(sinh),
      FUNCTION(cosh),
      FUNCTION(tanh),
      FUNCTION(asinh),
      FUNCTION(acosh, {1.2, 4.0}),
      FUNCTION(atanh, {-0.4, 0.7}),
      FUNCTION(erf),
      FUNCTION(erfc),
      FUNCTION(lgamma, {0.3, 4.2}),
      FUNCTION(tgamma, {0.3, 4.2}),
      FUNCTION(digamma, {0.3, 4.2}),
      FUNCTION(floor),
      FUNCTION(ceil),
      FUNCTION(trunc),
      FUNCTION(round),
      FUNCTION(rint),
      FUNCTION(nearbyint),
      FUNCTION(sqr),
      FUNCTION(sign),
      FUNCTION(sigmoid),
      FUNCTION(softplus),
      FUNCTION(softsign),
      FUNCTION(relu),
      FUNCTION(gelu),
      FUNCTION(gelu_tanh),
      FUNCTION(silu),
      FUNCTION(hard_swish),
      FUNCTION(elu),
  };
}

TEST(TapeTest, EveryFunctionAgreesWithDualNumbersAndDifferences) {
  for (const Function& f : Functions()) {
    for (const double x : f.at) {
      SCOPED_TRACE(f.name + " at " + std::to_string(x));
      const std::vector<double> reverse =
          Differentiate([&](const Var& v) { return f.recorded(v); }, x);
      const auto dual = f.dual(forward::Dual<double, 1>::Variable(x, 0));
      EXPECT_EQ(reverse[0], f.plain(x));
      if (f.name == "sin" || f.name == "cos") {  // their derivatives come from sin_cos.h
        EXPECT_DOUBLE_EQ(reverse[1], dual.tangent[0]);
      } else {
        EXPECT_EQ(reverse[1], dual.tangent[0]);
      }
      const double h = 1e-5;
      const double difference = (f.plain(x + h) - f.plain(x - h)) / (2 * h);
      EXPECT_NEAR(reverse[1], difference, 1e-6 * (1 + std::abs(difference)));
    }
  }
}

#define EXPECT_LIKE_DUAL(call, x0, y0)                                                           \
  do {                                                                                           \
    using namespace functions;                                                                   \
    const auto f = [](const auto& x, const auto& y) { return std::decay_t<decltype(x)>(call); }; \
    using D = forward::Dual<double, 2>;                                                          \
    const D dual = f(D::Variable(x0, 0), D::Variable(y0, 1));                                    \
    EXPECT_THAT(Differentiate([&](const Var& x, const Var& y) { return f(x, y); }, x0, y0),      \
                ElementsAre(dual.value, dual.tangent[0], dual.tangent[1]))                       \
        << #call;                                                                                \
  } while (false)

TEST(TapeTest, FunctionsOfTwoVariables) {
  EXPECT_LIKE_DUAL(pow(x, y), 2.5, 1.5);
  EXPECT_LIKE_DUAL(pow(x, 3) + pow(2.0, y), 2.5, 1.5);
  EXPECT_LIKE_DUAL(hypot(x, y), 3.0, 4.0);
  EXPECT_LIKE_DUAL(hypot(x, y), 0.0, 0.0);
  EXPECT_LIKE_DUAL(atan2(x, y), 3.0, 4.0);
  EXPECT_LIKE_DUAL(max(x, y), 3.0, 4.0);
  EXPECT_LIKE_DUAL(max(x, y), 4.0, 4.0);
  EXPECT_LIKE_DUAL(min(x, y), 4.0, 4.0);
  EXPECT_LIKE_DUAL(max(x, 0.0) * min(y, 3.0), 3.0, 4.0);
  EXPECT_LIKE_DUAL(fmax(x, y), 3.0, 4.0);
  EXPECT_LIKE_DUAL(fmin(x, y), 3.0, 4.0);
  EXPECT_LIKE_DUAL(fdim(x, y), 4.0, 3.0);
  EXPECT_LIKE_DUAL(fmod(x, y), 7.5, 2.0);
  EXPECT_LIKE_DUAL(remainder(x, y), 7.5, 2.0);
  EXPECT_LIKE_DUAL(copysign(x, y), 7.5, -2.0);
  EXPECT_LIKE_DUAL(logsumexp(x, y), 7.5, 7.0);
  EXPECT_LIKE_DUAL(leaky_relu(x, 0.1) + elu(y, 2.0), -7.5, -2.0);
  EXPECT_LIKE_DUAL(polygamma(2, x) * y, 2.5, 2.0);
  EXPECT_LIKE_DUAL(fma(x, y, x), 2.5, 2.0);
}

TEST(TapeTest, KinksAndEdgesAsForDualNumbers) {
  using namespace functions;
  EXPECT_THAT(Differentiate([](Var x) { return Var(abs(x)); }, 0), ElementsAre(0, 0));
  EXPECT_THAT(Differentiate([](Var x) { return Var(relu(x)); }, 0), ElementsAre(0, 0));
  EXPECT_THAT(Differentiate([](Var x) { return Var(sqrt(x)); }, 0), ElementsAre(0, INFINITY));
  EXPECT_THAT(Differentiate([](Var x) { return Var(log(x)); }, 0),
              ElementsAre(-INFINITY, INFINITY));
  EXPECT_TRUE(std::isnan(Differentiate([](Var x) { return Var(log(x)); }, -1)[1]));
  EXPECT_THAT(Differentiate([](Var x) { return Var(0 * sqrt(x) + x); }, 1), ElementsAre(1, 1));
}

TEST(TapeTest, BranchesByValue) {
  const auto f = [](Var x, Var y) { return x > y || x * 2 >= 100 ? Var(x * x) : Var(y * y); };
  EXPECT_THAT(Differentiate(f, 3, 4), ElementsAre(16, 0, 8));
  EXPECT_THAT(Differentiate(f, 5, 4), ElementsAre(25, 10, 0));
  EXPECT_THAT(Differentiate([](Var x) { return clamp(x, -1.0, 1.0) * 2; }, 0.5), ElementsAre(1, 2));
  EXPECT_THAT(Differentiate([](Var x) { return clamp(x, -1.0, 1.0) * 2; }, 3), ElementsAre(2, 0));
  EXPECT_TRUE(isnan(Var(NAN)));
  EXPECT_EQ(std::numeric_limits<Var>::max(), std::numeric_limits<double>::max());
}

// ---- Random programs of assignments and compound assignments to a few variables ----

template <class T>
T RandomProgram(std::uint64_t seed, std::span<const T> inputs) {
  using namespace functions;
  std::mt19937_64 random(seed);
  constexpr int kSteps = 40;
  std::vector<T> v(inputs.begin(), inputs.end());
  v.reserve(inputs.size() + kSteps);
  for (int step = 0; step < kSteps; ++step) {
    T& y = v[random() % v.size()];
    const T& a = v[random() % v.size()];
    const T& b = v[random() % v.size()];
    switch (random() % 12) {
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
        y *= cos(b);
        break;
      case 4:
        y = a / (2 + b * b);
        break;
      case 5:
        y += y * a * 0.1;
        break;
      case 6:
        v.push_back(tanh(a + b));
        break;
      case 7:
        y = a;
        break;
      case 8:
        y = y + a * sigmoid(b);
        break;
      case 9:
        std::swap(v[random() % v.size()], v[random() % v.size()]);
        break;
      case 10:
        y = a > b ? T(exp(-a * a)) : T(b * 0.3);
        break;
      case 11:
        y = 0.7;
        break;
    }
    y = tanh(y);
    y += 0.1 * b;
  }
  T sum = 0;
  for (const T& x : v) sum += x * x;
  return sum;
}

TEST(TapeTest, RandomProgramsAgreeWithDualNumbers) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::vector<double> x = benchmark::Noise(4, seed);
    const auto f = [&]<class T>(std::span<const T> inputs) {
      return RandomProgram<T>(seed, inputs);
    };
    const std::vector<double> gradient = Gradient(f, x);
    using D = forward::Dual<double, 4>;
    std::vector<D> duals;
    for (int i = 0; i < 4; ++i) duals.push_back(D::Variable(x[i], i));
    const D dual = RandomProgram<D>(seed, std::span<const D>(duals));
    for (int i = 0; i < 4; ++i) {
      ASSERT_NEAR(gradient[i], dual.tangent[i], 1e-12 * (1 + std::abs(gradient[i])));
    }
  }
}

// ---- A tape's memory, marks, scopes and threads ----

TEST(TapeTest, ATapeUsedAgainAllocatesNothing) {
  Tape tape;
  const auto loop = [&](int steps) {
    Tape::Scope recording(tape);
    tape.Clear();
    const Var x = tape.Input(1.0);
    Var y = x * 1.0;
    for (int i = 0; i < steps; ++i) y = sin(y) * x + 0.3 * y;
    tape.Backward(y);
    return tape.Adjoint(x);
  };
  const double first = loop(10000);
  const long before = allocations;
  EXPECT_EQ(loop(10000), first);
  EXPECT_EQ(allocations, before);
}

TEST(TapeTest, RosenbrockTakesFewBytesAnOperation) {
  Tape tape;
  const std::vector<double> x = benchmark::Rosenbrock::Point();
  std::vector<double> gradient(x.size());
  GradientInto(tape, benchmark::Rosenbrock(), x, gradient);
  EXPECT_LE(static_cast<double>(tape.bytes()) / benchmark::Rosenbrock::kOperations, 24);
}

TEST(TapeTest, MarkAndRewind) {
  Tape tape;
  Tape::Scope recording(tape);
  const Var x = tape.Input(2);
  const Var y = x * x;
  const Tape::Mark mark = tape.Here();
  for (int i = 0; i < 3; ++i) {
    tape.Rewind(mark);
    Var z = y * static_cast<double>(i);
    z += y;
    tape.Backward(z);
    EXPECT_EQ(tape.Adjoint(x), 4 * (i + 1));
    EXPECT_EQ(tape.rows(), 2u);
  }
}

TEST(TapeTest, ScopesNest) {
  Tape outer;
  Tape::Scope outer_recording(outer);
  const Var x = outer.Input(2);
  double slope;
  {
    Tape inner;
    Tape::Scope inner_recording(inner);
    const Var u = inner.Input(x.Value());
    inner.Backward(u * u * u);
    slope = inner.Adjoint(u);
  }
  EXPECT_EQ(Tape::Current(), &outer);
  const Var y = x * slope;
  outer.Backward(y);
  EXPECT_EQ(outer.Adjoint(x), 12);
}

TEST(TapeTest, EachThreadHasItsTape) {
  const benchmark::TanhNetwork network;
  const std::vector<double> x = benchmark::TanhNetwork::Point();
  const std::vector<double> expected = Gradient(network, x);
  std::vector<std::thread> threads;
  std::vector<std::vector<double>> results(4);
  for (auto& result : results) threads.emplace_back([&] { result = Gradient(network, x); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

#if COTANGENT_REVERSE_CHECKS
TEST(TapeDeathTest, MixingTapesIsAnError) {
  Tape tape;
  Tape::Scope recording(tape);
  const Var x = tape.Input(2);
  const auto use_elsewhere = [&] {
    std::thread([&] {
      Tape own;
      Tape::Scope own_recording(own);
      own.Backward(own.Input(1) * x);
    }).join();
  };
  EXPECT_DEATH(use_elsewhere(), "used with a tape that is not its own");
  const auto use_without = [&] { std::thread([&] { tape.Backward(x * x); }).join(); };
  EXPECT_DEATH(use_without(), "no tape is current");
  Tape other;
  EXPECT_DEATH(other.Backward(x), "not its own");
}
#endif

// ---- The functions of gradient.h ----

TEST(GradientTest, OfAFunction) {
  const auto f = [](auto x) { return x[0] * x[1] + sin(x[0]); };
  EXPECT_THAT(Gradient(f, std::vector{2.0, 3.0}), ElementsAre(3 + std::cos(2), 2));
  Tape tape;
  std::vector<double> gradient(2);
  EXPECT_DOUBLE_EQ(GradientInto(tape, f, std::vector{2.0, 3.0}, gradient), 6 + std::sin(2));
  EXPECT_THAT(gradient, ElementsAre(3 + std::cos(2), 2));
}

TEST(GradientTest, JacobianAndVjp) {
  const auto f = []<class T>(std::span<const T> x) {
    return std::vector<T>{x[0] * x[1], x[1] + 1.0, T(5), x[0]};
  };
  EXPECT_THAT(Jacobian(f, std::vector{2.0, 3.0}), ElementsAre(3, 2, 0, 1, 0, 0, 1, 0));
  EXPECT_THAT(Vjp(f, std::vector{2.0, 3.0}, std::vector{1.0, 10.0, 100.0, 1000.0}),
              ElementsAre(1003, 12));
}

TEST(GradientTest, HessianByForwardOverReverse) {
  const auto f = [](auto x) {
    std::decay_t<decltype(x[0])> sum = 0;
    for (int i = 0; i < 6; ++i) sum += x[i] * x[i] * x[(i + 1) % 6] + sin(x[i]);
    return sum;
  };
  const std::vector<double> x = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, v = {1, -1, 2, 0, 1, 3};
  const std::vector<double> hessian = Hessian(f, x);
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) {
      double expected = 0;
      if (i == j) expected += 2 * x[(i + 1) % 6] - std::sin(x[i]);
      if (j == (i + 1) % 6) expected += 2 * x[i];
      if (i == (j + 1) % 6) expected += 2 * x[j];
      EXPECT_NEAR(hessian[i * 6 + j], expected, 1e-14);
    }
  }
  const std::vector<double> hvp = Hvp(f, x, v);
  for (int i = 0; i < 6; ++i) {
    double expected = 0;
    for (int j = 0; j < 6; ++j) expected += hessian[i * 6 + j] * v[j];
    EXPECT_NEAR(hvp[i], expected, 1e-13);
  }
}

// The adjoint of `product` is 0 here, but the tangent of that adjoint is not.
TEST(GradientTest, HessianWhereAnAdjointPassesThroughZero) {
  const auto f = [](auto x) {
    std::decay_t<decltype(x[0])> product = x[0] * x[1];
    return product * product;
  };
  EXPECT_THAT(Hvp(f, std::vector{0.0, 1.0}, std::vector{1.0, 0.0}), ElementsAre(2, 0));
}

TEST(GradientTest, LogSumExpOfManyHasTheSoftmaxForItsGradient) {
  const auto f = [](auto x) { return logsumexp(x); };
  const std::vector<double> x = {1000, 1001, 999};
  const double sum = 1 + std::exp(1) + std::exp(-1);
  EXPECT_THAT(Gradient(f, x),
              ElementsAre(DoubleNear(1 / sum, 1e-15), DoubleNear(std::exp(1) / sum, 1e-15),
                          DoubleNear(std::exp(-1) / sum, 1e-15)));
}

// Successive steps x += f(x, p, ..) of a loop are swept with their adjoints in registers. Here such
// steps stand between statements of other forms.
TEST(GradientTest, LoopsOfOneVariable) {
  const auto f = [](auto start) {
    std::decay_t<decltype(start[0])> x = start[0];
    for (int step = 0; step < 40; ++step) {
      if (step < 10) x += 0.1 * start[1] * sin(x);                             // two operands
      if (step >= 10 && step < 20) x += 0.1 * (start[1] - start[2] * sin(x));  // three operands
      if (step >= 20 && step < 30) x += 0.1 * x;                               // only x itself
      if (step == 30) x += start[1];
      if (step > 30) x += 0.1 * x * (step % 2 ? start[1] : start[2]);  // operands that change
    }
    return x * x;
  };
  const std::vector<double> x = {0.3, 0.9, 1.1};
  const std::vector<double> gradient = Gradient(f, x);
  for (int i = 0; i < 3; ++i) {
    std::vector<forward::Dual<double, 1>> point(x.begin(), x.end());
    point[i].tangent[0] = 1;
    const forward::Dual<double, 1> y = f(std::span<const forward::Dual<double, 1>>(point));
    EXPECT_NEAR(gradient[i], y.tangent[0], 1e-13 * std::abs(y.tangent[0]));
  }
}

// The expected derivatives by x are n x^(n-1) and n (n-1) x^(n-2), which do not depend on whether
// ln x exists. The last one is by the exponent, and 0 at x = 0.
TEST(GradientTest, AConstantExponentOfTheTapesType) {
  const auto power = [](double n) {
    return [n](auto x) {
      using S = std::decay_t<decltype(x[0])>;
      return S(pow(x[0], S(n)));
    };
  };
  EXPECT_THAT(Gradient(power(2), std::vector{-3.0}), ElementsAre(-6));
  EXPECT_THAT(Gradient(power(0), std::vector{0.0}), ElementsAre(0));
  EXPECT_THAT(Gradient(power(65), std::vector{0.0}), ElementsAre(0));
  EXPECT_THAT(Hessian(power(2), std::vector{-3.0}), ElementsAre(2));
  EXPECT_THAT(Hessian(power(0), std::vector{0.0}), ElementsAre(0));
  const auto both = [](auto x) { return pow(x[0], x[1]); };
  EXPECT_EQ(Gradient(both, std::vector{-2.0, 3.0})[0], 12);
  EXPECT_EQ(Gradient(both, std::vector{0.0, 0.5})[1], 0);
}

// The derivative -1 / x^2 of 1 / x overflows at 1e-200, so reverse and forward mode both give -inf
// for ln(1 / x). Both give 0 if the operand does not depend on the input.
TEST(GradientTest, PartialsThatOverflowAsForwardModes) {
  const auto logarithm = [](auto x) { return log(1.0 / x[0]); };
  EXPECT_THAT(forward::Gradient(logarithm, std::vector{1e-200}), ElementsAre(-INFINITY));
  EXPECT_THAT(Gradient(logarithm, std::vector{1e-200}), ElementsAre(-INFINITY));
  const auto held = [](auto x) { return log(1.0 / max(1e-200, x[0])); };
  EXPECT_THAT(forward::Gradient(held, std::vector{0.0}), ElementsAre(0));
  EXPECT_THAT(Gradient(held, std::vector{0.0}), ElementsAre(0));
}

// 1 / x overflows at 1e-320. The expected values are those of mathematics (x / x is 1), or infinite
// where these are beyond the range of double.
TEST(GradientTest, QuotientsByTinyNumbers) {
  const std::vector<double> tiny = {1e-320};
  const auto one = [](auto x) { return x[0] / x[0]; };
  EXPECT_THAT(forward::Gradient(one, tiny), ElementsAre(0));
  EXPECT_THAT(Gradient(one, tiny), ElementsAre(0));
  const auto named = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    const S y = x[0], z = y / x[0];
    return z;
  };
  EXPECT_THAT(Gradient(named, tiny), ElementsAre(0));
  const auto constant = [](auto x) { return 1e-320 / x[0]; };
  EXPECT_THAT(Gradient(constant, tiny), ElementsAre(-INFINITY));
  const auto by_constant = [](auto x) { return x[0] / 1e-320; };
  EXPECT_THAT(Gradient(by_constant, tiny), ElementsAre(INFINITY));
  FusedTape tape;
  FusedTape::Scope recording(tape);
  const FusedTape::Var x = tape.Input(1e-320), a = tape.Input(3);
  const FusedTape::Var y = a * (x / x) + 1.0;
  tape.Backward(y);
  EXPECT_EQ(tape.Adjoint(x), 0);
  EXPECT_EQ(tape.Adjoint(a), 1);
}

// Denominators, their squares or arguments of tanh overflow; in (x y) / x, 1 / x does. The expected
// values are those of mathematics: at -800 and 1e160 derivatives below 1e-300, which count as 0; at
// -708, e^-708 to double precision.
TEST(GradientTest, WhatOverflowsOnTheWayDoesNotSpoilTheGradient) {
  const auto logistic = [](auto x) { return 1.0 / (1.0 + exp(-x[0])); };
  const auto cubed = [](auto x) { return tanh(x[0] * x[0] * x[0]); };
  const auto named = [](auto x) {
    using S = std::decay_t<decltype(x[0])>;
    const S cube = x[0] * x[0] * x[0], y = tanh(cube);
    return y;
  };
  const auto product = [](auto x) { return (x[0] * x[1]) / x[0]; };
  const double slope = std::exp(-708.0);
  EXPECT_THAT(Gradient(logistic, std::vector{-800.0}), ElementsAre(0));
  EXPECT_NEAR(Gradient(logistic, std::vector{-708.0})[0], slope, 1e-13 * slope);
  EXPECT_THAT(Gradient(cubed, std::vector{1e160}), ElementsAre(0));
  EXPECT_THAT(Gradient(named, std::vector{1e160}), ElementsAre(0));
  EXPECT_THAT(Gradient(product, std::vector{1e-320, 3.0}), ElementsAre(0, 1));
  EXPECT_THAT(Hessian(logistic, std::vector{-800.0}), ElementsAre(0));
  EXPECT_THAT(Hessian(cubed, std::vector{1e160}), ElementsAre(0));
  FusedTape tape;
  FusedTape::Scope recording(tape);
  const FusedTape::Var low = tape.Input(-708), lower = tape.Input(-800), high = tape.Input(1e160);
  const FusedTape::Var y =
      1.0 / (1.0 + exp(-low)) + 1.0 / (1.0 + exp(-lower)) + tanh(high * high * high);
  tape.Backward(y);
  EXPECT_NEAR(tape.Adjoint(low), slope, 1e-13 * slope);
  EXPECT_EQ(tape.Adjoint(lower), 0);
  EXPECT_EQ(tape.Adjoint(high), 0);
}

// Returns the gradient of f that FusedTape computes.
template <class F>
std::vector<double> FusedGradient(const F& f, const std::vector<double>& x) {
  FusedTape tape;
  FusedTape::Scope recording(tape);
  std::vector<FusedTape::Var> inputs;
  for (double xi : x) inputs.push_back(tape.Input(xi));
  const FusedTape::Var y = f(std::span<const FusedTape::Var>(inputs));
  tape.Backward(y);
  std::vector<double> gradient;
  for (const FusedTape::Var& input : inputs) gradient.push_back(tape.Adjoint(input));
  return gradient;
}

// At these points a function has an infinite slope, but its argument does not move with a variable,
// or the result is the other argument of max: mathematics has the derivative 0.
TEST(GradientTest, WhatDoesNotMoveStaysSoBelowAnInfiniteSlope) {
  const auto expect = [](const auto& f, const std::vector<double>& x,
                         const std::vector<double>& gradient) {
    EXPECT_EQ(forward::Gradient(f, x), gradient);
    EXPECT_EQ(Gradient(f, x), gradient);
    EXPECT_EQ(FusedGradient(f, x), gradient);
  };
#define COTANGENT_OF_X_AND_Y(...)                  \
  [](auto v) {                                     \
    using namespace functions;                     \
    using S = std::remove_cvref_t<decltype(v[0])>; \
    const S x = v[0], y = v[1];                    \
    __VA_ARGS__                                    \
  }
  const auto relu_named = COTANGENT_OF_X_AND_Y(const S t = relu(x); return S(sqrt(t) + y););
  expect(relu_named, {-1, 2}, {0, 1});
  EXPECT_THAT(Hessian(relu_named, std::vector{-1.0, 2.0}), ElementsAre(0, 0, 0, 0));
  expect(COTANGENT_OF_X_AND_Y(return S(sqrt(relu(x)) + y);), {-1, 2}, {0, 1});
  expect(COTANGENT_OF_X_AND_Y(const S t = floor(x); const S u = cbrt(t); return S(u * y);),
         {0.5, 2}, {0, 0});
  expect(COTANGENT_OF_X_AND_Y(return S(acos(sign(x)) * y);), {3, 2}, {0, 0});
  expect(COTANGENT_OF_X_AND_Y(const S t = x * y; return S(sqrt(t));), {0, 5}, {INFINITY, 0});
  expect(COTANGENT_OF_X_AND_Y(return S(sqrt(x * y));), {0, 5}, {INFINITY, 0});
  expect(COTANGENT_OF_X_AND_Y(return S(max(sqrt(x), y));), {0, 2}, {0, 1});
  expect(COTANGENT_OF_X_AND_Y(return S(fmin(y, 3 - cbrt(x)));), {0, 2}, {0, 1});
  expect(COTANGENT_OF_X_AND_Y(return S(floor(sqrt(x)) + relu(log(x)) + y);), {0, 2}, {0, 1});
  // The steps of a loop are swept together.
  expect(COTANGENT_OF_X_AND_Y(S sum = floor(x); const S step = floor(y);
                              for (int i = 0; i < 5; ++i) sum += sum * step; return S(sqrt(sum));),
         {0.5, 0.5}, {0, 0});
#undef COTANGENT_OF_X_AND_Y
}

TEST(TapeTest, AdjointOfAGrownVariableBelowAnInfiniteSlope) {
  Tape tape;
  Tape::Scope recording(tape);
  Var x = tape.Input(0.5);
  x += 1;
  const Var t = functions::relu(-x);
  tape.Backward(sqrt(t));
  EXPECT_EQ(tape.Adjoint(x), 0);
}

template <class A, class B>
concept Adds = requires(A a, B b) {
  a + b;
};

TEST(GradientTest, LevelsAreToldApartByType) {
  const auto outer = [](auto v) { return v[0]; };
  const auto inner = [](auto w) { return w[0]; };
  using Outer = LevelTape<decltype(outer)>::Var;
  using Inner = LevelTape<decltype(inner)>::Var;
  static_assert(Adds<Outer, Outer> && !Adds<Outer, Inner> && !Adds<Outer, Var>);
  const auto of_vars = [](std::span<const Var> x) { return Var(x[0] * x[0]); };
  EXPECT_THAT(Gradient(of_vars, std::vector{3.0}), ElementsAre(6));
  // The expected value is d/dv (v d/dw (v w)) = 2 v, with forward mode inside reverse mode.
  const auto nested = [](auto v) {
    using S = std::decay_t<decltype(v[0])>;
    const auto product = [&](auto w) { return v[0] * w[0]; };
    return S(v[0] * forward::Gradient(product, std::vector<S>{1.0})[0]);
  };
  EXPECT_THAT(Gradient(nested, std::vector{1.0}), ElementsAre(2));
}

// Second derivatives use dual numbers with a type of their own, which differs from that of duals
// made by hand.
TEST(GradientTest, SecondDerivativesHaveDualsOfTheirOwn) {
  const auto f = [](auto v) { return v[0]; };
  using F = decltype(f);
  static_assert(Adds<LevelTapeOfDuals<F, 1>::Var, LevelTapeOfDuals<F, 1>::Var>);
  static_assert(!Adds<LevelTapeOfDuals<F, 1>::Var, forward::Dual<double, 1>>);
  static_assert(!Adds<LevelTapeOfDuals<F, 4>::Var, forward::Dual<double, 4>>);
}

// ---- More tests of tapes: foreign variables, present values, threads, rows; and sin_cos.h ----

TEST(TapeDeathTest, AVariableOfATapeInsideIsNotTakenForOnesOwn) {
  const auto confuse = [] {
    Tape outer;
    Tape::Scope outer_recording(outer);
    const Var v = outer.Input(1);
    Var inside;
    {
      Tape inner;
      Tape::Scope recording(inner);
      Var w = inner.Input(2);
      for (int i = 0; i < 10; ++i) w = sin(w);
      inside = w;
    }
    outer.Backward(v * inside);
  };
  EXPECT_DEATH(confuse(), "used with a tape that is not its own");
}

TEST(TapeDeathTest, AVariableOfTheTapeAroundIsNotTakenForOnesOwn) {
  Tape outer;
  Tape::Scope outer_recording(outer);
  const Var v = outer.Input(1);
  const auto confuse = [&] {
    Tape inner;
    Tape::Scope recording(inner);
    const Var w = inner.Input(1);
    inner.Backward(v + w);
  };
  EXPECT_DEATH(confuse(), "used with a tape that is not its own");
}

// For y = 2 x and z = 3 y, after which y changes, Adjoint(y) must be the derivative by the present
// value of y.
TEST(TapeTest, TheAdjointOfAVariableIsThatOfItsPresentValue) {
  for (const int change : {0, 1, 2, 3}) {
    SCOPED_TRACE(change);
    Tape tape;
    Tape::Scope recording(tape);
    const Var x = tape.Input(5);
    Var y = x * 2.0;
    const Var z = y * 3.0;
    const double before = y.Value();
    if (change == 0) y += 1.0;
    if (change == 1) y += x;
    if (change == 2) y = y * 1.0;
    if (change == 3) y -= 1.0;
    const Var f = y * y + z;
    tape.Backward(f);
    EXPECT_EQ(tape.Adjoint(y), 2 * y.Value());
    EXPECT_EQ(tape.Adjoint(x), 2 * y.Value() * (change == 1 ? 3 : 2) + 6);
    EXPECT_EQ(before, 10);
  }
  // The same must hold for an input that is changed in place.
  Tape tape;
  Tape::Scope recording(tape);
  Var x = tape.Input(5);
  const Var copy = x;
  const Var square = x * x;
  x += 1.0;
  tape.Backward(square + 7.0 * x);
  EXPECT_EQ(tape.Adjoint(x), 7);
  EXPECT_EQ(tape.Adjoint(copy), 17);
}

TEST(TapeTest, TenThousandTapesAtOnce) {
  std::vector<std::unique_ptr<Tape>> tapes;
  for (int i = 0; i < 10000; ++i) tapes.push_back(std::make_unique<Tape>());
  for (auto& tape : tapes) {
    Tape::Scope recording(*tape);
    const Var x = tape->Input(3);
    tape->Backward(x * x);
    ASSERT_EQ(tape->Adjoint(x), 6);
  }
}

// The thread sanitizer would report a race here if lgamma called std::lgamma, which writes to a
// global variable.
TEST(TapeTest, TheGammaFunctionInThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      const auto f = [](auto x) { return lgamma(x[0]); };
      for (int i = 1; i < 100; ++i) EXPECT_GT(Gradient(f, std::vector{i + 2.0})[0], 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(TapeTest, Increments) {
  const auto f = [](Var x) {
    Var before = x++;
    Var after = ++x;
    Var last = x--;
    return Var(before * after * last * --x);  // x (x + 2)^2 x
  };
  EXPECT_THAT(Differentiate(f, 3), ElementsAre(225, 240));
}

TEST(SinCosTest, AgreesWithTheLibrary) {
  for (const double scale : {1e-300, 1e-8, 0.5, 3.0, 1e3, 5e5, 1e9, 1e300}) {
    for (int i = -50; i <= 50; ++i) {
      const double x = scale * i / 49.0;
      for (const SinCos both : {SinAndCos(x), sin_cos::Apart(x)}) {
        EXPECT_NEAR(both.sin, std::sin(x), 4e-16 * std::abs(std::sin(x))) << x;
        EXPECT_NEAR(both.cos, std::cos(x), 4e-16 * std::abs(std::cos(x))) << x;
      }
    }
  }
  // At the double nearest to pi / 2, the cosine is the rounding error of that double.
  EXPECT_NEAR(SinAndCos(std::numbers::pi / 2).cos, 6.123233995736766e-17, 1e-31);
  EXPECT_TRUE(std::isnan(SinAndCos(HUGE_VAL).sin));
}

// A statement of several operators leaves one row (a result with its partial derivatives) on the
// tape: the rows of operands without names become part of it.
TEST(TapeTest, AStatementIsOneRow) {
  Tape tape;
  Tape::Scope recording(tape);
  const Var x = tape.Input(2), y = tape.Input(3), z = tape.Input(5);
  Var sum = (x * y + sin(z) / y) * exp(-x * z) - sqrt(x + y) * pow(x - z, 2);
  EXPECT_EQ(tape.rows(), 1u);
  sum += x * (y - z);
  EXPECT_EQ(tape.rows(), 1u);
  sum = sum + x * y;
  EXPECT_EQ(tape.rows(), 1u);
  const bool unused = x * y + z > sin(x) - y * 2;  // comparisons leave no rows
  EXPECT_TRUE(unused);
  EXPECT_EQ(functions::value_of(x * y), 6);
  EXPECT_EQ(tape.rows(), 1u);
  // The number of (operand, partial derivative) pairs of a product of many factors must grow
  // linearly.
  Var product = 1;
  const auto before = tape.pairs();
  for (int i = 0; i < 100; ++i) product = std::move(product) * (x + i);
  EXPECT_LE(tape.pairs() - before, 300u);
}

// Programs on the fused tape must get the same derivatives as on the ordinary tape.
TEST(TapeTest, FusedTapeAgrees) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const std::vector<double> x = benchmark::Noise(4, seed);
    const auto f = [&]<class T>(std::span<const T> inputs) {
      return RandomProgram<T>(seed, inputs);
    };
    std::vector<double> gradient(4), fused(4);
    Tape tape;
    FusedTape fused_tape;
    EXPECT_EQ(GradientInto(tape, f, x, gradient), GradientInto(fused_tape, f, x, fused));
    for (int i = 0; i < 4; ++i)
      ASSERT_NEAR(gradient[i], fused[i], 1e-12 * (1 + std::abs(gradient[i])));
  }
}

}  // namespace
}  // namespace cotangent::autodiff
