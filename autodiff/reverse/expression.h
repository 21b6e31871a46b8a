#ifndef COTANGENT_AUTODIFF_REVERSE_EXPRESSION_H_
#define COTANGENT_AUTODIFF_REVERSE_EXPRESSION_H_

// What operators on variables build. Include autodiff/reverse/tape.h, not this file.
//
// An operator or function builds a node, whose type spells what it computes:
//
//   Product<Leaf, Temporary>,  Apply<SinRule, Leaf>
//
// It holds its value and, where it is not evident, its derivative by each operand. On a Tape the
// node becomes a variable at once, which is what the operator returns: a row of the tape with the
// derivatives by the operands. An operand that has no name, like a * b in (a * b) * c, is a
// Temporary, and if its row is the last one, that row is multiplied by the derivative and becomes
// part of the new one (BasicTape::Write): `y = a * b + sin(a)` is the row (a, b), (b, a), (a, cos a)
// when the statement ends, not three.
//
// On a FusedTape or a replay's Recorder the operators return the nodes themselves, and a statement
// is one large node
//
//   Sum<Product<Leaf, Leaf>, Apply<SinRule, Leaf>>
//
// Assigning it to a variable walks it from the top with the weight 1, multiplying by the local
// derivative on the way down, so that at each leaf arrives dy/d(leaf): the chain rule inside the
// statement, done by the compiler. Such a node copies what it needs and refers to nothing; but it
// denotes the variables as they are *now*. There, keep results in the scalar type (`T t = a * b;`),
// not in `auto`, and give branches of `?:` one type (`c ? T(a * b) : T(a + b)`).

#include <cmath>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autodiff/forward/dual.h"
#include "autodiff/reverse/sin_cos.h"

#if !defined(COTANGENT_REVERSE_CHECKS)
#if defined(NDEBUG)
#define COTANGENT_REVERSE_CHECKS 0
#else
#define COTANGENT_REVERSE_CHECKS 1
#endif
#endif

#define COTANGENT_INLINE [[gnu::always_inline]] inline

namespace cotangent::autodiff::reverse {

// What the lookup by argument finds for a variable: operators and the names of <cmath>.
namespace scalar {

template <class Tape>
class BasicVar;

// ---- The nodes ----
//
// Each has kLeaves, the number of variables it mentions; Value(); and Push<K>(weight, row), which
// adds to `row` the derivatives by its leaves, numbered from K on, times `weight`.

template <class TapeType>
struct Leaf {
  using Tape = TapeType;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = 1;

  COTANGENT_INLINE const Real& Value() const { return value; }
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    row.template Add<K>(*this, weight);
  }

  Real value;
  std::uint32_t index;  // of its slot on the tape; 0 for a constant
#if COTANGENT_REVERSE_CHECKS
  std::uint32_t owner;  // the tape's serial number
#endif
};

// A variable that is not read again (the result of an operator, before it has a name).
template <class TapeType>
struct Temporary : Leaf<TapeType> {
  using typename Leaf<TapeType>::Real;
  COTANGENT_INLINE Temporary(const Leaf<TapeType>& leaf, std::uint32_t own)
      : Leaf<TapeType>(leaf), own(own) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    row.template Add<K>(*this, weight);
  }

  std::uint32_t own;  // its slot if no other variable holds that, or 0
};

template <class TapeType>
struct Constant {
  using Tape = TapeType;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = 0;

  COTANGENT_INLINE const Real& Value() const { return value; }
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real&, Row&) const {}

  Real value;
};

}  // namespace scalar
using namespace scalar;  // NOLINT: nothing here is found by argument

template <class Node>
inline constexpr bool kIsConstant = false;
template <class Tape>
inline constexpr bool kIsConstant<Constant<Tape>> = true;

namespace scalar {

// What the four operations share.
template <class L, class R>
struct BinaryNode {
  using Tape = typename L::Tape;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = L::kLeaves + R::kLeaves;

  COTANGENT_INLINE BinaryNode(const L& l, const R& r, const Real& value)
      : l(l), r(r), value(value) {}
  COTANGENT_INLINE const Real& Value() const { return value; }

  L l;
  R r;
  Real value;
};

template <class L, class R>
struct Sum : BinaryNode<L, R> {  // d(l + r) = dl + dr
  using typename BinaryNode<L, R>::Real;
  COTANGENT_INLINE Sum(const L& l, const R& r) : BinaryNode<L, R>(l, r, l.Value() + r.Value()) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    this->l.template Push<K>(weight, row);
    this->r.template Push<K + L::kLeaves>(weight, row);
  }
};

template <class L, class R>
struct Difference : BinaryNode<L, R> {  // d(l - r) = dl - dr
  using typename BinaryNode<L, R>::Real;
  COTANGENT_INLINE Difference(const L& l, const R& r)
      : BinaryNode<L, R>(l, r, l.Value() - r.Value()) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    this->l.template Push<K>(weight, row);
    this->r.template Push<K + L::kLeaves>(-weight, row);
  }
};

template <class L, class R>
struct Product : BinaryNode<L, R> {  // d(l r) = r dl + l dr
  using typename BinaryNode<L, R>::Real;
  COTANGENT_INLINE Product(const L& l, const R& r)
      : BinaryNode<L, R>(l, r, l.Value() * r.Value()) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    if constexpr (L::kLeaves > 0) this->l.template Push<K>(weight * this->r.Value(), row);
    if constexpr (R::kLeaves > 0)
      this->r.template Push<K + L::kLeaves>(weight * this->l.Value(), row);
  }
};

template <class L, class R>
struct Quotient : BinaryNode<L, R> {  // d(l / r) = dl / r - (l / r) dr / r
  using typename BinaryNode<L, R>::Real;
  COTANGENT_INLINE Quotient(const L& l, const R& r)
      : BinaryNode<L, R>(l, r, l.Value() / r.Value()) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    const Real by_l = weight / this->r.Value();
    this->l.template Push<K>(by_l, row);
    if constexpr (R::kLeaves > 0) {
      // 1 / r may overflow where (l / r) / r does not.
      const bool overflows = !forward::AllFinite(by_l);
      const Real by_r =
          overflows ? Real(-(weight * this->value) / this->r.Value()) : Real(-by_l * this->value);
      this->r.template Push<K + L::kLeaves>(by_r, row);
    }
  }
};

template <class A>
struct Negative {
  using Tape = typename A::Tape;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = A::kLeaves;
  COTANGENT_INLINE explicit Negative(const A& a) : a(a), value(-a.Value()) {}
  COTANGENT_INLINE const Real& Value() const { return value; }
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    a.template Push<K>(-weight, row);
  }

  A a;
  Real value;
};

// Any function of <cmath> or autodiff/math.h. Rule()(x...) calls it unqualified; called with dual
// numbers of one direction for each operand it returns the value and the derivatives together, so
// there is one table of derivatives, autodiff/forward's, and both modes agree to the last bit, at
// kinks and at the edges of domains too. (A rule may have Together(x, value, derivative) where
// plain numbers have a faster way to the same.)
template <class Rule, class... Args>
struct Apply {
  using Tape = typename std::tuple_element_t<0, std::tuple<Args...>>::Tape;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = (Args::kLeaves + ...);
  static constexpr int kDirections = ((kIsConstant<Args> ? 0 : 1) + ...);
  using Dual = forward::Dual<Real, kDirections>;

  // The number of non-constant arguments, or of leaves, before argument I.
  template <int I>
  static constexpr int Before(bool leaves) {
    constexpr bool kConstant[] = {kIsConstant<Args>...};
    constexpr int kCount[] = {Args::kLeaves...};
    int before = 0;
    for (int i = 0; i < I; ++i) before += leaves ? kCount[i] : !kConstant[i];
    return before;
  }

  COTANGENT_INLINE explicit Apply(const Rule& rule, const Args&... args)
      : rule(rule), args(args...) {
    Evaluate(std::index_sequence_for<Args...>());
  }
  COTANGENT_INLINE const Real& Value() const { return value; }
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    PushAll<K>(weight, row, std::index_sequence_for<Args...>());
  }

  template <std::size_t... I>
  COTANGENT_INLINE void Evaluate(std::index_sequence<I...>) {
    if constexpr (requires { Rule::Together(std::get<0>(args).Value(), value, derivative[0]); }) {
      Rule::Together(std::get<0>(args).Value(), value, derivative[0]);
    } else {
      const Dual result = rule(Seed<I>(std::get<I>(args))...);
      value = result.value;
      for (int i = 0; i < kDirections; ++i) derivative[i] = result.tangent[i];
    }
  }
  template <int I, class A>
  COTANGENT_INLINE static auto Seed(const A& a) {
    if constexpr (kIsConstant<A>) {
      return a.value;
    } else {
      return Dual::Variable(a.Value(), Before<I>(false));
    }
  }
  template <int K, class Row, std::size_t... I>
  COTANGENT_INLINE void PushAll(const Real& weight, Row& row, std::index_sequence<I...>) const {
    (PushOne<K, I>(weight, row), ...);
  }
  template <int K, int I, class Row>
  COTANGENT_INLINE void PushOne(const Real& weight, Row& row) const {
    using A = std::tuple_element_t<I, std::tuple<Args...>>;
    if constexpr (!kIsConstant<A>) {
      std::get<I>(args).template Push<K + Before<I>(true)>(weight * derivative[Before<I>(false)],
                                                           row);
    }
  }

  [[no_unique_address]] Rule rule;
  std::tuple<Args...> args;
  Real value;
  Real derivative[kDirections];
};

}  // namespace scalar

// ---- Operands: variables, nodes and, beside at least one of those, plain numbers ----

template <class A>
struct OperandTraits {
  static constexpr bool kActive = false;
};
template <class T>
struct OperandTraits<BasicVar<T>> {
  static constexpr bool kActive = true;
  using Tape = T;
};
template <class Node>
requires requires {
  typename Node::Tape;
  Node::kLeaves;
}
struct OperandTraits<Node> {
  static constexpr bool kActive = true;
  using Tape = typename Node::Tape;
};

template <class A>
concept Active = OperandTraits<A>::kActive;

template <class A, class... Rest>
struct FirstTape : FirstTape<Rest...> {};
template <Active A, class... Rest>
struct FirstTape<A, Rest...> {
  using type = typename OperandTraits<A>::Tape;
};
template <class... A>
using TapeOf = typename FirstTape<A...>::type;

template <class A, class Tape>
concept OperandOf = (Active<A> && std::same_as<TapeOf<A>, Tape>) ||
                    (!Active<A> && std::convertible_to<A, typename Tape::Real>);

template <class... A>
concept Operands = (Active<A> || ...) && (OperandOf<A, TapeOf<A...>> && ...);

template <class A>
using Bare = std::remove_cvref_t<A>;

// The node of an operand.
template <class Tape, class A>
COTANGENT_INLINE auto Lift(A&& a) {
  if constexpr (!Active<Bare<A>>) {
    return Constant<Tape>{static_cast<typename Tape::Real>(a)};
  } else if constexpr (!requires { a.AsLeaf(); }) {
    return Bare<A>(a);
  } else if constexpr (Tape::kOperatorsRecord && std::is_same_v<A, Bare<A>>) {
    return a.AsTemporary();
  } else {
    return a.AsLeaf();
  }
}
template <class Tape, class A>
using Lifted = decltype(Lift<Tape>(std::declval<A>()));

// What an operator returns: a variable, or for a Recorder the node.
template <class Node>
COTANGENT_INLINE auto Result(const Node& node) {
  if constexpr (Node::Tape::kOperatorsRecord) {
    return BasicVar<typename Node::Tape>(node);
  } else {
    return node;
  }
}

// Takes operands that are not read again off the tape, whichever was the last: nothing hangs on
// them.
template <class Tape, class A>
COTANGENT_INLINE void Discard(A&& a) {
  if constexpr (Tape::kOperatorsRecord && Active<Bare<A>> && std::is_same_v<A, Bare<A>>)
    Tape::Discard(a.AsTemporary().own);
}
template <class Tape, class A, class B>
COTANGENT_INLINE void Discard(A&& a, B&& b) {
  Discard<Tape, B>(std::forward<B>(b));
  Discard<Tape, A>(std::forward<A>(a));
  Discard<Tape, B>(std::forward<B>(b));
}

// The value of an operand, by which comparisons are made.
template <class A>
COTANGENT_INLINE const auto& ValueOf(const A& a) {
  if constexpr (Active<A>) {
    return a.Value();
  } else {
    return a;
  }
}

namespace scalar {

// ---- Arithmetic and comparison ----

template <class A, class B>
requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE auto operator+(A&& a, B&& b) {
  using Tape = TapeOf<Bare<A>, Bare<B>>;
  return Result(Sum<Lifted<Tape, A>, Lifted<Tape, B>>(Lift<Tape>(std::forward<A>(a)),
                                                      Lift<Tape>(std::forward<B>(b))));
}
template <class A, class B>
requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE auto operator-(A&& a, B&& b) {
  using Tape = TapeOf<Bare<A>, Bare<B>>;
  return Result(Difference<Lifted<Tape, A>, Lifted<Tape, B>>(Lift<Tape>(std::forward<A>(a)),
                                                             Lift<Tape>(std::forward<B>(b))));
}
template <class A, class B>
requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE auto operator*(A&& a, B&& b) {
  using Tape = TapeOf<Bare<A>, Bare<B>>;
  return Result(Product<Lifted<Tape, A>, Lifted<Tape, B>>(Lift<Tape>(std::forward<A>(a)),
                                                          Lift<Tape>(std::forward<B>(b))));
}
template <class A, class B>
requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE auto operator/(A&& a, B&& b) {
  using Tape = TapeOf<Bare<A>, Bare<B>>;
  return Result(Quotient<Lifted<Tape, A>, Lifted<Tape, B>>(Lift<Tape>(std::forward<A>(a)),
                                                           Lift<Tape>(std::forward<B>(b))));
}
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE auto operator-(A&& a) {
  using Tape = TapeOf<Bare<A>>;
  return Result(Negative<Lifted<Tape, A>>(Lift<Tape>(std::forward<A>(a))));
}
template <class A>
requires Active<Bare<A>> COTANGENT_INLINE Bare<A>
operator+(A&& a) { return std::forward<A>(a); }

// A tape may take note of the branch.
//
// The last ones are of a number and the answer b to what is asked of it: std::isfinite(a) is b, and
// so on.
enum class Relation {
  kEqual,
  kNotEqual,
  kLess,
  kGreater,
  kLessEqual,
  kGreaterEqual,
  kIsFinite,
  kIsInf,
  kIsNan,
  kIsNormal,
  kSignbit,
  kFpclassify,
  kIlogb,
};
#define COTANGENT_COMPARISON(op, relation)                                                   \
  template <class A, class B>                                                                \
  requires Operands<Bare<A>, Bare<B>> COTANGENT_INLINE bool operator op(A&& a, B&& b) {      \
    using Tape = TapeOf<Bare<A>, Bare<B>>;                                                   \
    const bool outcome = ValueOf(a) op ValueOf(b);                                           \
    if constexpr (Tape::kNotesBranches) Tape::NoteBranch(Relation::relation, a, b, outcome); \
    Discard<Tape>(std::forward<A>(a), std::forward<B>(b));                                   \
    return outcome;                                                                          \
  }
COTANGENT_COMPARISON(==, kEqual)
COTANGENT_COMPARISON(!=, kNotEqual)
COTANGENT_COMPARISON(<, kLess)
COTANGENT_COMPARISON(>, kGreater)
COTANGENT_COMPARISON(<=, kLessEqual)
COTANGENT_COMPARISON(>=, kGreaterEqual)
#undef COTANGENT_COMPARISON

// ---- Functions ----
//
// To add a function: give it a rule for dual numbers in autodiff/forward/functions.h and name it
// here: among those of <cmath>, which are found by argument, or among those of autodiff/math.h,
// which answer to functions::rule.

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

// The value is the C library's, bit for bit; the derivative does not wait for it (sin_cos.h).
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

// Functions with a parameter that is a plain number.
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

// x less its whole part.
struct FractionRule {
  template <class T>
  COTANGENT_INLINE auto operator()(const T& x) const {
    T whole;
    return modf(x, &whole);
  }
};

// The larger of two, as a constant: what logsumexp shifts by.
struct ShiftRule {
  template <class A, class B>
  COTANGENT_INLINE auto operator()(const A& a, const B& b) const {
    using D = forward::Promoted<A, B>;
    return D(forward::ValueOf(max(a, b)));
  }
};

// ---- Questions, which a tape may take note of as of comparisons ----

#define COTANGENT_QUESTION(type, name, relation)                                  \
  template <class A>                                                              \
  requires Active<Bare<A>> COTANGENT_INLINE type name(A&& a) {                    \
    using Tape = TapeOf<Bare<A>>;                                                 \
    const type answer = std::name(functions::value_of(a.Value()));                \
    if constexpr (Tape::kNotesBranches)                                           \
      Tape::NoteBranch(Relation::relation, a, static_cast<double>(answer), true); \
    Discard<Tape>(std::forward<A>(a));                                            \
    return answer;                                                                \
  }
COTANGENT_QUESTION(bool, isfinite, kIsFinite)
COTANGENT_QUESTION(bool, isinf, kIsInf)
COTANGENT_QUESTION(bool, isnan, kIsNan)
COTANGENT_QUESTION(bool, isnormal, kIsNormal)
COTANGENT_QUESTION(bool, signbit, kSignbit)
COTANGENT_QUESTION(int, fpclassify, kFpclassify)
COTANGENT_QUESTION(int, ilogb, kIlogb)
#undef COTANGENT_QUESTION

template <class Stream, Active A>
requires requires(Stream& out, const A& a) { out << a.Value(); }
Stream& operator<<(Stream& out, const A& a) {
  out << a.Value();
  return out;
}

}  // namespace scalar
}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_EXPRESSION_H_
