// The arithmetic of winograd.h but the products, for one tile at a time, in AVX-512. Nothing here may be called where
// HasAvx512() is false, nor, with `bf16`, where HasAvx512Bf16() is.
//
// Included by a file that is compiled for AVX-512: it must include nothing with inline functions that others share.
#ifndef COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
#define COTANGENT_TENSOR_WINOGRAD_KERNELS_H_

#include <cstdint>

#include "tensor/product_kernels.h"

namespace cotangent::tensor::winograd {

using product_kernels::kLanes;
inline constexpr int kOutputs = 4;              // a tile's outputs along a side
inline constexpr int kInputs = 6;               // the inputs they depend on
inline constexpr int kPoints = kInputs * kInputs;  // products of a tile

// Pixels of one tile: kPoints pointers (inputs) or kOutputs^2 (outputs or their gradients), each to `channels` numbers, f32 or
// bf16. What lies outside the image points to zeros where it is read, and is null where it is written.
struct Pixels {
  const void* at[kPoints];
};
struct PixelPair {
  Pixels first, second;
};

// Every transform is told which tile its thread comes to next, to ask for it in time.

// The transformed tile, point by point, `point_stride` bytes apart, in the pixels' own type; an odd number of bf16 channels is
// filled up with a zero.
void TransformInput(bool bf16, const Pixels& tile, const Pixels& next, int64_t channels, char* points, int64_t point_stride);
// The same of two tiles, as the reduction over tiles wants them: each channel's two bf16 side by side.
void TransformInputPair(const PixelPair& tiles, const PixelPair& next, int64_t channels, char* points, int64_t point_stride);
// The transformed gradient of a tile's outputs, stored likewise.
void TransformGradient(bool bf16, const Pixels& tile, const Pixels& next, int64_t channels, char* points, int64_t point_stride);
void TransformGradientPair(const PixelPair& tiles, const PixelPair& next, int64_t channels, char* points, int64_t point_stride);

// What is done to outputs before they are stored.
struct Finish {
  const float* bias = nullptr;  // a float a channel to be added, or null
  bool add = false;             // the number `addend_offset` bytes from where an output is stored is added
  int64_t addend_offset = 0;
  bool relu = false;
};

// The outputs of a tile from its products: points[p] at `points` + p * point_stride floats, channels in order.
void TransformOutput(bool bf16, const float* points, int64_t point_stride, int64_t channels, const Finish& finish, const Pixels& tile,
                     const Pixels& next);

// Transformed weights of one group of up to 16 * vectors columns: element (row k, column n) has its nine taps at
// plain + k * row_stride + n * column_stride (floats), in reverse order if `rotated`. Written point by point, each
// [rows, 16 * vectors] as the b of a product_kernels::Product wants it.
void TransformWeights(bool bf16, const float* plain, int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride,
                      bool rotated, int64_t vectors, char* points, int64_t point_stride);

// Nine taps of each of `columns` weights, `column_stride` floats apart in `plain`, from the products summed over all tiles.
void TransformWeightGradient(const float* points, int64_t point_stride, int64_t columns, float* plain, int64_t column_stride);

}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
