#ifndef COTANGENT_AUTODIFF_PROBE_H_
#define COTANGENT_AUTODIFF_PROBE_H_

// Probe: a scalar that computes nothing but knows. Run a function on Probes and read from its
// Findings
//
//   - where it left its domain, and which operation at which value did it ("log(-1) is nan");
//   - where a derivative is not finite ("sqrt has an infinite derivative at 0");
//   - where the point sits on a kink, and which side the derivatives take ("abs(0): derivative 0 is
//   taken");
//   - which results depend on which inputs: the pattern of the Jacobian;
//   - which inputs meet in a nonlinear operation: the pattern of the Hessian.
//
// The patterns hold at the point and wherever the same branches are taken. An index set rides along
// with every value, each operation's being the union of its operands' (Griewank and Walther,
// Evaluating Derivatives, 2nd ed., section 7.1; for the Hessian, Walther, ACM TOMS 34(1), 2008).

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/function.h"

namespace cotangent::autodiff {

// The inputs a value depends on, ascending; null for a constant. Shared: most operations have one
// operand.
using IndexSet = std::shared_ptr<const std::vector<std::uint32_t>>;

struct Findings {
  static constexpr std::size_t kMostNotes = 8;  // of each kind; a loop would repeat them

  std::vector<std::string>
      domain;  // values and derivatives that are not finite though their arguments are
  std::vector<std::string> kinks;
  bool track_pairs = false;  // whether to collect the next
  std::vector<std::set<std::uint32_t>>
      neighbours;  // by input: those it meets in a nonlinear operation, itself included

  void AddDomain(std::string note);
  void AddKink(std::string note);
};

class Probe {
 public:
  Probe() = default;
  template <class S>
  requires std::is_arithmetic_v<S> Probe(S constant) : value_(static_cast<double>(constant)) {}

  static Probe Input(double value, std::uint32_t index, Findings* findings);

  double value() const { return value_; }
  const IndexSet& inputs() const { return inputs_; }

  // An operation with these operands and this value and these derivatives by them.
  static Probe Apply(const char* name, double value, std::span<const double> derivatives,
                     std::span<const Probe* const> operands, bool linear);
  // The comparison of equals is a kink where the branches meet at an angle.
  static void NoteTie(const Probe& a, const Probe& b, const char* relation, bool outcome);
  void NoteKink(const char* name, const std::string& taken) const;

 private:
  double value_ = 0;
  IndexSet inputs_;
  Findings* findings_ = nullptr;  // null for a constant
};

template <class A, class B>
concept ProbePair = (std::same_as<A, Probe> &&
                     (std::same_as<B, Probe> || std::is_arithmetic_v<B>)) ||
                    (std::same_as<B, Probe> && std::is_arithmetic_v<A>);

namespace probe_internal {

// Value and derivatives by autodiff/forward's rules, so that what is found is what the modes will
// meet.
template <class Rule>
Probe Unary(const char* name, const Probe& x, Rule rule, bool linear = false) {
  using D = forward::Dual<double, 1>;
  const D y = rule(D::Variable(x.value(), 0));
  const double derivative = y.tangent[0];
  const Probe* operand = &x;
  return Probe::Apply(name, y.value, {&derivative, 1}, {&operand, 1}, linear);
}

template <class Rule>
Probe Binary(const char* name, const Probe& a, const Probe& b, Rule rule, bool linear = false) {
  using D = forward::Dual<double, 2>;
  const D x = a.inputs() ? D::Variable(a.value(), 0) : D(a.value());
  const D y = b.inputs() ? D::Variable(b.value(), 1) : D(b.value());
  const D z = rule(x, y);
  const double derivatives[] = {z.tangent[0], z.tangent[1]};
  const Probe* operands[] = {&a, &b};
  return Probe::Apply(name, z.value, derivatives, operands, linear);
}

}  // namespace probe_internal

template <class A, class B>
requires ProbePair<A, B> Probe operator+(const A& a, const B& b) {
  return probe_internal::Binary(
      "+", a, b, [](const auto& x, const auto& y) { return x + y; }, true);
}
template <class A, class B>
requires ProbePair<A, B> Probe operator-(const A& a, const B& b) {
  return probe_internal::Binary(
      "-", a, b, [](const auto& x, const auto& y) { return x - y; }, true);
}
template <class A, class B>
requires ProbePair<A, B> Probe operator*(const A& a, const B& b) {
  return probe_internal::Binary("*", a, b, [](const auto& x, const auto& y) { return x * y; });
}
template <class A, class B>
requires ProbePair<A, B> Probe operator/(const A& a, const B& b) {
  return probe_internal::Binary("/", a, b, [](const auto& x, const auto& y) { return x / y; });
}
inline Probe operator-(const Probe& x) {
  return probe_internal::Unary(
      "-", x, [](const auto& v) { return -v; }, true);
}
inline Probe operator+(const Probe& x) { return x; }
template <class B>
Probe& operator+=(Probe& a, const B& b) {
  return a = a + b;
}
template <class B>
Probe& operator-=(Probe& a, const B& b) {
  return a = a - b;
}
template <class B>
Probe& operator*=(Probe& a, const B& b) {
  return a = a * b;
}
template <class B>
Probe& operator/=(Probe& a, const B& b) {
  return a = a / b;
}

#define COTANGENT_PROBE_COMPARISON(op)           \
  template <class A, class B>                    \
  requires ProbePair<A, B>                       \
  bool operator op(const A& a, const B& b) {     \
    const Probe x = a, y = b;                    \
    const bool outcome = x.value() op y.value(); \
    Probe::NoteTie(x, y, #op, outcome);          \
    return outcome;                              \
  }
COTANGENT_PROBE_COMPARISON(==)
COTANGENT_PROBE_COMPARISON(<)
COTANGENT_PROBE_COMPARISON(>)
COTANGENT_PROBE_COMPARISON(<=)
COTANGENT_PROBE_COMPARISON(>=)
#undef COTANGENT_PROBE_COMPARISON

#define COTANGENT_PROBE_UNARY(name)                                                         \
  inline Probe name(const Probe& x) {                                                       \
    return probe_internal::Unary(#name, x, [](const auto& v) { return forward::name(v); }); \
  }
COTANGENT_PROBE_UNARY(sqr)
COTANGENT_PROBE_UNARY(sqrt)
COTANGENT_PROBE_UNARY(cbrt)
COTANGENT_PROBE_UNARY(exp)
COTANGENT_PROBE_UNARY(exp2)
COTANGENT_PROBE_UNARY(expm1)
COTANGENT_PROBE_UNARY(log)
COTANGENT_PROBE_UNARY(log2)
COTANGENT_PROBE_UNARY(log10)
COTANGENT_PROBE_UNARY(log1p)
COTANGENT_PROBE_UNARY(sin)
COTANGENT_PROBE_UNARY(cos)
COTANGENT_PROBE_UNARY(tan)
COTANGENT_PROBE_UNARY(asin)
COTANGENT_PROBE_UNARY(acos)
COTANGENT_PROBE_UNARY(atan)
COTANGENT_PROBE_UNARY(sinh)
COTANGENT_PROBE_UNARY(cosh)
COTANGENT_PROBE_UNARY(tanh)
COTANGENT_PROBE_UNARY(asinh)
COTANGENT_PROBE_UNARY(acosh)
COTANGENT_PROBE_UNARY(atanh)
COTANGENT_PROBE_UNARY(erf)
COTANGENT_PROBE_UNARY(erfc)
COTANGENT_PROBE_UNARY(lgamma)
COTANGENT_PROBE_UNARY(tgamma)
COTANGENT_PROBE_UNARY(digamma)
COTANGENT_PROBE_UNARY(sigmoid)
COTANGENT_PROBE_UNARY(softplus)
COTANGENT_PROBE_UNARY(softsign)
COTANGENT_PROBE_UNARY(gelu)
COTANGENT_PROBE_UNARY(gelu_tanh)
COTANGENT_PROBE_UNARY(silu)
#undef COTANGENT_PROBE_UNARY

// Functions with a kink, or a jump, at the points that the condition tells.
#define COTANGENT_PROBE_KINKED(name, at_kink, linear, taken)               \
  inline Probe name(const Probe& x) {                                      \
    const double v = x.value();                                            \
    if (at_kink) x.NoteKink(#name, taken);                                 \
    return probe_internal::Unary(                                          \
        #name, x, [](const auto& u) { return forward::name(u); }, linear); \
  }
COTANGENT_PROBE_KINKED(abs, v == 0, true, "derivative 0 is taken, between -1 and 1")
COTANGENT_PROBE_KINKED(fabs, v == 0, true, "derivative 0 is taken, between -1 and 1")
COTANGENT_PROBE_KINKED(relu, v == 0, true, "derivative 0 is taken, from the left")
COTANGENT_PROBE_KINKED(hard_swish, v == 3 || v == -3, false,
                       "the derivative is taken from outside [-3, 3]")
COTANGENT_PROBE_KINKED(sign, v == 0, true, "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(floor, v == std::floor(v), true, "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(ceil, v == std::floor(v), true, "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(trunc, v == std::floor(v) && v != 0, true, "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(round, v + 0.5 == std::floor(v + 0.5), true,
                       "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(rint, v + 0.5 == std::floor(v + 0.5), true,
                       "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(nearbyint, v + 0.5 == std::floor(v + 0.5), true,
                       "it jumps; derivative 0 is taken")
#undef COTANGENT_PROBE_KINKED

inline Probe leaky_relu(const Probe& x, double slope) {
  if (x.value() == 0) x.NoteKink("leaky_relu", "the derivative is taken from the left");
  return probe_internal::Unary(
      "leaky_relu", x, [&](const auto& v) { return forward::leaky_relu(v, slope); }, true);
}
inline Probe elu(const Probe& x, double alpha = 1) {
  if (x.value() == 0 && alpha != 1) x.NoteKink("elu", "the derivative is taken from the left");
  return probe_internal::Unary("elu", x, [&](const auto& v) { return forward::elu(v, alpha); });
}
inline Probe polygamma(int n, const Probe& x) {
  return probe_internal::Unary("polygamma", x,
                               [&](const auto& v) { return forward::polygamma(n, v); });
}
inline Probe ldexp(const Probe& x, int exponent) {
  return probe_internal::Unary(
      "ldexp", x, [&](const auto& v) { return forward::ldexp(v, exponent); }, true);
}

#define COTANGENT_PROBE_BINARY(name, at_kink, linear, taken)                                    \
  template <class A, class B>                                                                   \
  requires ProbePair<A, B> Probe name(const A& a, const B& b) {                                 \
    const Probe x = a, y = b;                                                                   \
    const double u = x.value(), v = y.value();                                                  \
    if (at_kink) (x.inputs() ? x : y).NoteKink(#name, taken);                                   \
    return probe_internal::Binary(                                                              \
        #name, x, y, [](const auto& s, const auto& t) { return forward::name(s, t); }, linear); \
  }
COTANGENT_PROBE_BINARY(pow, false && u == v, false, "")
COTANGENT_PROBE_BINARY(hypot, u == 0 && v == 0, false, "gradient 0 is taken")
COTANGENT_PROBE_BINARY(atan2, u == 0 && v < 0, false,
                       "it jumps; the derivative is that along either side")
COTANGENT_PROBE_BINARY(max, u == v, true, "a tie; the first argument's derivative is taken")
COTANGENT_PROBE_BINARY(min, u == v, true, "a tie; the first argument's derivative is taken")
COTANGENT_PROBE_BINARY(fmax, u == v, true, "a tie; the first argument's derivative is taken")
COTANGENT_PROBE_BINARY(fmin, u == v, true, "a tie; the first argument's derivative is taken")
COTANGENT_PROBE_BINARY(fdim, u == v, true, "derivative 0 is taken")
COTANGENT_PROBE_BINARY(fmod, std::fmod(u, v) == 0, true,
                       "it jumps; the derivative is that along either side")
COTANGENT_PROBE_BINARY(remainder, 2 * std::abs(std::remainder(u, v)) == std::abs(v), true,
                       "it jumps; the derivative is that along either side")
COTANGENT_PROBE_BINARY(copysign, u == 0 || v == 0, true, "derivative 0 is taken")
COTANGENT_PROBE_BINARY(logsumexp, false && u == v, false, "")
#undef COTANGENT_PROBE_BINARY

template <class B, class C>
Probe fma(const Probe& a, const B& b, const C& c) {
  return a * b + c;
}

// One result of many terms.
Probe logsumexp(std::span<const Probe> x);

inline bool isfinite(const Probe& x) { return std::isfinite(x.value()); }
inline bool isinf(const Probe& x) { return std::isinf(x.value()); }
inline bool isnan(const Probe& x) { return std::isnan(x.value()); }
inline bool signbit(const Probe& x) { return std::signbit(x.value()); }

// What a function does at x: its results' values and dependencies, and what was met on the way.
struct Inspection {
  Findings findings;
  std::vector<double> values;
  std::vector<std::vector<std::uint32_t>> dependencies;  // by result: the inputs, ascending
};

template <class F>
Inspection Inspect(const F& f, std::span<const double> x, bool track_pairs = false) {
  Inspection inspection;
  inspection.findings.track_pairs = track_pairs;
  if (track_pairs) inspection.findings.neighbours.resize(x.size());
  std::vector<Probe> at;
  for (std::size_t i = 0; i < x.size(); ++i) {
    at.push_back(Probe::Input(x[i], static_cast<std::uint32_t>(i), &inspection.findings));
  }
  for (const Probe& result : Outputs<Probe>(f, std::span<const Probe>(at))) {
    inspection.values.push_back(result.value());
    inspection.dependencies.push_back(result.inputs() ? *result.inputs()
                                                      : std::vector<std::uint32_t>());
  }
  return inspection;
}

}  // namespace cotangent::autodiff

template <>
class std::numeric_limits<cotangent::autodiff::Probe> : public std::numeric_limits<double> {};

#endif  // COTANGENT_AUTODIFF_PROBE_H_
