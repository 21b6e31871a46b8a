#ifndef COTANGENT_AUTODIFF_REVERSE_LANE_MATH_H_
#define COTANGENT_AUTODIFF_REVERSE_LANE_MATH_H_

// Pack: eight doubles that compute as one, for program.h; and the functions that have a vector
// form.

#include "autodiff/reverse/expression.h"

namespace cotangent::autodiff::reverse {

inline constexpr int kLanes = 8;

// In registers that every x86-64 has.
struct alignas(64) Pack {
  typedef double Chunk __attribute__((vector_size(16), may_alias));
  static constexpr int kChunks = kLanes / 2;

  Pack() = default;
  COTANGENT_INLINE explicit Pack(double x)
      : Pack(Chunk{x, x}, Chunk{x, x}, Chunk{x, x}, Chunk{x, x}) {}
  COTANGENT_INLINE Pack(Chunk a, Chunk b, Chunk c, Chunk d) : chunk{a, b, c, d} {}

  double& operator[](int lane) { return reinterpret_cast<double*>(chunk)[lane]; }
  double operator[](int lane) const { return reinterpret_cast<const double*>(chunk)[lane]; }

#define COTANGENT_LANES(op)                                                               \
  COTANGENT_INLINE friend Pack operator op(const Pack& a, const Pack& b) {                \
    return {a.chunk[0] op b.chunk[0], a.chunk[1] op b.chunk[1], a.chunk[2] op b.chunk[2], \
            a.chunk[3] op b.chunk[3]};                                                    \
  }
  COTANGENT_LANES(+)
  COTANGENT_LANES(-)
  COTANGENT_LANES(*)
  COTANGENT_LANES(/)
#undef COTANGENT_LANES
  COTANGENT_INLINE friend Pack operator-(const Pack& a) {
    return {-a.chunk[0], -a.chunk[1], -a.chunk[2], -a.chunk[3]};
  }
  COTANGENT_INLINE Pack& operator+=(const Pack& b) { return *this = *this + b; }

  Chunk chunk[kChunks];
};

// f(x) and f'(x) in every lane, by the widest vector functions of the C library (libmvec) that the
// processor can run; within 4 units in the last place of the scalar functions.
void EvaluateLanes(sinRule, const Pack& x, Pack& value, Pack& derivative);
void EvaluateLanes(cosRule, const Pack& x, Pack& value, Pack& derivative);
void EvaluateLanes(expRule, const Pack& x, Pack& value, Pack& derivative);
void EvaluateLanes(tanhRule, const Pack& x, Pack& value, Pack& derivative);

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_LANE_MATH_H_
