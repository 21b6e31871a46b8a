#ifndef COTANGENT_AUTODIFF_REVERSE_FORM_H_
#define COTANGENT_AUTODIFF_REVERSE_FORM_H_

// Defines the forms: how each type of node of an expression is recorded, and computed on both walks
// of a replay (kernel.h). Include autodiff/reverse/program.h, not this file.
//
// A Form describes one type of node in an expression. kNodes counts the numbers that the backward
// walk keeps for it: the values of its nodes (itself first) and the derivatives of functions. They
// are numbered from K on, the node's leaves from L on. kOperands counts its variables, constants
// and parameters of functions (all have slots), kSaved the chunks that it saves. Record appends the
// operands to the recording; Value computes the node on the forward walk. On the backward walk,
// Load loads the values, and Push takes the derivative of the statement's result by the node (its
// weight) and passes to each operand the product with the local derivative. Functions are computed
// only on the forward walk: their values and derivatives are saved for the backward walk.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autodiff/reverse/chunk.h"
#include "autodiff/reverse/functions.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace cotangent::autodiff::reverse::replay {

class Recorder;

// Calls f(integral_constant<int, 0>), ..., f(integral_constant<int, N - 1>).
template <int N, class F>
COTANGENT_INLINE void Unrolled(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>()), ...);
  }
  (std::make_integer_sequence<int, N>());
}

template <class Node>
struct Form;

template <class Tape>
struct Form<Leaf<Tape>> {
  static constexpr int kNodes = 1, kOperands = 1, kSaved = 0;
  static void Record(const Leaf<Tape>& node, Recorder& recorder);
  template <class Reader>
  COTANGENT_INLINE static typename Reader::Chunk Value(Reader& at) {
    return at.Operand();
  }
  template <int K, int L, class Reader, class S>
  COTANGENT_INLINE static void Load(Reader& at, S& scratch) {
    scratch.place[L] = at.OperandPlace();
    scratch.value[K] = at.Operand();
  }
  template <int K, int L, class Chunk, class S>
  COTANGENT_INLINE static void Push(const Chunk& weight, S& scratch) {
    scratch.weight[L] = weight;
  }
};

template <class Tape>
struct Form<Constant<Tape>> {
  static constexpr int kNodes = 1, kOperands = 1, kSaved = 0;
  static void Record(const Constant<Tape>& node, Recorder& recorder);
  template <class Reader>
  COTANGENT_INLINE static typename Reader::Chunk Value(Reader& at) {
    return at.Operand();
  }
  template <int K, int L, class Reader, class S>
  COTANGENT_INLINE static void Load(Reader& at, S& scratch) {
    scratch.value[K] = at.Operand();
  }
  template <int K, int L, class Chunk, class S>
  COTANGENT_INLINE static void Push(const Chunk&, S&) {}
};

// Where, for the weight w of a quotient y = l / r, w / r overflows, or it or w / r * y loses digits
// by underflow: hands w and -w y to the operands, lets Scratch divide what arrives at each leaf by
// r, as the rows of a tape do (PushApart() in node.h), and returns true. Otherwise does nothing and
// returns false.
template <class A, class B, int K, int L, class Chunk, class S>
COTANGENT_INLINE bool PushApart(const Chunk& w, S& scratch) {
  constexpr int kA = K + 1, kB = kA + Form<A>::kNodes;
  constexpr int kMiddle = L + A::kLeaves, kEnd = kMiddle + B::kLeaves;
  const Chunk y = scratch.value[K], r = scratch.value[kB], by_l = w / r;
  if (AllDigits(by_l, by_l * y, y)) [[likely]]
    return false;
  if constexpr (A::kLeaves > 0) Form<A>::template Push<kA, L>(w, scratch);
  Form<B>::template Push<kB, kMiddle>(-(w * y), scratch);
  scratch.template Drop<kMiddle, kEnd>(y, r);
  scratch.template Divide<L, kEnd>(r);
  return true;
}

// The four operations. weight_l and weight_r are the weights of the operands l and r in terms of
// the node's own weight w, the values l and r, and the node's value y.
#define COTANGENT_FORM(Op, op, weight_l, weight_r)                                                 \
  template <class A, class B>                                                                      \
  struct Form<Op<A, B>> {                                                                          \
    static constexpr int kNodes = 1 + Form<A>::kNodes + Form<B>::kNodes;                           \
    static constexpr int kOperands = Form<A>::kOperands + Form<B>::kOperands;                      \
    static constexpr int kSaved = Form<A>::kSaved + Form<B>::kSaved;                               \
    static void Record(const Op<A, B>& node, Recorder& recorder) {                                 \
      Form<A>::Record(node.l, recorder);                                                           \
      Form<B>::Record(node.r, recorder);                                                           \
    }                                                                                              \
    template <class Reader>                                                                        \
    COTANGENT_INLINE static typename Reader::Chunk Value(Reader& at) {                             \
      const typename Reader::Chunk l = Form<A>::Value(at);                                         \
      const typename Reader::Chunk r = Form<B>::Value(at);                                         \
      return l op r;                                                                               \
    }                                                                                              \
    template <int K, int L, class Reader, class S>                                                 \
    COTANGENT_INLINE static void Load(Reader& at, S& scratch) {                                    \
      constexpr int kA = K + 1, kB = kA + Form<A>::kNodes;                                         \
      Form<A>::template Load<kA, L>(at, scratch);                                                  \
      Form<B>::template Load<kB, L + A::kLeaves>(at, scratch);                                     \
      scratch.value[K] = scratch.value[kA] op scratch.value[kB];                                   \
    }                                                                                              \
    template <int K, int L, class Chunk, class S>                                                  \
    COTANGENT_INLINE static void Push(const Chunk& w, S& scratch) {                                \
      constexpr int kA = K + 1, kB = kA + Form<A>::kNodes;                                         \
      if constexpr (kIsQuotient<Op<A, B>> && B::kLeaves > 0) {                                     \
        if (PushApart<A, B, K, L>(w, scratch)) return;                                             \
      }                                                                                            \
      [[maybe_unused]] const Chunk l = scratch.value[kA], r = scratch.value[kB],                   \
                                   y = scratch.value[K];                                           \
      if constexpr (A::kLeaves > 0) Form<A>::template Push<kA, L>(weight_l, scratch);              \
      if constexpr (B::kLeaves > 0) Form<B>::template Push<kB, L + A::kLeaves>(weight_r, scratch); \
    }                                                                                              \
  };
COTANGENT_FORM(Sum, +, w, w)
COTANGENT_FORM(Difference, -, w, -w)
COTANGENT_FORM(Product, *, w* r, w* l)
COTANGENT_FORM(Quotient, /, w / r, -(w* y) / r)
#undef COTANGENT_FORM

template <class A>
struct Form<Negative<A>> {
  static constexpr int kNodes = 1 + Form<A>::kNodes;
  static constexpr int kOperands = Form<A>::kOperands, kSaved = Form<A>::kSaved;
  static void Record(const Negative<A>& node, Recorder& recorder) {
    Form<A>::Record(node.a, recorder);
  }
  template <class Reader>
  COTANGENT_INLINE static typename Reader::Chunk Value(Reader& at) {
    return -Form<A>::Value(at);
  }
  template <int K, int L, class Reader, class S>
  COTANGENT_INLINE static void Load(Reader& at, S& scratch) {
    Form<A>::template Load<K + 1, L>(at, scratch);
    scratch.value[K] = -scratch.value[K + 1];
  }
  template <int K, int L, class Chunk, class S>
  COTANGENT_INLINE static void Push(const Chunk& weight, S& scratch) {
    Form<A>::template Push<K + 1, L>(-weight, scratch);
  }
};

template <class Rule, class... Args>
struct Form<Apply<Rule, Args...>> {
  using Node = Apply<Rule, Args...>;
  static constexpr bool kParameter = !std::is_empty_v<Rule>;
  static constexpr int kArgs = sizeof...(Args), kDirections = Node::kDirections;
  // In Scratch::value, the derivatives are stored after the values of the arguments' nodes.
  static constexpr int kArgumentNodes = (Form<Args>::kNodes + ...);
  static constexpr int kNodes = 1 + kArgumentNodes + kDirections;
  static constexpr int kOperands = (Form<Args>::kOperands + ...) + kParameter;
  static constexpr int kSaved = (Form<Args>::kSaved + ...) + 1 + kDirections;
  static void Record(const Node& node, Recorder& recorder);

  template <class Reader>
  COTANGENT_INLINE static typename Reader::Chunk Value(Reader& at) {
    using Chunk = typename Reader::Chunk;
    Chunk arg[kArgs];
    Unrolled<kArgs>([&](auto i)
                        __attribute__((always_inline)) { arg[i] = Form<Arg<i>>::Value(at); });
    Chunk parameter{};
    if constexpr (kParameter) parameter = at.Operand();
    Chunk value, derivative[kDirections];
    Evaluate<Reader::kWidth>(parameter, arg, value, derivative);
    value.Store(at.NextSaved());
    for (int i = 0; i < kDirections; ++i) derivative[i].Store(at.NextSaved());
    return value;
  }
  template <int K, int L, class Reader, class S>
  COTANGENT_INLINE static void Load(Reader& at, S& scratch) {
    Unrolled<kArgs>([&](auto i) __attribute__((always_inline)) {
      Form<Arg<i>>::template Load<K + NodesBefore(i), L + Node::template Before<i>(true)>(at,
                                                                                          scratch);
    });
    if constexpr (kParameter) at.Operand();
    scratch.value[K] = Reader::Chunk::Load(at.NextSaved());
    for (int i = 0; i < kDirections; ++i)
      scratch.value[K + 1 + kArgumentNodes + i] = Reader::Chunk::Load(at.NextSaved());
  }
  template <int K, int L, class Chunk, class S>
  COTANGENT_INLINE static void Push(const Chunk& weight, S& scratch) {
    Unrolled<kArgs>([&](auto i) __attribute__((always_inline)) {
      if constexpr (!kIsConstant<Arg<i>>) {
        constexpr int kDerivative = K + 1 + kArgumentNodes + Node::template Before<i>(false);
        constexpr int kValue = K + NodesBefore(i), kBegin = L + Node::template Before<i>(true);
        const Chunk derivative = scratch.value[kDerivative];
        Form<Arg<i>>::template Push<kValue, kBegin>(weight * derivative, scratch);
        if constexpr (!kIsLeaf<Arg<i>>) {
          if (!AllFinite(scratch.value[kValue])) [[unlikely]]
            scratch.template Drop<kBegin, kBegin + Arg<i>::kLeaves>(derivative,
                                                                    scratch.value[kValue]);
        }
      }
    });
  }

 private:
  template <int I>
  using Arg = std::tuple_element_t<I, std::tuple<Args...>>;

  static constexpr int NodesBefore(int i) {
    constexpr int kCount[] = {Form<Args>::kNodes...};
    int before = 1;
    for (int j = 0; j < i; ++j) before += kCount[j];
    return before;
  }

  // Computes the function's value and derivatives for every lane: by a vector function where
  // chunk.h has one, and otherwise for one lane at a time, by the rule's Together (node.h) where it
  // has one and there is only one lane, or by the rules of autodiff/forward.
  template <int kWidth>
  COTANGENT_INLINE static void Evaluate(const Chunk<kWidth>& parameter,
                                        const Chunk<kWidth> (&arg)[kArgs], Chunk<kWidth>& value,
                                        Chunk<kWidth> (&derivative)[kDirections]) {
    if constexpr (requires { EvaluateLanes(Rule(), arg[0], value, derivative[0]); }) {
      EvaluateLanes(Rule(), arg[0], value, derivative[0]);
    } else if constexpr (kWidth == 1 && requires {
                           Rule::Together(arg[0].value, value.value, derivative[0].value);
                         }) {
      Rule::Together(arg[0].value, value.value, derivative[0].value);
    } else {
      double in[kArgs][kWidth], number[kWidth], out[kWidth], slope[kDirections][kWidth];
      for (int i = 0; i < kArgs; ++i) arg[i].Store(in[i]);
      parameter.Store(number);
      EvaluateEach<kWidth>(number, in, out, slope);
      value = Chunk<kWidth>::Load(out);
      for (int i = 0; i < kDirections; ++i) derivative[i] = Chunk<kWidth>::Load(slope[i]);
    }
  }
  template <int kWidth>
  [[gnu::noinline]] static void EvaluateEach(const double (&parameter)[kWidth],
                                             const double (&arg)[kArgs][kWidth],
                                             double (&value)[kWidth],
                                             double (&derivative)[kDirections][kWidth]) {
    for (int lane = 0; lane < kWidth; ++lane) {
      Rule rule{};
      if constexpr (kParameter) std::memcpy(&rule, &parameter[lane], sizeof(Rule));
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        const typename Node::Dual result = rule(Seed<I>(arg[I][lane])...);
        value[lane] = result.value;
        for (int i = 0; i < kDirections; ++i) derivative[i][lane] = result.tangent[i];
      }
      (std::index_sequence_for<Args...>());
    }
  }
  template <int I>
  static auto Seed(double x) {
    if constexpr (kIsConstant<Arg<I>>) {
      return x;
    } else {
      return Node::Dual::Variable(x, Node::template Before<I>(false));
    }
  }
};

}  // namespace cotangent::autodiff::reverse::replay

#pragma GCC diagnostic pop

#endif  // COTANGENT_AUTODIFF_REVERSE_FORM_H_
