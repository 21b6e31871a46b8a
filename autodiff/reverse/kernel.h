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
//   points      one statement at kWidth of kPoints points: every variable has kPoints values side
//               by side, and a statement's operands are slots;
//   statements  kWidth statements at one point: a variable has one value, and a Place tells where
//               the operands of the kWidth statements are.
//
// A reader (reader.h) hides the difference, so that a form (form.h) holds each formula once. At one
// point, statements that depend on one another can only be replayed one at a time, by chunks of
// width 1.

#include <cstddef>
#include <cstdint>

#include "autodiff/reverse/chunk.h"
#include "autodiff/reverse/form.h"
#include "autodiff/reverse/machine.h"
#include "autodiff/reverse/reader.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace cotangent::autodiff::reverse::replay {

// The working memory of the backward walk, which computes each statement again, except for the
// functions in it (sin, ...): their values and derivatives were saved. It holds the values of the
// statement's nodes (in registers), the places of its leaves (mentions of variables), and the
// weights that reach the leaves.
//
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

// COTANGENT_REPLAY defines the functions for chunks of one width, compiled for an instruction set
// (`target_`) that has registers of this width. Of the functions for chunks of points
// (PointsForward, PointsBackward) there is none for width 1.
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
