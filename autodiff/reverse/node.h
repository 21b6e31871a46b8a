#ifndef COTANGENT_AUTODIFF_REVERSE_NODE_H_
#define COTANGENT_AUTODIFF_REVERSE_NODE_H_

// Defines the expression nodes that operators on variables build. Include autodiff/reverse/tape.h,
// not this file.
//
// An operator or function builds a node, whose type spells out what it computes:
//
//   Product<Leaf, Temporary>,  Apply<sinRule, Leaf>
//
// The node holds its value and, for functions, its derivative by each operand. On a Tape the
// operator turns the node into a variable at once and returns that: this adds one row to the tape;
// a row is a list of pairs (operand, derivative by the operand). An operand without a name, like a
// * b in (a * b) * c, is a Temporary. If the rows of an operator's Temporaries are the last ones on
// the tape, and not too long, each is multiplied by the derivative of the result by that Temporary
// and becomes part of the new row (BasicTape::Write). So after `y = a * b + sin(a)` the tape has
// one row, (a, b), (b, a), (a, cos a), not three.
//
// On a FusedTape (tape.h) or a Recorder (recorder.h, which records programs for replay) the
// operators return the nodes themselves, and a whole statement is one large node
//
//   Sum<Product<Leaf, Leaf>, Apply<sinRule, Leaf>>
//
// When it is assigned to a variable, Push walks it from the top with the weight 1 and multiplies by
// the local derivatives on the way down, so that dy/d(leaf) arrives at each leaf: the compiler does
// the chain rule inside the statement. Such a node copies the values that it needs, so it denotes
// the variables as they are when it is built. In such code, keep results in the scalar type T (`T t
// = a * b;`): `auto` would keep the node. The two branches of `?:` may be nodes of different types,
// so turn both into T (`c ? T(a * b) : T(a + b)`).

#include <cmath>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autodiff/forward/dual.h"

#if !defined(COTANGENT_REVERSE_CHECKS)
#if defined(NDEBUG)
#define COTANGENT_REVERSE_CHECKS 0
#else
#define COTANGENT_REVERSE_CHECKS 1
#endif
#endif

#define COTANGENT_INLINE [[gnu::always_inline]] inline

namespace cotangent::autodiff::reverse {

// A separate namespace, so that argument-dependent lookup for a variable finds only what is
// declared in it: operators, functions named as in the standard library, and CotangentApply
// (autodiff/math.h).
namespace scalar {

template <class Tape>
class BasicVar;

// Each node type has kLeaves, the number of its leaves (mentions of variables); Value(); and
// Push<K>(weight, row), which calls row.Add<number>(leaf, product) for each leaf, where the product
// is `weight` times the derivative of the node by the leaf. The node's leaves are numbered from K
// on.

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
  std::uint32_t index;  // the variable's slot (index of its adjoint); 0: a constant
#if COTANGENT_REVERSE_CHECKS
  std::uint32_t owner;  // the serial number of the variable's tape
#endif
};

// A variable that is not read again: the result of an operator, to which no name was given.
template <class TapeType>
struct Temporary : Leaf<TapeType> {
  using typename Leaf<TapeType>::Real;
  COTANGENT_INLINE Temporary(const Leaf<TapeType>& leaf, std::uint32_t own)
      : Leaf<TapeType>(leaf), own(own) {}
  template <int K, class Row>
  COTANGENT_INLINE void Push(const Real& weight, Row& row) const {
    row.template Add<K>(*this, weight);
  }

  std::uint32_t own;  // the variable's slot; 0 if another variable may hold it, or += changed it
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

template <class L, class R>
struct Quotient;

}  // namespace scalar
using namespace scalar;  // NOLINT: nothing here is found by argument

template <class Node>
inline constexpr bool kIsConstant = false;
template <class Tape>
inline constexpr bool kIsConstant<Constant<Tape>> = true;
template <class Node>
inline constexpr bool kIsQuotient = false;
template <class L, class R>
inline constexpr bool kIsQuotient<Quotient<L, R>> = true;
template <class Node>
inline constexpr bool kIsLeaf = false;
template <class Tape>
inline constexpr bool kIsLeaf<Leaf<Tape>> = true;
template <class Node>
inline constexpr bool kIsTemporary = false;
template <class Tape>
inline constexpr bool kIsTemporary<Temporary<Tape>> = true;

// Whether the function that Rule calls (see Apply) ignores an argument wherever its derivative by
// that argument is 0, as max ignores the smaller one. Then the argument's own derivatives do not
// matter, even if they are infinite. functions.h lists these rules.
template <class Rule>
inline constexpr bool kIgnoresArguments = false;

namespace scalar {

// The common part of the nodes for the four arithmetic operations: operands and value.
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
    if constexpr (R::kLeaves == 0) {
      this->l.template Push<K>(by_l, row);
    } else {
      const Real by_r = -by_l * this->value;
      if (!forward::AllDigits(by_l) || !(forward::AllDigits(by_r) || forward::IsZero(this->value)))
          [[unlikely]] {
        PushApart<K>(weight, row);
      } else {
        this->l.template Push<K>(by_l, row);
        this->r.template Push<K + L::kLeaves>(by_r, row);
      }
    }
  }

 private:
  // Push() where weight / r or weight * (l / r) / r overflows or loses digits by underflow. The
  // derivatives by the leaves, which have further factors, may nevertheless be representable; and
  // if l and r depend on the same variable, as in x / x, the sum of its two derivatives may be
  // finite although each of them overflows. So weight and -weight * (l / r) are pushed undivided,
  // and the row divides what arrives at each leaf by r; if r has overflowed and l / r is 0, r
  // counts as constant, and what arrived at its leaves is dropped (KINKS AND EDGES in
  // autodiff/forward/dual.h). For a row without Divide(), both are divided by r before they are
  // pushed.
  template <int K, class Row>
  [[gnu::noinline, gnu::cold]] void PushApart(const Real& weight, Row& row) const {
    constexpr int kMiddle = K + L::kLeaves, kEnd = kMiddle + R::kLeaves;
    if constexpr (requires { row.template Divide<K, kEnd>(weight); }) {
      this->l.template Push<K>(weight, row);
      this->r.template Push<kMiddle>(-(weight * this->value), row);
      if (forward::Saturated(this->value, this->r.Value())) row.template Drop<kMiddle, kEnd>();
      row.template Divide<K, kEnd>(this->r.Value());
    } else {
      this->l.template Push<K>(weight / this->r.Value(), row);
      this->r.template Push<kMiddle>(-(weight * this->value) / this->r.Value(), row);
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

// The node for a call of any function of <cmath> or autodiff/math.h. rule(x...) calls the function.
// Evaluate calls the rule with dual numbers that have one direction for each argument that is not
// constant, which yields the value and all derivatives. So reverse mode shares the derivatives of
// autodiff/forward, and both modes agree to the last bit, also at kinks and at the edges of
// domains. The exceptions are rules that define Together(x, value, derivative), a faster way for
// plain numbers: their derivatives, those of sin and cos, may differ by a few units in the last
// place.
template <class Rule, class... Args>
struct Apply {
  using Tape = typename std::tuple_element_t<0, std::tuple<Args...>>::Tape;
  using Real = typename Tape::Real;
  static constexpr int kLeaves = (Args::kLeaves + ...);
  static constexpr int kDirections = ((kIsConstant<Args> ? 0 : 1) + ...);
  using Dual = forward::Dual<Real, kDirections>;

  // Returns the number of leaves (if `leaves`) or of non-constant arguments before argument I.
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
      const A& arg = std::get<I>(args);
      const Real& by_arg = derivative[Before<I>(false)];
      constexpr int kBegin = K + Before<I>(true), kEnd = kBegin + A::kLeaves;
      if constexpr (kIsLeaf<A> || !requires { row.template Drop<kBegin, kEnd>(); }) {
        arg.template Push<kBegin>(weight * by_arg, row);
      } else {
        if (kIsTemporary<A> || forward::AllFinite(by_arg)) {
          arg.template Push<kBegin>(weight * by_arg, row);
        } else {
          PushMoving<kBegin>(arg, weight * by_arg, row);
        }
        if (forward::Saturated(by_arg, arg.Value()) || Ignores(by_arg)) [[unlikely]]
          row.template Drop<kBegin, kEnd>();
      }
    }
  }

  COTANGENT_INLINE static bool Ignores([[maybe_unused]] const Real& by_arg) {
    if constexpr (kIgnoresArguments<Rule>) return forward::IsZero(by_arg);
    return false;
  }
  // Pushes a weight that is not finite to the leaves of `arg`, but leaves those at 0 by which the
  // derivative of `arg` is 0, as forward mode does: they do not move the result.
  template <int K, class A, class Row>
  [[gnu::noinline, gnu::cold]] static void PushMoving(const A& arg, const Real& weight, Row& row) {
    arg.template Push<K>(Real(1), row);
    row.template Multiply<K, K + A::kLeaves>(weight);
  }

  [[no_unique_address]] Rule rule;
  std::tuple<Args...> args;
  Real value;
  Real derivative[kDirections];
};

}  // namespace scalar
}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_NODE_H_
