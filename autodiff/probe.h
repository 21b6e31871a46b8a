#ifndef COTANGENT_AUTODIFF_PROBE_H_
#define COTANGENT_AUTODIFF_PROBE_H_

// A Probe is a scalar that records facts about the function that it passes through. Run a function
// on Probes, then read from the Findings
//
//   - where the function left its domain, by which operation at which value ("log(-1) is nan");
//   - where a derivative is not finite ("sqrt(0) has derivative inf");
//   - at which kinks the point lies (points where the derivatives from left and right differ), and
//     which derivative is used there ("abs at 0: derivative 0 is taken, between -1 and 1");
//   - which inputs meet in a nonlinear operation: the pattern of the Hessian.
//
// Inspect() runs a function on Probes, and also returns which inputs each result depends on: the
// pattern of the Jacobian. (A pattern tells which entries of a matrix may differ from zero.) The
// patterns are valid at the point and wherever the function takes the same branches. Each value
// carries the set of inputs that it depends on; an operation's set is the union of its operands'
// sets (Griewank and Walther, Evaluating Derivatives, 2nd ed., section 7.1; for the Hessian,
// Walther, ACM TOMS 34(1), 2008).

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/function.h"
#include "autodiff/math.h"

namespace cotangent::autodiff {

// Stores sets of inputs, given by their indices from 0. A small set is stored as a list. The union
// of larger sets only stores which two sets it joins, and is turned into a list when its elements
// are asked for: so the sets of a sum of n terms cost O(n), not O(n^2).
class IndexSets {
 public:
  using Id = std::uint32_t;
  static constexpr Id kEmpty = 0;

  // Returns a set of one input.
  Id Single(std::uint32_t index);
  // Returns the union, which may be a or b itself.
  Id Union(Id a, Id b);
  // Returns the elements of `set` in ascending order.
  std::vector<std::uint32_t> Elements(Id set);

 private:
  struct Set {
    std::uint32_t begin = 0, size = 0;  // if listed: the set's range in elements_
    Id left = kEmpty, right = kEmpty;   // if not listed: the two sets that this union joins
    bool IsListed() const { return left == kEmpty; }
  };
  std::span<const std::uint32_t> List(const Set& set) const {
    return std::span(elements_).subspan(set.begin, set.size);
  }
  Id Append(std::span<const std::uint32_t> elements);

  std::vector<Set> sets_ = std::vector<Set>(1);
  std::vector<std::uint32_t> elements_;
  // For each set: the number of the last call of Elements that visited it. question_ is the number
  // of calls that had to visit sets.
  std::vector<std::uint32_t> visited_;
  std::uint32_t question_ = 0;
};

struct Findings {
  static constexpr std::size_t kMostNotes = 8;  // `domain` and `kinks` keep the first ones

  std::vector<std::string> domain;  // operations with a value or derivative that is not finite
  std::vector<std::string> kinks;
  bool track_pairs = false;  // whether to fill `neighbours`
  std::vector<std::set<std::uint32_t>>
      neighbours;  // for each input: the inputs that it meets in a nonlinear operation
  IndexSets sets;  // the sets of inputs that the probes refer to

  void AddDomain(std::string note);
  void AddKink(std::string note);
};

// A separate namespace, so that argument-dependent lookup for a Probe finds only what is declared
// in it: operators, functions named as in the standard library, and CotangentApply
// (autodiff/math.h).
namespace probing {

class Probe {
 public:
  Probe() = default;
  template <class S>
  requires std::is_arithmetic_v<S> Probe(S constant) : value_(static_cast<double>(constant)) {}

  static Probe Input(double value, std::uint32_t index, Findings* findings);

  double value() const { return value_; }
  bool IsConstant() const { return inputs_ == IndexSets::kEmpty; }
  // Returns the inputs that this value depends on, in ascending order.
  std::vector<std::uint32_t> Inputs() const;

  // Returns the result of the operation `name`: `value`, computed from `operands`, with derivatives
  // by each of them in `derivatives`. If all operands are finite, records a note if the value is
  // not, or else for each operand that is not constant and by which the derivative is not. If
  // Findings::track_pairs, and unless the operation is `linear`, also records which inputs meet in
  // it: for a product those of one operand with those of the other, for a quotient those of the
  // denominator with all, otherwise all with all.
  static Probe Apply(const char* name, double value, std::span<const double> derivatives,
                     std::span<const Probe* const> operands, bool linear);
  // Records a kink if a and b are equal and not both constant: a comparison of equal values may
  // choose between branches whose derivatives differ. `outcome` is the result of `a relation b`.
  static void NoteTie(const Probe& a, const Probe& b, const char* relation, bool outcome);
  // Records that the function `name` has a kink at this value, unless this is a constant; `taken`
  // says which derivative is used.
  void NoteKink(const char* name, const std::string& taken) const;
  // Returns a Probe with the given value that depends on the same inputs as this one.
  Probe WithValue(double value) const;

 private:
  double value_ = 0;
  IndexSets::Id inputs_ = IndexSets::kEmpty;
  Findings* findings_ = nullptr;  // null for a constant
};

template <class A, class B>
concept ProbePair = (std::same_as<A, Probe> &&
                     (std::same_as<B, Probe> || std::is_arithmetic_v<B>)) ||
                    (std::same_as<B, Probe> && std::is_arithmetic_v<A>);
template <class A, class B, class C>
concept ProbeTriple =
    (std::same_as<A, Probe> || std::same_as<B, Probe> ||
     std::same_as<C, Probe>)&&(std::convertible_to<A, Probe>&& std::convertible_to<B, Probe>&&
                                   std::convertible_to<C, Probe>);

}  // namespace probing
using probing::Probe;

namespace probe_internal {

// Unary and Several apply an operation to one or more operands: they compute its value and
// derivatives by `rule`, on the dual numbers of autodiff/forward, so that the findings agree with
// the derivatives that the modes of autodiff/differentiate.h compute.
template <class Rule>
Probe Unary(const char* name, const Probe& x, Rule rule, bool linear = false) {
  using D = forward::Dual<double, 1>;
  const D y = rule(D::Variable(x.value(), 0));
  const double derivative = y.tangent[0];
  const Probe* operand = &x;
  return Probe::Apply(name, y.value, {&derivative, 1}, {&operand, 1}, linear);
}

template <class Rule, class... X>
Probe Several(const char* name, bool linear, Rule rule, const X&... x) {
  using D = forward::Dual<double, sizeof...(X)>;
  int direction = 0;
  const D in[] = {x.IsConstant() ? (++direction, D(x.value()))
                                 : D::Variable(x.value(), direction++)...};
  const D y = [&]<std::size_t... I>(std::index_sequence<I...>) { return rule(in[I]...); }
  (std::index_sequence_for<X...>());
  double derivatives[sizeof...(X)];
  for (std::size_t i = 0; i < sizeof...(X); ++i) derivatives[i] = y.tangent[static_cast<int>(i)];
  const Probe* operands[] = {&x...};
  return Probe::Apply(name, y.value, derivatives, operands, linear);
}

}  // namespace probe_internal

namespace probing {

#define COTANGENT_PROBE_OPERATOR(op, linear)                                                   \
  template <class A, class B>                                                                  \
  requires ProbePair<A, B> Probe operator op(const A& a, const B& b) {                         \
    return probe_internal::Several(                                                            \
        #op, linear, [](const auto& x, const auto& y) { return x op y; }, Probe(a), Probe(b)); \
  }
COTANGENT_PROBE_OPERATOR(+, true)
COTANGENT_PROBE_OPERATOR(-, true)
COTANGENT_PROBE_OPERATOR(*, false)
COTANGENT_PROBE_OPERATOR(/, false)
#undef COTANGENT_PROBE_OPERATOR
inline Probe operator-(const Probe& x) {
  return probe_internal::Unary(
      "-", x, [](const auto& v) { return -v; }, true);
}
inline Probe operator+(const Probe& x) { return x; }
inline Probe& operator++(Probe& a) { return a = a + 1; }
inline Probe& operator--(Probe& a) { return a = a - 1; }
inline Probe operator++(Probe& a, int) { return std::exchange(a, a + 1); }
inline Probe operator--(Probe& a, int) { return std::exchange(a, a - 1); }
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

#define COTANGENT_PROBE_UNARY(name)                                                \
  inline Probe name(const Probe& x) {                                              \
    return probe_internal::Unary(#name, x, [](const auto& v) { return name(v); }); \
  }
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
#undef COTANGENT_PROBE_UNARY

#define COTANGENT_PROBE_NAMED(name)                                                           \
  inline Probe CotangentApply(functions::rule::name, const Probe& x) {                        \
    return probe_internal::Unary(#name, x, [](const auto& v) { return functions::name(v); }); \
  }
COTANGENT_PROBE_NAMED(sqr)
COTANGENT_PROBE_NAMED(digamma)
COTANGENT_PROBE_NAMED(sigmoid)
COTANGENT_PROBE_NAMED(softplus)
COTANGENT_PROBE_NAMED(softsign)
COTANGENT_PROBE_NAMED(gelu)
COTANGENT_PROBE_NAMED(gelu_tanh)
COTANGENT_PROBE_NAMED(silu)
#undef COTANGENT_PROBE_NAMED
inline double CotangentApply(functions::rule::value_of, const Probe& x) { return x.value(); }

// The macros COTANGENT_PROBE_KINKED and COTANGENT_PROBE_STEP define a function of x that has a kink
// or a jump where the condition `at_kink` (or `at_jump`) holds; in that condition, v is the value
// of x. The text `taken` says which derivative is used there.
#define COTANGENT_PROBE_KINKED(signature, name, call, at_kink, linear, taken) \
  inline Probe signature(const Probe& x) {                                    \
    const double v = x.value();                                               \
    if (at_kink) x.NoteKink(#name, taken);                                    \
    return probe_internal::Unary(                                             \
        #name, x, [](const auto& u) { return call(u); }, linear);             \
  }
#define COTANGENT_PROBE_STEP(name, at_jump) \
  COTANGENT_PROBE_KINKED(name, name, name, at_jump, true, "it jumps; derivative 0 is taken")
COTANGENT_PROBE_KINKED(abs, abs, abs, v == 0, true, "derivative 0 is taken, between -1 and 1")
COTANGENT_PROBE_KINKED(fabs, fabs, fabs, v == 0, true, "derivative 0 is taken, between -1 and 1")
COTANGENT_PROBE_STEP(floor, v == std::floor(v))
COTANGENT_PROBE_STEP(ceil, v == std::floor(v))
COTANGENT_PROBE_STEP(trunc, v == std::floor(v) && v != 0)
COTANGENT_PROBE_STEP(round, v + 0.5 == std::floor(v + 0.5))
COTANGENT_PROBE_STEP(rint, v + 0.5 == std::floor(v + 0.5))
COTANGENT_PROBE_STEP(nearbyint, v + 0.5 == std::floor(v + 0.5))
COTANGENT_PROBE_STEP(logb, v != 0 && std::abs(v) == std::ldexp(1.0, std::ilogb(v)))
#undef COTANGENT_PROBE_STEP
#define COTANGENT_PROBE_NAMED_KINKED(name, at_kink, linear, taken)           \
  inline Probe CotangentApply(functions::rule::name, const Probe& x) {       \
    const double v = x.value();                                              \
    if (at_kink) x.NoteKink(#name, taken);                                   \
    return probe_internal::Unary(                                            \
        #name, x, [](const auto& u) { return functions::name(u); }, linear); \
  }
COTANGENT_PROBE_NAMED_KINKED(relu, v == 0, true, "derivative 0 is taken, from the left")
COTANGENT_PROBE_NAMED_KINKED(hard_swish, v == 3 || v == -3, false,
                             "the derivative is taken from outside [-3, 3]")
COTANGENT_PROBE_NAMED_KINKED(sign, v == 0, true, "it jumps; derivative 0 is taken")
#undef COTANGENT_PROBE_NAMED_KINKED
#undef COTANGENT_PROBE_KINKED

inline Probe CotangentApply(functions::rule::leaky_relu, const Probe& x, double slope) {
  if (x.value() == 0) x.NoteKink("leaky_relu", "the derivative is taken from the left");
  return probe_internal::Unary(
      "leaky_relu", x, [&](const auto& v) { return functions::leaky_relu(v, slope); }, true);
}
inline Probe CotangentApply(functions::rule::elu, const Probe& x, double alpha) {
  if (x.value() == 0 && alpha != 1) x.NoteKink("elu", "the derivative is taken from the left");
  return probe_internal::Unary("elu", x, [&](const auto& v) { return functions::elu(v, alpha); });
}
inline Probe CotangentApply(functions::rule::polygamma, int n, const Probe& x) {
  return probe_internal::Unary("polygamma", x,
                               [&](const auto& v) { return functions::polygamma(n, v); });
}
inline Probe ldexp(const Probe& x, int exponent) {
  return probe_internal::Unary(
      "ldexp", x, [&](const auto& v) { return ldexp(v, exponent); }, true);
}
inline Probe scalbn(const Probe& x, int exponent) { return ldexp(x, exponent); }
inline Probe frexp(const Probe& x, int* exponent) {
  *exponent = 0;
  std::frexp(x.value(), exponent);
  return std::isfinite(x.value()) ? ldexp(x, -*exponent) : x;
}
inline Probe modf(const Probe& x, Probe* whole) {
  *whole = trunc(x);
  return probe_internal::Unary(
      "modf", x,
      [](const auto& v) {
        std::decay_t<decltype(v)> whole_part;
        return modf(v, &whole_part);
      },
      true);
}

#define COTANGENT_PROBE_BINARY(name, at_kink, linear, taken)                           \
  template <class A, class B>                                                          \
  requires ProbePair<A, B> Probe name(const A& a, const B& b) {                        \
    const Probe x = a, y = b;                                                          \
    [[maybe_unused]] const double u = x.value(), v = y.value();                        \
    if (at_kink) (x.IsConstant() ? y : x).NoteKink(#name, taken);                      \
    return probe_internal::Several(                                                    \
        #name, linear, [](const auto& s, const auto& t) { return name(s, t); }, x, y); \
  }
COTANGENT_PROBE_BINARY(pow, false, false, "")
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
// Where a caller has imported the templates std::max and std::min, overload resolution prefers
// these two functions to them, since they are not templates.
inline Probe max(const Probe& a, const Probe& b) { return max<Probe, Probe>(a, b); }
inline Probe min(const Probe& a, const Probe& b) { return min<Probe, Probe>(a, b); }
COTANGENT_PROBE_BINARY(nextafter, false, true, "")
#undef COTANGENT_PROBE_BINARY
template <class A, class B>
requires ProbePair<A, B> Probe CotangentApply(functions::rule::logsumexp, const A& a, const B& b) {
  return probe_internal::Several(
      "logsumexp", false, [](const auto& x, const auto& y) { return functions::logsumexp(x, y); },
      Probe(a), Probe(b));
}

template <class A, class B, class C>
requires ProbeTriple<A, B, C> Probe hypot(const A& a, const B& b, const C& c) {
  const Probe x = a, y = b, z = c;
  if (x.value() == 0 && y.value() == 0 && z.value() == 0)
    (x.IsConstant() ? y.IsConstant() ? z : y : x).NoteKink("hypot", "gradient 0 is taken");
  return probe_internal::Several(
      "hypot", false, [](const auto& u, const auto& v, const auto& w) { return hypot(u, v, w); }, x,
      y, z);
}
template <class A, class B, class C>
requires ProbeTriple<A, B, C> Probe fma(const A& a, const B& b, const C& c) {
  const Probe x = a, y = b, z = c;
  return (x * y + z).WithValue(std::fma(x.value(), y.value(), z.value()));
}
template <class A, class B, class C>
requires ProbeTriple<A, B, C> Probe lerp(const A& a, const B& b, const C& t) {
  const Probe x = a, y = b, s = t;
  return (x + s * (y - x)).WithValue(std::lerp(x.value(), y.value(), s.value()));
}
template <class A, class B, class C>
requires ProbeTriple<A, B, C> Probe clamp(const A& x, const B& low, const C& high) {
  return x < low ? Probe(low) : high < x ? Probe(high) : Probe(x);
}

// Records ln(sum of e^xi) as one operation with many operands.
Probe CotangentApply(functions::rule::logsumexp, std::span<const Probe> x);

#define COTANGENT_PROBE_QUESTION(type, name) \
  inline type name(const Probe& x) { return std::name(x.value()); }
COTANGENT_PROBE_QUESTION(bool, isfinite)
COTANGENT_PROBE_QUESTION(bool, isinf)
COTANGENT_PROBE_QUESTION(bool, isnan)
COTANGENT_PROBE_QUESTION(bool, isnormal)
COTANGENT_PROBE_QUESTION(bool, signbit)
COTANGENT_PROBE_QUESTION(int, fpclassify)
COTANGENT_PROBE_QUESTION(int, ilogb)
COTANGENT_PROBE_QUESTION(long, lround)
COTANGENT_PROBE_QUESTION(long long, llround)
COTANGENT_PROBE_QUESTION(long, lrint)
COTANGENT_PROBE_QUESTION(long long, llrint)
#undef COTANGENT_PROBE_QUESTION
COTANGENT_COMPARING_FUNCTIONS(ProbePair)

template <class Stream, std::same_as<Probe> X>
Stream& operator<<(Stream& out, const X& x) {
  out << x.value();
  return out;
}

}  // namespace probing

// Holds what one run of a function at x found: the findings on the way, the values of its results,
// and the inputs that each result depends on.
struct Inspection {
  Findings findings;
  std::vector<double> values;
  std::vector<std::vector<std::uint32_t>> dependencies;  // for each result: the inputs, ascending
};

// Runs f once at x on Probes. If track_pairs, also fills findings.neighbours.
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
    inspection.dependencies.push_back(result.Inputs());
  }
  return inspection;
}

}  // namespace cotangent::autodiff

template <>
class std::numeric_limits<cotangent::autodiff::Probe> : public std::numeric_limits<double> {};

#endif  // COTANGENT_AUTODIFF_PROBE_H_
