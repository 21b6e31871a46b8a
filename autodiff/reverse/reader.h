#ifndef COTANGENT_AUTODIFF_REVERSE_READER_H_
#define COTANGENT_AUTODIFF_REVERSE_READER_H_

// Defines the readers: they step through the operands and the saved values of a run's statements in
// the order of the formula, and hide whether the lanes of a chunk hold points or statements
// (kernel.h). Include autodiff/reverse/program.h, not this file.

#include <cstdint>
#include <utility>

#include "autodiff/reverse/chunk.h"
#include "autodiff/reverse/machine.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace cotangent::autodiff::reverse::replay {

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
  // for several lanes, weights are first added up in `sums`, until the slot changes.
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

// Holds, for each leaf (variable) of a statement, the sum of the weights that go to one slot, and
// that slot (0 if there is none yet). Add() adds a weight to the sum of leaf L; if the weight is
// for another slot, it first calls Flush(), which adds the sum to the array `to`.
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

}  // namespace cotangent::autodiff::reverse::replay

#pragma GCC diagnostic pop

#endif  // COTANGENT_AUTODIFF_REVERSE_READER_H_
