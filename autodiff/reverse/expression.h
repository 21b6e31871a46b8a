#ifndef COTANGENT_AUTODIFF_REVERSE_EXPRESSION_H_
#define COTANGENT_AUTODIFF_REVERSE_EXPRESSION_H_

// Defines the operators of the variables of a tape (BasicVar): arithmetic, comparisons, questions
// about a number such as isfinite(), and output to a stream. The concepts below say which types can
// be operands. node.h describes the nodes that the arithmetic operators build; functions.h has the
// functions. Include autodiff/reverse/tape.h, not this file.

#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

#include "autodiff/reverse/node.h"

namespace cotangent::autodiff::reverse {

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

// Returns the node for an operand: a Constant for a plain number, the node itself for a node, and
// for a variable a Leaf, or a Temporary if it is a result without a name (an rvalue) on a tape
// whose operators record.
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

// Returns what an operator returns: a variable, or the node itself if the tape's operators do not
// record (FusedTape, Recorder).
template <class Node>
COTANGENT_INLINE auto Result(const Node& node) {
  if constexpr (Node::Tape::kOperatorsRecord) {
    return BasicVar<typename Node::Tape>(node);
  } else {
    return node;
  }
}

// Remove the tape rows of operands that are temporaries (results without a name) from the end of
// the tape: a comparison has no derivative, so nothing needs these rows. Only the last row can be
// removed, and either operand's may be the last, so b is tried before and after a.
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

// Returns the value of an operand, which decides comparisons.
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

// Says what a comparison or question tests. The first six relations compare two numbers a and b. In
// the others, b is the answer to a question about a: kIsFinite means that std::isfinite(a) is b,
// and so on. A tape with kNotesBranches records each test with its outcome, by NoteBranch.
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

// ---- Questions about a number, which a tape can record as it records comparisons ----

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
