#ifndef COTANGENT_AUTODIFF_REVERSE_KERNEL_H_
#define COTANGENT_AUTODIFF_REVERSE_KERNEL_H_

// Defines kernels: functions that the compiler generates from the type of a statement (an
// assignment in the recorded program), to replay runs of such statements, several lanes at once.
// Replaying takes two walks over the statements: the forward walk, in their order, computes the
// values, and the backward walk, in the reverse order, the adjoints (derivatives of the program's
// result). A slot is the index of a value and of its adjoint. Include autodiff/reverse/program.h,
// not this file.
//
// The lanes of a chunk (a vector of kWidth doubles) hold one of two things:
//
//   points      one statement at kPoints points: every variable has kPoints values side by side,
//               and a statement's operands are slots;
//   statements  kWidth statements at one point: a variable has one value, and a Place tells where
//               the operands of the kWidth statements are.
//
// A reader (PointReader, StatementReader) hides the difference, so that Form holds each formula
// once. At one point, statements that depend on one another can only be replayed one at a time, by
// chunks of width 1.

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

inline constexpr int kPoints = 8;

// The values of one variable at kPoints points.
struct alignas(64) Pack {
  double lane[kPoints];
};

// Tells where the operands of a chunk's statements are: all in one slot, in consecutive slots, or
// in the slots on a list.
class Place {
 public:
  enum Kind : std::uint32_t { kOne, kConsecutive, kListed };
  static constexpr std::uint32_t kLimit = std::uint32_t{1} << 30;

  Place() = default;
  constexpr Place(Kind kind, std::uint32_t index) : bits_(kind << 30 | index) {}
  COTANGENT_INLINE Kind kind() const { return static_cast<Kind>(bits_ >> 30); }
  // Returns the one slot, the first of the consecutive slots, or the index at which the list of
  // slots begins, according to kind().
  COTANGENT_INLINE std::uint32_t index() const { return bits_ & (kLimit - 1); }
  COTANGENT_INLINE bool operator==(const Place& other) const { return bits_ == other.bits_; }

 private:
  std::uint32_t bits_;
};

// A Run is a sequence of `count` steps of the same statement type. On a PointMachine a step is one
// statement; on a StatementMachine a chunk of statements, or a single one. The results go to
// consecutive slots from `result` on. If the kernel accumulates, they are added instead: on a
// PointMachine all to slot `result`; on a StatementMachine to the slots that the first Place of
// each step describes. The operands and the saved values (what the forward walk stores for the
// backward walk) of the first step begin at the indices `operand` and `saved` of the machine's
// arrays of the same names.
struct Kernel;
struct Run {
  const Kernel* kernel;
  std::uint32_t count;
  std::uint32_t result;
  std::size_t operand, saved;
};

// The memory that kernels work on if they compute kPoints points together.
struct PointMachine {
  Pack* value;
  Pack* adjoint;
  Pack* saved;
  const std::uint32_t* operand;  // slots
};

// The memory that kernels work on if they compute one point. If a kernel accumulates (adds its
// results to variables), the first Place of each step tells where those variables are.
struct StatementMachine {
  double* value;
  double* adjoint;
  double* saved;
  const Place* operand;
  const std::uint32_t* list;  // the lists of slots for Places of kind kListed
};

struct Kernel {
  template <class Machine>
  using Replay = void (*)(const Machine&, const Run&);
  template <class Machine>
  struct Ways {
    Replay<Machine> forward, backward;
  };

  bool accumulates;
  std::uint32_t operands, saved;     // how many operands and saved values one statement has
  Ways<PointMachine> points[3];      // for vectors of 2, 4 and 8 points
  Ways<StatementMachine> chunks[3];  // for chunks of 2, 4 and 8 statements
  Ways<StatementMachine> alone;      // for a single statement

  static int Variant(int width) { return width / 4; }  // width is 2, 4 or 8
};

// ---- Readers: they step through the operands and saved values in the order of the formula ----

template <int kChunkWidth>
struct PointReader {
  static constexpr int kWidth = kChunkWidth;
  using Chunk = reverse::Chunk<kWidth>;
  using Place = double*;

  COTANGENT_INLINE Chunk Operand() { return Chunk::Load(value[*operand++].lane + first); }
  COTANGENT_INLINE Place OperandPlace() const { return adjoint[*operand].lane + first; }
  COTANGENT_INLINE double* NextSaved() { return (saved++)->lane + first; }
  template <int K, class S>
  COTANGENT_INLINE static void Add(Place to, const Chunk& weight, S&) {
    (Chunk::Load(to) + weight).Store(to);
  }

  const Pack* value;
  Pack* adjoint;
  Pack* saved;
  const std::uint32_t* operand;
  int first;  // the first lane of each Pack to read
};

template <int kChunkWidth>
struct StatementReader {
  static constexpr int kWidth = kChunkWidth;
  using Chunk = reverse::Chunk<kWidth>;
  using Place = replay::Place;

  COTANGENT_INLINE Chunk Operand() { return Read(value, *operand++); }
  COTANGENT_INLINE Place OperandPlace() const { return *operand; }
  COTANGENT_INLINE double* NextSaved() { return std::exchange(saved, saved + kWidth); }
  // Adds `weight` to `adjoint` at the slots `to`. In the backward walk, weights are the derivatives
  // of the program's result by leaf number K (a variable) of the statements. If `to` is one slot
  // for all lanes, weights are first added up in `sums`, until the slot changes.
  template <int K, class Sums>
  COTANGENT_INLINE void Add(Place to, const Chunk& weight, Sums& sums) const {
    if constexpr (kWidth == 1) {
      adjoint[to.index()] += weight.value;
    } else if (to.kind() == Place::kOne) {
      sums.template Add<K>(adjoint, to.index(), weight);
    } else {
      AddTo(adjoint, to, weight);
    }
  }

  COTANGENT_INLINE Chunk Read(const double* from, Place place) const {
    const std::uint32_t at = place.index();
    if constexpr (kWidth == 1) {
      return {from[at]};
    } else {
      if (place.kind() == Place::kConsecutive) return Chunk::Load(from + at);
      if (place.kind() == Place::kOne) return Chunk::Broadcast(from[at]);
      const std::uint32_t* const slot = list + at;
      return Chunk::Fill([&](int lane) __attribute__((always_inline)) { return from[slot[lane]]; });
    }
  }
  // Adds `term` to the elements of `to` at the consecutive or listed slots that `place` describes.
  COTANGENT_INLINE void AddTo(double* to, Place place, const Chunk& term) const {
    const std::uint32_t at = place.index();
    if (place.kind() == Place::kConsecutive) {
      (Chunk::Load(to + at) + term).Store(to + at);
    } else {
      for (int lane = 0; lane < kWidth; ++lane) to[list[at + lane]] += term[lane];
    }
  }

  const double* value;
  double* adjoint;
  double* saved;
  const Place* operand;
  const std::uint32_t* list;
};

// Holds, for each leaf (variable) of a statement, the sum of the weights that go to one slot (0 if
// there is none yet). Add() adds a weight, and Flush() adds the sum of leaf L to the array `to`.
template <int kLeaves, int kWidth>
struct SlotSums {
  template <int L>
  COTANGENT_INLINE void Add(double* to, std::uint32_t index, const Chunk<kWidth>& weight) {
    if (slot[L] == index) {
      sum[L] += weight;
    } else {
      Flush<L>(to);
      slot[L] = index;
      sum[L] = weight;
    }
  }
  template <int L>
  COTANGENT_INLINE void Flush(double* to) {
    if (slot[L] != 0) to[slot[L]] += sum[L].Total();
  }

  std::uint32_t slot[kLeaves] = {};
  Chunk<kWidth> sum[kLeaves] = {};
};

// Calls f(integral_constant<int, 0>), ..., f(integral_constant<int, N - 1>).
template <int N, class F>
COTANGENT_INLINE void Unrolled(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>()), ...);
  }
  (std::make_integer_sequence<int, N>());
}

// The working memory of the backward walk, which computes each statement again. It holds the values
// of the statement's nodes (in registers), the places of its leaves, and the weights that reach the
// leaves.
template <class Node, class Reader>
struct Scratch;

// ---- Forms: how each type of node is recorded and replayed ----
//
// A Form describes one type of node in an expression. kNodes counts the numbers that the backward
// walk keeps for it: the values of its nodes (itself first) and the derivatives of functions. They
// are numbered from K on, the node's leaves from L on. kOperands counts its variables, constants
// and parameters of functions (all have slots), kSaved the chunks that it saves. Record appends the
// operands to the recording; Value computes the node on the forward walk. On the backward walk,
// Load loads the values, and Push takes the derivative of the statement's result by the node (its
// weight) and passes to each operand the product with the local derivative. Functions are computed
// only on the forward walk: their values and derivatives are saved for the backward walk.
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
// r, as the rows of a tape do (node.h), and returns true. Otherwise does nothing and returns false.
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

// ---- Kernels: loops over the statements of a run ----

// `weight` is complete after construction: for each leaf, `adjoint` (that of the statement's
// result) times the derivative of the statement by the leaf. In a lane whose result has the adjoint
// 0, all leaves get the weight 0, even if a derivative is infinite, so that no NaN arises from
// infinity times 0.
template <class Node, class Reader>
struct Scratch {
  static constexpr int kLeaves = Node::kLeaves;
  using Chunk = typename Reader::Chunk;

  COTANGENT_INLINE Scratch(Reader at, const Chunk& adjoint) {
    Form<Node>::template Load<0, 0>(at, *this);
    Form<Node>::template Push<0, 0>(Chunk::Broadcast(1), *this);
    Unrolled<kLeaves>([&](auto l) __attribute__((always_inline)) {
      weight[l] = (adjoint * weight[l]).WhereNonzero(adjoint);
    });
  }
  // Adds the weights to the adjoints of the leaves. If neighbouring leaves are the same variable,
  // as in x * x, their weights are added before they are stored. Otherwise the second addition
  // would load what the first has just stored, and have to wait for that store.
  template <class Sums>
  COTANGENT_INLINE void AddTo(const Reader& at, Sums& sums) {
    Unrolled<kLeaves>([&](auto l) __attribute__((always_inline)) {
      constexpr int kNext = l + 1 < kLeaves ? l + 1 : l;
      if (kNext != l && place[l] == place[kNext]) {
        weight[kNext] += weight[l];
      } else {
        at.template Add<l>(place[l], weight[l], sums);
      }
    });
  }

  // Sets the weights of the leaves with numbers from A up to, but not including, B to 0 in the
  // lanes where an operation's slope is 0 and its argument has overflowed (KINKS AND EDGES in
  // autodiff/forward/dual.h).
  template <int A, int B>
  [[gnu::noinline, gnu::cold]] void Drop(const Chunk& slope, const Chunk& argument) {
    double slopes[Reader::kWidth], arguments[Reader::kWidth];
    slope.Store(slopes), argument.Store(arguments);
    for (int l = A; l < B; ++l) {
      ForLanes(weight[l], [&](int lane, double w) {
        return forward::Saturated(slopes[lane], arguments[lane]) ? 0 : w;
      });
    }
  }
  // Divides the weights of the leaves with numbers from A up to, but not including, B, after those
  // of the same variable are added up; weights of 0 stay 0.
  template <int A, int B>
  [[gnu::noinline, gnu::cold]] void Divide(const Chunk& by) {
    double divisors[Reader::kWidth];
    by.Store(divisors);
    for (int l = A; l < B; ++l) {
      for (int first = A; first < l; ++first) {
        if (!(place[first] == place[l])) continue;
        weight[first] += weight[l];
        weight[l] = Chunk{};
        break;
      }
    }
    for (int l = A; l < B; ++l) {
      ForLanes(weight[l], [&](int lane, double w) { return w == 0 ? 0 : w / divisors[lane]; });
    }
  }

  Chunk value[Form<Node>::kNodes];
  typename Reader::Place place[kLeaves];
  Chunk weight[kLeaves];

 private:
  // Replaces the number in each lane of a chunk by f(index of the lane, number).
  template <class F>
  static void ForLanes(Chunk& chunk, const F& f) {
    double lanes[Reader::kWidth];
    chunk.Store(lanes);
    for (int lane = 0; lane < Reader::kWidth; ++lane) lanes[lane] = f(lane, lanes[lane]);
    chunk = Chunk::Load(lanes);
  }
};

template <class Node, bool kAccumulate>
struct KernelOf {
  using F = Form<Node>;
  static constexpr int kLeaves = Node::kLeaves;

  template <int kWidth>
  COTANGENT_INLINE static PointReader<kWidth> At(const PointMachine& machine, const Run& run,
                                                 std::size_t i, int first) {
    return {machine.value, machine.adjoint, machine.saved + run.saved + i * F::kSaved,
            machine.operand + run.operand + i * F::kOperands, first};
  }
  template <int kWidth>
  COTANGENT_INLINE static void PointsForward(const PointMachine& machine, const Run& run) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      for (int first = 0; first < kPoints; first += kWidth) {
        double* const result = machine.value[run.result + (kAccumulate ? 0 : i)].lane + first;
        auto at = At<kWidth>(machine, run, i, first);
        Chunk<kWidth> y = F::Value(at);
        if constexpr (kAccumulate) y += Chunk<kWidth>::Load(result);
        y.Store(result);
      }
    }
  }
  template <int kWidth>
  COTANGENT_INLINE static void PointsBackward(const PointMachine& machine, const Run& run) {
    SlotSums<kLeaves, kWidth> none;
    for (std::uint32_t i = run.count; i-- > 0;) {
      for (int first = 0; first < kPoints; first += kWidth) {
        double* const adjoint = machine.adjoint[run.result + (kAccumulate ? 0 : i)].lane + first;
        const auto at = At<kWidth>(machine, run, i, first);
        Scratch<Node, PointReader<kWidth>> scratch(at, Chunk<kWidth>::Load(adjoint));
        // The rest of the backward walk does not use this adjoint, so it is reset to 0 for the next
        // points.
        if constexpr (!kAccumulate) Chunk<kWidth>{}.Store(adjoint);
        scratch.AddTo(at, none);
      }
    }
  }

  template <int kWidth>
  COTANGENT_INLINE static StatementReader<kWidth> At(const StatementMachine& machine,
                                                     const Run& run, std::size_t i) {
    constexpr int kOperands = F::kOperands + kAccumulate;
    return {machine.value, machine.adjoint, machine.saved + run.saved + i * (F::kSaved * kWidth),
            machine.operand + run.operand + i * kOperands, machine.list};
  }
  template <int kWidth>
  COTANGENT_INLINE static void StatementsForward(const StatementMachine& machine, const Run& run) {
    SlotSums<1, kWidth> sum;
    for (std::uint32_t i = 0; i < run.count; ++i) {
      auto at = At<kWidth>(machine, run, i);
      if constexpr (kAccumulate) {
        at.adjoint = machine.value;  // Add adds to this array
        const Place to = *at.operand++;
        const Chunk<kWidth> term = F::Value(at);
        at.template Add<0>(to, term, sum);
      } else {
        F::Value(at).Store(machine.value + run.result + std::size_t{i} * kWidth);
      }
    }
    if constexpr (kAccumulate) sum.template Flush<0>(machine.value);
  }
  template <int kWidth>
  COTANGENT_INLINE static void StatementsBackward(const StatementMachine& machine, const Run& run) {
    SlotSums<kLeaves, kWidth> sums;
    for (std::uint32_t i = run.count; i-- > 0;) {
      auto at = At<kWidth>(machine, run, i);
      Chunk<kWidth> adjoint;
      if constexpr (kAccumulate) {
        adjoint = at.Read(machine.adjoint, *at.operand++);
      } else {
        adjoint = Chunk<kWidth>::Load(machine.adjoint + run.result + std::size_t{i} * kWidth);
      }
      Scratch<Node, StatementReader<kWidth>>(at, adjoint).AddTo(at, sums);
    }
    Unrolled<kLeaves>([&](auto l) __attribute__((always_inline)) {
      sums.template Flush<l>(machine.adjoint);
    });
  }

// Defines one function for each width, compiled for the instruction set that has registers of this
// width.
#define COTANGENT_REPLAY(target_, width)                                             \
  target_ static void PointsForward##width(const PointMachine& m, const Run& run) {  \
    PointsForward<width>(m, run);                                                    \
  }                                                                                  \
  target_ static void PointsBackward##width(const PointMachine& m, const Run& run) { \
    PointsBackward<width>(m, run);                                                   \
  }                                                                                  \
  COTANGENT_REPLAY_STATEMENTS(target_, width)
#define COTANGENT_REPLAY_STATEMENTS(target_, width)                                          \
  target_ static void StatementsForward##width(const StatementMachine& m, const Run& run) {  \
    StatementsForward<width>(m, run);                                                        \
  }                                                                                          \
  target_ static void StatementsBackward##width(const StatementMachine& m, const Run& run) { \
    StatementsBackward<width>(m, run);                                                       \
  }
  COTANGENT_REPLAY_STATEMENTS(, 1)
  COTANGENT_REPLAY(, 2)
  COTANGENT_REPLAY(COTANGENT_FOR_4_LANES, 4)
  COTANGENT_REPLAY(COTANGENT_FOR_8_LANES, 8)
#undef COTANGENT_REPLAY
#undef COTANGENT_REPLAY_STATEMENTS

  static constexpr Kernel kKernel = {kAccumulate,
                                     F::kOperands,
                                     F::kSaved,
                                     {{&PointsForward2, &PointsBackward2},
                                      {&PointsForward4, &PointsBackward4},
                                      {&PointsForward8, &PointsBackward8}},
                                     {{&StatementsForward2, &StatementsBackward2},
                                      {&StatementsForward4, &StatementsBackward4},
                                      {&StatementsForward8, &StatementsBackward8}},
                                     {&StatementsForward1, &StatementsBackward1}};
};

}  // namespace cotangent::autodiff::reverse::replay

#pragma GCC diagnostic pop

#endif  // COTANGENT_AUTODIFF_REVERSE_KERNEL_H_
