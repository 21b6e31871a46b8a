// Loads tiles of pixels from memory into vector registers, and stores tiles from registers, after
// adding bias and addend and applying ReLU. Only winograd_kernels.cc includes this header.
#ifndef COTANGENT_TENSOR_WINOGRAD_PIXELS_H_
#define COTANGENT_TENSOR_WINOGRAD_PIXELS_H_

#include "tensor/vectors.h"
#include "tensor/winograd_kernels.h"

namespace cotangent::tensor::winograd {
namespace {

// Prefetches, of every pixel of the tile that is transformed next, the cache line `byte` bytes
// after the pixel's address. Tiles are too far apart for the processor to predict them.
template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Pixels& next, int64_t byte) {
  constexpr int kSide = kToWrite ? Matrix::kTo : Matrix::kFrom;
#pragma GCC unroll 36
  for (int i = 0; i < kSide * kSide; ++i)
    __builtin_prefetch(static_cast<const char*>(next.at[i]) + byte, kToWrite);
}

template <typename Matrix, bool kToWrite = false>
inline __attribute__((always_inline)) void Prefetch(const Pixels& next, int64_t byte, int64_t) {
  Prefetch<Matrix, kToWrite>(next, byte);
}

// Loads pixel i of a tile, for the channels of one register from channel c on.
template <typename Matrix, bool kBf16, typename Lanes>
inline __attribute__((always_inline)) Vector LoadFrom(const Pixels& tile, int i, int64_t c,
                                                      Lanes lanes) {
  return LoadAs<kBf16>(static_cast<const char*>(tile.at[i]) + c * (kBf16 ? 2 : 4), lanes);
}
// Stores an output: y plus the bias (`shift`) and, if finish.add, plus the addend, but at least
// `least`.
template <bool kBf16, typename Lanes>
inline __attribute__((always_inline)) void StoreOutput(char* pixel, Vector y, Vector shift,
                                                       Vector least, const Finish& finish,
                                                       Lanes lanes) {
  y = Add(y, shift);
  if (finish.add) y = Add(y, LoadAs<kBf16>(pixel + finish.addend_offset, lanes));
  StoreAs<kBf16>(pixel, Max(least, y), lanes);
}
inline Vector Least(const Finish& finish) { return Set(finish.relu ? 0.0f : -__builtin_inff()); }
template <typename Lanes>
inline Vector Shift(const Finish& finish, int64_t channel, Lanes lanes) {
  return finish.bias == nullptr ? Zero() : Load(finish.bias + channel, lanes);
}
inline char* Pixel(const Pixels& pixels, int i, int64_t byte) {
  return static_cast<char*>(const_cast<void*>(pixels.at[i])) + byte;
}

}  // namespace
}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_PIXELS_H_
