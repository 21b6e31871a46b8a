#ifndef COTANGENT_AUTODIFF_SYMBOLIC_SCALAR_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_SCALAR_H_

// SymbolicScalar: a scalar type that turns a function template into formulas.
//
// A SymbolicScalar carries a value, which decides comparisons, and the symbolic expression that
// computes the value. A function run on SymbolicScalars returns the formula of the path that it
// takes at that point: the formula has no branch that was not taken, and it contains the result of
// a step function (floor, round, sign, ...) as a constant, and likewise the whole number of times
// that fmod or remainder subtracts its divisor. This is exactly what differentiation at the point
// needs. (abs, relu and hard_swish are functions of formulas, not branches.) The gamma function and
// its relatives (lgamma, digamma, polygamma) are not supported; SymbolicTrace::unsupported tells
// whether one was used.

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/function.h"
#include "autodiff/math.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/functions.h"

namespace cotangent::autodiff {

// Owns the expressions of one run of a function. `unsupported` is empty if the run's formulas are
// right; otherwise it says what they could not express: the name of a function, "a constant that is
// not finite", or "a variable of another function".
struct SymbolicTrace {
  symbolic::Pool pool;
  std::string unsupported;
};

// A separate namespace, so that argument-dependent lookup for a SymbolicScalar finds only what is
// declared in it: operators, functions named as in the standard library, and CotangentApply
// (autodiff/math.h).
namespace tracing {

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
  // Returns the expression; that of a constant is made in the given trace. A constant that is not
  // finite marks the trace as unsupported; its expression is 0.
  symbolic::Expr In(SymbolicTrace& trace) const;
  // Returns a scalar with the same expression and the given value, for a function whose formula
  // rounds differently from its direct computation.
  SymbolicScalar WithValue(double value) const;

 private:
  double value_ = 0;
  symbolic::Expr expression_;
  SymbolicTrace* trace_ = nullptr;  // null for a constant
};

template <class A, class B>
concept SymbolicPair = (std::same_as<A, SymbolicScalar> &&
                        (std::same_as<B, SymbolicScalar> || std::is_arithmetic_v<B>)) ||
                       (std::same_as<B, SymbolicScalar> && std::is_arithmetic_v<A>);
template <class A, class B, class C>
concept SymbolicTriple =
    (std::same_as<A, SymbolicScalar> || std::same_as<B, SymbolicScalar> ||
     std::same_as<C, SymbolicScalar>)&&(std::convertible_to<A, SymbolicScalar>&&
                                            std::convertible_to<B, SymbolicScalar>&&
                                                std::convertible_to<C, SymbolicScalar>);

}  // namespace tracing
using tracing::SymbolicScalar;

namespace symbolic_internal {

// Returns the scalar whose expression is the function `name` of formulas
// (autodiff/symbolic/functions.h) applied to x's expression, and whose value is `value`.
SymbolicScalar Named(const char* name, double value, const SymbolicScalar& x);
// Marks x's trace, if x is not a constant, as unsupported because of the function `name`; returns
// 0.
SymbolicScalar Unsupported(const char* name, const SymbolicScalar& x);

// Returns a scalar with the given value: its expression is what `build` returns for the operands'
// expressions, or it is a constant if both operands are. If the operands belong to two traces (a
// function and another around it), both traces are marked unsupported, since their variables have
// the same names.
template <class Build>
SymbolicScalar Combine(double value, const SymbolicScalar& a, const SymbolicScalar& b,
                       Build build) {
  SymbolicTrace* const trace = a.IsConstant() ? b.trace() : a.trace();
  if (trace == nullptr) return SymbolicScalar(value);
  if (!b.IsConstant() && b.trace() != trace) {
    for (SymbolicTrace* mixed : {trace, b.trace()})
      mixed->unsupported = "a variable of another function";
  }
  return SymbolicScalar(value, build(a.In(*trace), b.In(*trace)), trace);
}

}  // namespace symbolic_internal

namespace tracing {

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
inline SymbolicScalar& operator++(SymbolicScalar& a) { return a = a + 1; }
inline SymbolicScalar& operator--(SymbolicScalar& a) { return a = a - 1; }
inline SymbolicScalar operator++(SymbolicScalar& a, int) { return std::exchange(a, a + 1); }
inline SymbolicScalar operator--(SymbolicScalar& a, int) { return std::exchange(a, a - 1); }
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

#define COTANGENT_SYMBOLIC_NAMED(name)                               \
  inline SymbolicScalar name(const SymbolicScalar& x) {              \
    return symbolic_internal::Named(#name, std::name(x.value()), x); \
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
#undef COTANGENT_SYMBOLIC_NAMED

#define COTANGENT_SYMBOLIC_ASKED(name)                                                   \
  inline SymbolicScalar CotangentApply(functions::rule::name, const SymbolicScalar& x) { \
    return symbolic_internal::Named(#name, functions::name(x.value()), x);               \
  }
COTANGENT_SYMBOLIC_ASKED(sigmoid)
COTANGENT_SYMBOLIC_ASKED(softplus)
COTANGENT_SYMBOLIC_ASKED(softsign)
COTANGENT_SYMBOLIC_ASKED(relu)
COTANGENT_SYMBOLIC_ASKED(gelu)
COTANGENT_SYMBOLIC_ASKED(gelu_tanh)
COTANGENT_SYMBOLIC_ASKED(silu)
COTANGENT_SYMBOLIC_ASKED(hard_swish)
#undef COTANGENT_SYMBOLIC_ASKED
inline double CotangentApply(functions::rule::value_of, const SymbolicScalar& x) {
  return x.value();
}

#define COTANGENT_SYMBOLIC_STEP(name)                   \
  inline SymbolicScalar name(const SymbolicScalar& x) { \
    return SymbolicScalar(std::name(x.value()));        \
  }
COTANGENT_SYMBOLIC_STEP(floor)
COTANGENT_SYMBOLIC_STEP(ceil)
COTANGENT_SYMBOLIC_STEP(trunc)
COTANGENT_SYMBOLIC_STEP(round)
COTANGENT_SYMBOLIC_STEP(rint)
COTANGENT_SYMBOLIC_STEP(nearbyint)
COTANGENT_SYMBOLIC_STEP(logb)
#undef COTANGENT_SYMBOLIC_STEP

inline SymbolicScalar lgamma(const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("lgamma", x);
}
inline SymbolicScalar tgamma(const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("tgamma", x);
}
inline SymbolicScalar CotangentApply(functions::rule::digamma, const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("digamma", x);
}
inline SymbolicScalar CotangentApply(functions::rule::polygamma, int, const SymbolicScalar& x) {
  return symbolic_internal::Unsupported("polygamma", x);
}

inline SymbolicScalar fabs(const SymbolicScalar& x) { return abs(x); }
inline SymbolicScalar exp2(const SymbolicScalar& x) {
  return exp(x * std::numbers::ln2).WithValue(std::exp2(x.value()));
}
inline SymbolicScalar CotangentApply(functions::rule::sqr, const SymbolicScalar& x) {
  return x * x;
}
inline SymbolicScalar CotangentApply(functions::rule::sign, const SymbolicScalar& x) {
  return SymbolicScalar(functions::sign(x.value()));
}
inline SymbolicScalar CotangentApply(functions::rule::leaky_relu, const SymbolicScalar& x,
                                     double slope) {
  return x > 0 ? x : slope * x;
}
inline SymbolicScalar CotangentApply(functions::rule::elu, const SymbolicScalar& x, double alpha) {
  return x > 0 ? x : alpha * expm1(x);
}
inline SymbolicScalar ldexp(const SymbolicScalar& x, int exponent) {
  return x * std::ldexp(1.0, exponent);
}
inline SymbolicScalar scalbn(const SymbolicScalar& x, int exponent) { return ldexp(x, exponent); }
inline SymbolicScalar frexp(const SymbolicScalar& x, int* exponent) {
  *exponent = 0;
  std::frexp(x.value(), exponent);
  return std::isfinite(x.value()) ? ldexp(x, -*exponent) : x;
}
inline SymbolicScalar modf(const SymbolicScalar& x, SymbolicScalar* whole) {
  *whole = trunc(x);
  return x - *whole;
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar nextafter(const A& a, const B& b) {
  const SymbolicScalar x(a), y(b);
  return x.WithValue(std::nextafter(x.value(), y.value()));
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
  return symbolic_internal::Combine(std::hypot(x.value(), y.value()), x, y, symbolic::Hypot);
}
template <class A, class B, class C>
requires SymbolicTriple<A, B, C> SymbolicScalar hypot(const A& a, const B& b, const C& c) {
  const SymbolicScalar x(a), y(b), z(c);
  return hypot(hypot(x, y), z).WithValue(std::hypot(x.value(), y.value(), z.value()));
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar atan2(const A& a, const B& b) {
  const SymbolicScalar y(a), x(b);
  return symbolic_internal::Combine(std::atan2(y.value(), x.value()), y, x, [](auto s, auto t) {
    return symbolic::Apply(symbolic::Op::kAtan2, {s, t});
  });
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar fmod(const A& a, const B& b) {
  const double x = SymbolicScalar(a).value(), y = SymbolicScalar(b).value();
  const double rest = std::fmod(x, y);
  return (a - SymbolicScalar(b) * std::round((x - rest) / y)).WithValue(rest);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar remainder(const A& a, const B& b) {
  const double x = SymbolicScalar(a).value(), y = SymbolicScalar(b).value();
  const double rest = std::remainder(x, y);
  return (a - SymbolicScalar(b) * std::round((x - rest) / y)).WithValue(rest);
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar copysign(const A& a, const B& b) {
  return abs(SymbolicScalar(a)) * std::copysign(1.0, SymbolicScalar(b).value());
}
template <class A, class B>
requires SymbolicPair<A, B> SymbolicScalar CotangentApply(functions::rule::logsumexp, const A& a,
                                                          const B& b) {
  const SymbolicScalar x(a), y(b);
  return symbolic_internal::Combine(functions::logsumexp(x.value(), y.value()), x, y,
                                    [](auto s, auto t) {
                                      return symbolic::Apply(symbolic::Op::kLogSumExp, {s, t});
                                    });
}
inline SymbolicScalar CotangentApply(functions::rule::logsumexp,
                                     std::span<const SymbolicScalar> x) {
  double high = -std::numeric_limits<double>::infinity();
  for (const SymbolicScalar& xi : x) high = xi > high || std::isnan(xi.value()) ? xi.value() : high;
  if (!std::isfinite(high)) return SymbolicScalar(high);
  SymbolicScalar sum(0);
  for (const SymbolicScalar& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}
template <class A, class B, class C>
requires SymbolicTriple<A, B, C> SymbolicScalar fma(const A& a, const B& b, const C& c) {
  const SymbolicScalar x(a), y(b), z(c);
  return (x * y + z).WithValue(std::fma(x.value(), y.value(), z.value()));
}
template <class A, class B, class C>
requires SymbolicTriple<A, B, C> SymbolicScalar lerp(const A& a, const B& b, const C& t) {
  const SymbolicScalar x(a), y(b), s(t);
  return (x + s * (y - x)).WithValue(std::lerp(x.value(), y.value(), s.value()));
}
template <class A, class B, class C>
requires SymbolicTriple<A, B, C> SymbolicScalar clamp(const A& x, const B& low, const C& high) {
  return x < low ? SymbolicScalar(low) : high < x ? SymbolicScalar(high) : SymbolicScalar(x);
}

#define COTANGENT_SYMBOLIC_QUESTION(type, name) \
  inline type name(const SymbolicScalar& x) { return std::name(x.value()); }
COTANGENT_SYMBOLIC_QUESTION(bool, isfinite)
COTANGENT_SYMBOLIC_QUESTION(bool, isinf)
COTANGENT_SYMBOLIC_QUESTION(bool, isnan)
COTANGENT_SYMBOLIC_QUESTION(bool, isnormal)
COTANGENT_SYMBOLIC_QUESTION(bool, signbit)
COTANGENT_SYMBOLIC_QUESTION(int, fpclassify)
COTANGENT_SYMBOLIC_QUESTION(int, ilogb)
#undef COTANGENT_SYMBOLIC_QUESTION
template <class A>
concept ASymbolicScalar = std::same_as<A, SymbolicScalar>;
COTANGENT_COMPARING_FUNCTIONS(SymbolicPair)
COTANGENT_ROUNDING_FUNCTIONS(ASymbolicScalar)

template <class Stream, std::same_as<SymbolicScalar> X>
Stream& operator<<(Stream& out, const X& x) {
  out << x.value();
  return out;
}

}  // namespace tracing

// A function's outputs at a point as formulas of its inputs, the variables x0, x1, ...
struct Formulas {
  std::vector<symbolic::Expr> variables;
  std::vector<symbolic::Expr> outputs;
};

// Runs f once at x on SymbolicScalars. The formulas live in the pool of `trace`, and are right only
// if trace.unsupported is empty afterwards.
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
