#ifndef COTANGENT_AUTODIFF_REVERSE_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_REVERSE_FUNCTIONS_H_

// Defines the functions of reverse-mode variables. Include autodiff/reverse/tape.h, not this file.
//
// To add a function, give it a rule for dual numbers in autodiff/forward/functions.h, and name it
// here: with COTANGENT_UNARY and the like if <cmath> has it (argument-dependent lookup finds it),
// or with COTANGENT_NAMED if autodiff/math.h declares it (it is called through functions::rule).

#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

#include "autodiff/forward/dual.h"
#include "autodiff/reverse/expression.h"
#include "autodiff/reverse/sin_cos.h"

namespace cotangent::autodiff::reverse::scalar {

#define COTANGENT_RULE(name)                                \
  struct name##Rule {                                       \
    template <class... T>                                   \
    COTANGENT_INLINE auto operator()(const T&... x) const { \
      return name(x...);                                    \
    }                                                       \
  };

#define COTANGENT_UNARY(name) COTANGENT_RULE(name) COTANGENT_OF_ONE(name)
#define COTANGENT_OF_ONE(name)                                                             \
  template <class A>                                                                       \
  requires Active<Bare<A>> COTANGENT_INLINE auto name(A&& a) {                             \
    using Tape = TapeOf<Bare<A>>;                                                          \
    return Result(Apply<name##Rule, Lifted<Tape, A>>({}, Lift<Tape>(std::forward<A>(a)))); \
  }
#define COTANGENT_BINARY(name)                                                   \
  COTANGENT_RULE(name)                                                           \
  template <class A, class B>                                                    \
  requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE auto name(A&& a, B&& b) { \
    using Tape = TapeOf<Bare<A>, Bare<B>>;                                       \
    return Result(Apply<name##Rule, Lifted<Tape, A>, Lifted<Tape, B>>(           \
        {}, Lift<Tape>(std::forward<A>(a)), Lift<Tape>(std::forward<B>(b))));    \
  }
#define COTANGENT_TERNARY_FUNCTION(name)                                                         \
  template <class A, class B, class C>                                                           \
  requires Operands<Bare<A>, Bare<B>, Bare<C>> COTANGENT_INLINE auto name(A&& a, B&& b, C&& c) { \
    using Tape = TapeOf<Bare<A>, Bare<B>, Bare<C>>;                                              \
    return Result(Apply<name##Rule, Lifted<Tape, A>, Lifted<Tape, B>, Lifted<Tape, C>>(          \
        {}, Lift<Tape>(std::forward<A>(a)), Lift<Tape>(std::forward<B>(b)),                      \
        Lift<Tape>(std::forward<C>(c))));                                                        \
  }

COTANGENT_UNARY(abs)
COTANGENT_UNARY(fabs)
COTANGENT_UNARY(sqrt)
COTANGENT_UNARY(cbrt)
COTANGENT_UNARY(exp)
COTANGENT_UNARY(exp2)
COTANGENT_UNARY(expm1)
COTANGENT_UNARY(log)
COTANGENT_UNARY(log2)
COTANGENT_UNARY(log10)
COTANGENT_UNARY(log1p)
COTANGENT_UNARY(tan)
COTANGENT_UNARY(asin)
COTANGENT_UNARY(acos)
COTANGENT_UNARY(atan)
COTANGENT_UNARY(sinh)
COTANGENT_UNARY(cosh)
COTANGENT_UNARY(tanh)
COTANGENT_UNARY(asinh)
COTANGENT_UNARY(acosh)
COTANGENT_UNARY(atanh)
COTANGENT_UNARY(erf)
COTANGENT_UNARY(erfc)
COTANGENT_UNARY(lgamma)
COTANGENT_UNARY(tgamma)
COTANGENT_UNARY(floor)
COTANGENT_UNARY(ceil)
COTANGENT_UNARY(trunc)
COTANGENT_UNARY(round)
COTANGENT_UNARY(rint)
COTANGENT_UNARY(nearbyint)
COTANGENT_UNARY(logb)

COTANGENT_BINARY(pow)
COTANGENT_BINARY(hypot)
COTANGENT_BINARY(atan2)
COTANGENT_BINARY(max)
COTANGENT_BINARY(min)
COTANGENT_BINARY(fmax)
COTANGENT_BINARY(fmin)
COTANGENT_BINARY(fdim)
COTANGENT_BINARY(fmod)
COTANGENT_BINARY(remainder)
COTANGENT_BINARY(copysign)
COTANGENT_BINARY(nextafter)

COTANGENT_TERNARY_FUNCTION(hypot)
COTANGENT_RULE(fma)
COTANGENT_TERNARY_FUNCTION(fma)
COTANGENT_RULE(lerp)
COTANGENT_TERNARY_FUNCTION(lerp)
#undef COTANGENT_BINARY
#undef COTANGENT_TERNARY_FUNCTION
#undef COTANGENT_RULE

#define COTANGENT_NAMED(name)                                                                    \
  struct name##Rule {                                                                            \
    template <class... T>                                                                        \
    COTANGENT_INLINE auto operator()(const T&... x) const {                                      \
      return functions::name(x...);                                                              \
    }                                                                                            \
  };                                                                                             \
  template <class... A>                                                                          \
  requires Operands<Bare<A>...> COTANGENT_INLINE auto CotangentApply(functions::rule::name,      \
                                                                     A&&... a) {                 \
    using Tape = TapeOf<Bare<A>...>;                                                             \
    return Result(Apply<name##Rule, Lifted<Tape, A>...>({}, Lift<Tape>(std::forward<A>(a))...)); \
  }
COTANGENT_NAMED(sqr)
COTANGENT_NAMED(sign)
COTANGENT_NAMED(sigmoid)
COTANGENT_NAMED(softplus)
COTANGENT_NAMED(softsign)
COTANGENT_NAMED(relu)
COTANGENT_NAMED(gelu)
COTANGENT_NAMED(gelu_tanh)
COTANGENT_NAMED(silu)
COTANGENT_NAMED(hard_swish)
COTANGENT_NAMED(digamma)
COTANGENT_NAMED(logsumexp)
#undef COTANGENT_NAMED

template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto CotangentApply(functions::rule::value_of, A&& a) {
  const auto value = functions::value_of(a.Value());
  Discard<TapeOf<Bare<A>>>(std::forward<A>(a));
  return value;
}

// Defines sin or cos. The value is bit for bit the C library's. For plain numbers, the derivative
// `slope` is computed independently of the value, so that neither waits for the other (sin_cos.h).
#define COTANGENT_TRIGONOMETRIC(name, slope)                                             \
  struct name##Rule {                                                                    \
    template <class T>                                                                   \
    COTANGENT_INLINE auto operator()(const T& x) const {                                 \
      return name(x);                                                                    \
    }                                                                                    \
    COTANGENT_INLINE static void Together(double x, double& value, double& derivative) { \
      value = std::name(x);                                                              \
      derivative = slope;                                                                \
    }                                                                                    \
  };                                                                                     \
  COTANGENT_OF_ONE(name)
COTANGENT_TRIGONOMETRIC(sin, SinAndCos(x).cos)
COTANGENT_TRIGONOMETRIC(cos, -SinAndCos(x).sin)
#undef COTANGENT_TRIGONOMETRIC
#undef COTANGENT_UNARY
#undef COTANGENT_OF_ONE

// leaky_relu, elu, polygamma and ldexp have a parameter that is a plain number. Their rules hold
// that parameter.
struct LeakyReluRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    return functions::leaky_relu(x, slope);
  }
  double slope;
};
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto CotangentApply(functions::rule::leaky_relu, A&& a,
                                                              double slope) {
  using Tape = TapeOf<Bare<A>>;
  return Result(Apply<LeakyReluRule, Lifted<Tape, A>>({slope}, Lift<Tape>(std::forward<A>(a))));
}

struct EluRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    return functions::elu(x, alpha);
  }
  double alpha;
};
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto CotangentApply(functions::rule::elu, A&& a,
                                                              double alpha) {
  using Tape = TapeOf<Bare<A>>;
  return Result(Apply<EluRule, Lifted<Tape, A>>({alpha}, Lift<Tape>(std::forward<A>(a))));
}

struct PolygammaRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    return functions::polygamma(n, x);
  }
  int n;
};
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto CotangentApply(functions::rule::polygamma, int n,
                                                              A&& a) {
  using Tape = TapeOf<Bare<A>>;
  return Result(Apply<PolygammaRule, Lifted<Tape, A>>({n}, Lift<Tape>(std::forward<A>(a))));
}

struct LdexpRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    return ldexp(x, exponent);
  }
  int exponent;
};
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto ldexp(A&& a, int exponent) {
  using Tape = TapeOf<Bare<A>>;
  return Result(Apply<LdexpRule, Lifted<Tape, A>>({exponent}, Lift<Tape>(std::forward<A>(a))));
}
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto scalbn(A&& a, int exponent) {
  return ldexp(std::forward<A>(a), exponent);
}

template <class A, class B>
concept OperandPair = Operands<Bare<A>, Bare<B>>;
COTANGENT_COMPARING_FUNCTIONS(OperandPair)
COTANGENT_ROUNDING_FUNCTIONS(Active)

// The rule whose call returns x minus its whole part.
struct FractionRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    T whole;
    return modf(x, &whole);
  }
};

// The rule whose call returns the larger of two values as a constant (its derivatives are 0);
// logsumexp subtracts it from its arguments.
struct ShiftRule {
  template <class A, class B>
  COTANGENT_INLINE auto operator()(const A& a, const B& b) const {
    using D = forward::Promoted<A, B>;
    return D(forward::ValueOf(max(a, b)));
  }
};

}  // namespace cotangent::autodiff::reverse::scalar

namespace cotangent::autodiff::reverse {

#define COTANGENT_IGNORES(name) \
  template <>                   \
  inline constexpr bool kIgnoresArguments<name##Rule> = true;
COTANGENT_IGNORES(floor)
COTANGENT_IGNORES(ceil)
COTANGENT_IGNORES(trunc)
COTANGENT_IGNORES(round)
COTANGENT_IGNORES(rint)
COTANGENT_IGNORES(nearbyint)
COTANGENT_IGNORES(logb)
COTANGENT_IGNORES(sign)
COTANGENT_IGNORES(max)
COTANGENT_IGNORES(min)
COTANGENT_IGNORES(fmax)
COTANGENT_IGNORES(fmin)
COTANGENT_IGNORES(fdim)
COTANGENT_IGNORES(relu)
COTANGENT_IGNORES(hard_swish)
#undef COTANGENT_IGNORES

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_FUNCTIONS_H_
