#ifndef COTANGENT_AUTODIFF_SYMBOLIC_SCALAR_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_SCALAR_H_

// SymbolicScalar: the scalar that turns a function template into formulas.
//
// It carries a value, by which comparisons are decided, and the symbolic expression that the value
// came from. What comes out is the formula of the path taken at that point: a branch not taken is
// not in it, and a step function (floor, round, sign, ...) is a constant in it, as is the quotient
// that fmod cuts off. That is just what differentiating at the point needs. The gamma function and
// its kin have no symbolic form; using them is noted in the trace.

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "autodiff/function.h"
#include "autodiff/math.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/functions.h"

namespace cotangent::autodiff {

// Where the expressions of one trace live. `unsupported` names the first function met that has no
// symbolic form.
struct SymbolicTrace {
  symbolic::Pool pool;
  std::string unsupported;
};

class SymbolicScalar {
 public:
  SymbolicScalar() = default;
  template <class S>
  requires std::is_arithmetic_v<S> SymbolicScalar(S constant)
      : value_(static_cast<double>(constant)) {}
  SymbolicScalar(double value, symbolic::Expr expression, SymbolicTrace* trace)
      : value_(value), expression_(expression), trace_(trace) {}

  double value() const { return value_; }
  bool IsConstant() const { return trace_ == nullptr; }
  SymbolicTrace* trace() const { return trace_; }
  // The expression; a constant becomes one of the given trace.
  symbolic::Expr In(SymbolicTrace& trace) const;

 private:
  double value_ = 0;
  symbolic::Expr expression_;
  SymbolicTrace* trace_ = nullptr;  // null for a constant
};

template <class A, class B>
concept SymbolicPair = (std::same_as<A, SymbolicScalar> &&
                        (std::same_as<B, SymbolicScalar> || std::is_arithmetic_v<B>)) ||
                       (std::same_as<B, SymbolicScalar> && std::is_arithmetic_v<A>);

namespace symbolic_internal {

// The function of one argument that formulas know by this name.
SymbolicScalar Named(const char* name, double value, const SymbolicScalar& x);
SymbolicScalar Unsupported(const char* name, const SymbolicScalar& x);

// build(a, b) on the operands' expressions; a constant if both are.
template <class Build>
SymbolicScalar Combine(double value, const SymbolicScalar& a, const SymbolicScalar& b,
                       Build build) {
  SymbolicTrace* const trace = a.IsConstant() ? b.trace() : a.trace();
  if (trace == nullptr) return SymbolicScalar(value);
  return SymbolicScalar(value, build(a.In(*trace), b.In(*trace)), trace);
}

}  // namespace symbolic_internal

template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar operator+(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(x.value() + y.value(), x, y,
                                    [](auto s, auto t) { return s + t; });
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar operator-(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(x.value() - y.value(), x, y,
                                    [](auto s, auto t) { return s - t; });
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar operator*(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(x.value() * y.value(), x, y,
                                    [](auto s, auto t) { return s * t; });
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar operator/(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(x.value() / y.value(), x, y,
                                    [](auto s, auto t) { return s / t; });
}
inline SymbolicScalar operator-(const SymbolicScalar& x) { return x * -1.0; }
inline SymbolicScalar operator+(const SymbolicScalar& x) { return x; }
template <class B>
SymbolicScalar& operator+=(SymbolicScalar& a, const B& b) {
  return a = a + b;
}
template <class B>
SymbolicScalar& operator-=(SymbolicScalar& a, const B& b) {
  return a = a - b;
}
template <class B>
SymbolicScalar& operator*=(SymbolicScalar& a, const B& b) {
  return a = a * b;
}
template <class B>
SymbolicScalar& operator/=(SymbolicScalar& a, const B& b) {
  return a = a / b;
}

#define COTANGENT_SYMBOLIC_COMPARISON(op)                          \
  template <class A, class B>                                      \
  requires SymbolicPair<A, B>                                      \
  bool operator op(const A& a, const B& b) {                       \
    return SymbolicScalar(a).value() op SymbolicScalar(b).value(); \
  }
COTANGENT_SYMBOLIC_COMPARISON(==)
COTANGENT_SYMBOLIC_COMPARISON(<)
COTANGENT_SYMBOLIC_COMPARISON(>)
COTANGENT_SYMBOLIC_COMPARISON(<=)
COTANGENT_SYMBOLIC_COMPARISON(>=)
#undef COTANGENT_SYMBOLIC_COMPARISON

#define COTANGENT_SYMBOLIC_NAMED(name)                          \
  inline SymbolicScalar name(const SymbolicScalar& x) {         \
    using namespace functions;                                  \
    return symbolic_internal::Named(#name, name(x.value()), x); \
  }
COTANGENT_SYMBOLIC_NAMED(abs)
COTANGENT_SYMBOLIC_NAMED(sqrt)
COTANGENT_SYMBOLIC_NAMED(cbrt)
COTANGENT_SYMBOLIC_NAMED(exp)
COTANGENT_SYMBOLIC_NAMED(expm1)
COTANGENT_SYMBOLIC_NAMED(log)
COTANGENT_SYMBOLIC_NAMED(log2)
COTANGENT_SYMBOLIC_NAMED(log10)
COTANGENT_SYMBOLIC_NAMED(log1p)
COTANGENT_SYMBOLIC_NAMED(sin)
COTANGENT_SYMBOLIC_NAMED(cos)
COTANGENT_SYMBOLIC_NAMED(tan)
COTANGENT_SYMBOLIC_NAMED(asin)
COTANGENT_SYMBOLIC_NAMED(acos)
COTANGENT_SYMBOLIC_NAMED(atan)
COTANGENT_SYMBOLIC_NAMED(sinh)
COTANGENT_SYMBOLIC_NAMED(cosh)
COTANGENT_SYMBOLIC_NAMED(tanh)
COTANGENT_SYMBOLIC_NAMED(asinh)
COTANGENT_SYMBOLIC_NAMED(acosh)
COTANGENT_SYMBOLIC_NAMED(atanh)
COTANGENT_SYMBOLIC_NAMED(erf)
COTANGENT_SYMBOLIC_NAMED(erfc)
COTANGENT_SYMBOLIC_NAMED(sigmoid)
COTANGENT_SYMBOLIC_NAMED(softplus)
COTANGENT_SYMBOLIC_NAMED(softsign)
COTANGENT_SYMBOLIC_NAMED(relu)
COTANGENT_SYMBOLIC_NAMED(gelu)
COTANGENT_SYMBOLIC_NAMED(gelu_tanh)
COTANGENT_SYMBOLIC_NAMED(silu)
COTANGENT_SYMBOLIC_NAMED(hard_swish)
#undef COTANGENT_SYMBOLIC_NAMED

#define COTANGENT_SYMBOLIC_STEP(name)                   \
  inline SymbolicScalar name(const SymbolicScalar& x) { \
    using namespace functions;                          \
    return SymbolicScalar(name(x.value()));             \
  }
COTANGENT_SYMBOLIC_STEP(sign)
COTANGENT_SYMBOLIC_STEP(floor)
COTANGENT_SYMBOLIC_STEP(ceil)
COTANGENT_SYMBOLIC_STEP(trunc)
COTANGENT_SYMBOLIC_STEP(round)
COTANGENT_SYMBOLIC_STEP(rint)
COTANGENT_SYMBOLIC_STEP(nearbyint)
#undef COTANGENT_SYMBOLIC_STEP

inline SymbolicScalar lgamma(const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("lgamma", x);
}
inline SymbolicScalar tgamma(const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("tgamma", x);
}
inline SymbolicScalar digamma(const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("digamma", x);
}
inline SymbolicScalar polygamma(int, const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("polygamma", x);
}

inline SymbolicScalar fabs(const SymbolicScalar& x) { return abs(x); }
inline SymbolicScalar sqr(const SymbolicScalar& x) { return x * x; }
inline SymbolicScalar exp2(const SymbolicScalar& x) { return exp(x * std::numbers::ln2); }
inline SymbolicScalar leaky_relu(const SymbolicScalar& x, double slope) {
  return x > 0 ? x : slope * x;
}
inline SymbolicScalar elu(const SymbolicScalar& x, double alpha = 1) {
  return x > 0 ? x : alpha * expm1(x);
}
inline SymbolicScalar ldexp(const SymbolicScalar& x, int exponent) {
  return x * std::ldexp(1.0, exponent);
}

template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar pow(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(std::pow(x.value(), y.value()), x, y,
                                    [](auto s, auto t) { return symbolic::Pow(s, t); });
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar max(const A& a, const B& b) {
  return a < b ? SymbolicScalar(b) : SymbolicScalar(a);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar min(const A& a, const B& b) {
  return b < a ? SymbolicScalar(b) : SymbolicScalar(a);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar fmax(const A& a, const B& b) {
  return std::isnan(SymbolicScalar(a).value()) ? SymbolicScalar(b) : max(a, b);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar fmin(const A& a, const B& b) {
  return std::isnan(SymbolicScalar(a).value()) ? SymbolicScalar(b) : min(a, b);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar fdim(const A& a, const B& b) {
  return a <= b ? SymbolicScalar(0) : a - b;
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar hypot(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  if (x == 0 && y == 0) return SymbolicScalar(0);  // gradient 0 at the origin
  return sqrt(x * x + y * y);
}
// Whichever of y / x and x / y does not overflow.
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar atan2(const A& a, const B& b) {
  constexpr double kPi = std::numbers::pi;
  const SymbolicScalar y(a), x(b);
  if (std::abs(y.value()) > std::abs(x.value()))
    return std::copysign(kPi / 2, y.value()) - atan(x / y);
  return x > 0 ? atan(y / x) : atan(y / x) + std::copysign(kPi, y.value());
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar fmod(const A& a, const B& b) {
  const double x = SymbolicScalar(a).value(), y = SymbolicScalar(b).value();
  return a - SymbolicScalar(b) * std::round((x - std::fmod(x, y)) / y);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar remainder(const A& a, const B& b) {
  const double x = SymbolicScalar(a).value(), y = SymbolicScalar(b).value();
  return a - SymbolicScalar(b) * std::round((x - std::remainder(x, y)) / y);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar copysign(const A& a, const B& b) {
  return abs(SymbolicScalar(a)) * std::copysign(1.0, SymbolicScalar(b).value());
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar logsumexp(const A& a, const B& b) {
  return a < b ? b + softplus(a - SymbolicScalar(b)) : a + softplus(b - SymbolicScalar(a));
}
inline SymbolicScalar logsumexp(std::span<const SymbolicScalar> x) {
  double high = -std::numeric_limits<double>::infinity();
  for (const SymbolicScalar& xi : x) high = xi > high || std::isnan(xi.value()) ? xi.value() : high;
  if (!std::isfinite(high)) return SymbolicScalar(high);
  SymbolicScalar sum(0);
  for (const SymbolicScalar& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}
template <class B, class C>
SymbolicScalar fma(const SymbolicScalar& a, const B& b, const C& c) {
  return a * b + c;
}

inline bool isfinite(const SymbolicScalar& x) { return std::isfinite(x.value()); }
inline bool isinf(const SymbolicScalar& x) { return std::isinf(x.value()); }
inline bool isnan(const SymbolicScalar& x) { return std::isnan(x.value()); }
inline bool signbit(const SymbolicScalar& x) { return std::signbit(x.value()); }

// f at x as formulas in the trace's pool: the variables x0, x1, ... and the outputs in them.
struct Formulas {
  std::vector<symbolic::Expr> variables;
  std::vector<symbolic::Expr> outputs;
};

template <class F>
Formulas TraceFormulas(const F& f, std::span<const double> x, SymbolicTrace& trace) {
  Formulas formulas;
  std::vector<SymbolicScalar> at;
  for (std::size_t i = 0; i < x.size(); ++i) {
    formulas.variables.push_back(trace.pool.Variable("x" + std::to_string(i)));
    at.emplace_back(x[i], formulas.variables.back(), &trace);
  }
  for (const SymbolicScalar& output :
       Outputs<SymbolicScalar>(f, std::span<const SymbolicScalar>(at))) {
    formulas.outputs.push_back(output.In(trace));
  }
  return formulas;
}

}  // namespace cotangent::autodiff

template <>
class std::numeric_limits<cotangent::autodiff::SymbolicScalar>
    : public std::numeric_limits<double> {};

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_SCALAR_H_
