#ifndef COTANGENT_AUTODIFF_BLOCKS_H_
#define COTANGENT_AUTODIFF_BLOCKS_H_

// Differentiates functions whose parameters come in blocks, in the form that solvers of least
// squares use: the function takes one pointer for each block of numbers, and writes its results
// through the last pointer.
//
//   struct Reprojection {
//     template <class T>
//     bool operator()(const T* camera, const T* point, T* residual) const;   // or void
//   };
//
// BlockJacobians differentiates such a function without packing its parameters:
//
//   const double* blocks[] = {camera, point};                       // 9 and 3 numbers
//   double residual[2], by_camera[2 * 9], by_point[2 * 3];
//   double* jacobians[] = {by_camera, by_point};
//   BlockJacobians<2, 9, 3>(Reprojection{...}, blocks, residual, jacobians);
//
// InBlocks turns such a function into a function of one span (autodiff/function.h), so that every
// other function of this library can differentiate it:
//
//   Jacobian(InBlocks<2, 9, 3>(Reprojection{...}), x, Mode::kReverse);   // x: camera, then point

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "autodiff/forward/dual.h"

namespace cotangent::autodiff {

namespace blocks_internal {

// Calls f(blocks..., results). Returns f's own result as a bool, or true if f returns nothing.
template <class F, class T, std::size_t... I>
bool Call(const F& f, const std::array<const T*, sizeof...(I)>& blocks, T* results,
          std::index_sequence<I...>) {
  if constexpr (std::is_void_v<decltype(f(blocks[I]..., results))>) {
    f(blocks[I]..., results);
    return true;
  } else {
    return static_cast<bool>(f(blocks[I]..., results));
  }
}

}  // namespace blocks_internal

// Computes f's kResults results and, for each block b of the parameters, the Jacobian of the
// results by that block, in one evaluation of f with dual numbers. kSizes lists the sizes of the
// blocks; jacobians[b] receives kResults rows, one after the other, with as many numbers each as
// block b has. A null pointer in `jacobians` means that the Jacobian of this block is not wanted.
// Returns what f returns (true if f returns nothing); if f returns false, results and Jacobians are
// left unchanged.
template <int kResults, int... kSizes, class F>
bool BlockJacobians(const F& f, const double* const (&blocks)[sizeof...(kSizes)], double* results,
                    double* const (&jacobians)[sizeof...(kSizes)]) {
  constexpr int kTotal = (kSizes + ...);
  constexpr std::size_t kBlocks = sizeof...(kSizes);
  constexpr int kSize[] = {kSizes...};
  using D = forward::Dual<double, kTotal, &forward::kLevelOf<F>>;
  D at[kTotal], found[kResults];
  std::array<const D*, kBlocks> starts;
  int first = 0;
  for (std::size_t b = 0; b < kBlocks; ++b) {
    starts[b] = at + first;
    for (int i = 0; i < kSize[b]; ++i, ++first) at[first] = D::Variable(blocks[b][i], first);
  }
  if (!blocks_internal::Call(f, starts, found, std::make_index_sequence<kBlocks>())) return false;
  for (int r = 0; r < kResults; ++r) results[r] = found[r].value;
  first = 0;
  for (std::size_t b = 0; b < kBlocks; first += kSize[b++]) {
    if (jacobians[b] == nullptr) continue;
    for (int r = 0; r < kResults; ++r) {
      for (int i = 0; i < kSize[b]; ++i)
        jacobians[b][r * kSize[b] + i] = found[r].tangent[first + i];
    }
  }
  return true;
}

// Wraps a function of blocks as a function of one span that holds the blocks one after the other.
// Ignores whether the function returns false; it must then have set the results all the same.
template <class F, int kResults, int... kSizes>
class BlockFunction {
 public:
  explicit BlockFunction(F f) : f_(std::move(f)) {}

  template <class T>
  std::array<T, kResults> operator()(std::span<const T> x) const {
    std::array<const T*, sizeof...(kSizes)> starts;
    const T* start = x.data();
    std::size_t b = 0;
    ((starts[b++] = start, start += kSizes), ...);
    std::array<T, kResults> results;
    blocks_internal::Call(f_, starts, results.data(),
                          std::make_index_sequence<sizeof...(kSizes)>());
    return results;
  }

 private:
  F f_;
};
template <int kResults, int... kSizes, class F>
BlockFunction<F, kResults, kSizes...> InBlocks(F f) {
  return BlockFunction<F, kResults, kSizes...>(std::move(f));
}

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_BLOCKS_H_
