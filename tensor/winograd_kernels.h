// The arithmetic of winograd.h for one tile at a time, apart from the products of matrices, for
// each instruction set.
//
// Included by a file that is compiled for an instruction set: it must include nothing with inline
// functions that others share.
#ifndef COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
#define COTANGENT_TENSOR_WINOGRAD_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::winograd {

inline constexpr int kOutputs = 4;                 // a tile's outputs along a side
inline constexpr int kInputs = 6;                  // the inputs they depend on
inline constexpr int kPoints = kInputs * kInputs;  // products of a tile

// G: a weight's points are these times its three taps. The points of the polynomials are 0, a, -a,
// b, -b and infinity with a = 2/3 and b = 3/2, whose product is 1: see winograd_matrices.h.
inline constexpr float kWeightMatrix[kInputs][3] = {{1, 0, 0},
                                                    {-81.0f / 130, -27.0f / 65, -18.0f / 65},
                                                    {-81.0f / 130, 27.0f / 65, -18.0f / 65},
                                                    {8.0f / 65, 12.0f / 65, 18.0f / 65},
                                                    {8.0f / 65, -12.0f / 65, 18.0f / 65},
                                                    {0, 0, 1}};

// Pixels of one tile: kPoints pointers (inputs) or kOutputs^2 (outputs or their gradients), each to
// `channels` numbers, f32 or bf16. What lies outside the image points to zeros where it is read,
// and is null where it is written.
struct Pixels {
  const void* at[kPoints];
};
// What max pooling of windows of 2x2 left of a tile: for each window the greatest number, or its
// gradient, and as bytes which cell it came from, 0 to 3; the other cells are zero where gradients
// are read. A tile of outputs has 2x2 windows; a tile of inputs, which begins with the second row
// and column of a window, 4x4.
struct Windows {
  Pixels value, position;
};
template <typename Tile>
struct Pair {
  Tile first, second;
};

// Where a transform stores: channel c of point p lies `p * point + c / width * panel + c % width *
// (bytes of a number)` bytes on.
struct Places {
  int64_t point = 0, panel = 0;
  int64_t width = 0;  // channels of a panel: a multiple of a register's numbers, or all
};

// What is done to outputs before they are stored.
struct Finish {
  const float* bias = nullptr;  // a float a channel to be added, or null
  bool add = false;  // the number `addend_offset` bytes from where an output is stored is added
  int64_t addend_offset = 0;
  bool relu = false;
};

// The kernels of one instruction set. Only those of AVX-512 may be told bf16 or take pairs, and
// only where HasAvx512Bf16(). Every transform of tiles is told which tile its thread comes to next,
// to ask for it in time.
struct Kernels {
  // The transformed tile, or the transformed gradient of a tile's outputs, in the pixels' own type;
  // an odd number of bf16 channels is filled up with a zero.
  template <typename Tile>
  using TransformTile = void(bool bf16, const Tile& tile, const Tile& next, int64_t channels,
                             char* points, const Places& places);
  TransformTile<Pixels>*transform_input = nullptr, *transform_gradient = nullptr;
  TransformTile<Windows>*transform_pooled_input = nullptr, *transform_pooled_gradient = nullptr;
  // The same of two bf16 tiles, as the reduction over tiles wants them: each channel's two numbers
  // side by side, as one of four bytes. Null without bf16.
  template <typename Tile>
  using TransformPair = void(const Pair<Tile>& tiles, const Pair<Tile>& next, int64_t channels,
                             char* points, const Places& places);
  TransformPair<Pixels>*transform_input_pair = nullptr, *transform_gradient_pair = nullptr;
  TransformPair<Windows>* transform_pooled_gradient_pair = nullptr;

  // The outputs of a tile from its products: points[p] at `points` + p * point_stride floats,
  // channels in order and filled up to a multiple of the register's numbers.
  void (*transform_output)(bool bf16, const float* points, int64_t point_stride, int64_t channels,
                           const Finish& finish, const Pixels& tile, const Pixels& next);
  // The same, max-pooled: writes the greatest output of each window and, unless the pointers to
  // positions are null, which cell it is in; of equal ones the first.
  void (*transform_pooled_output)(bool bf16, const float* points, int64_t point_stride,
                                  int64_t channels, const Finish& finish, const Windows& tile,
                                  const Windows& next);

  // The same along a row: kInputs pixels to as many points, and those to kOutputs outputs.
  void (*transform_input_row)(bool bf16, const Pixels& pixels, int64_t channels, char* points,
                              int64_t point_stride);
  void (*transform_output_row)(bool bf16, const float* points, int64_t point_stride,
                               int64_t channels, const Finish& finish, const Pixels& pixels);

  // Transformed weights of one panel of columns in up to `vectors` registers: element (row k,
  // column n) has its nine taps at plain + k * row_stride + n * column_stride (floats), in reverse
  // order if `rotated`. Written point by point, each [rows, lanes * vectors] as the b of a
  // product_kernels::Product wants it.
  void (*transform_weights)(bool bf16, const float* plain, int64_t rows, int64_t columns,
                            int64_t row_stride, int64_t column_stride, bool rotated,
                            int64_t vectors, char* points, int64_t point_stride);

  // Nine taps of each of `columns` weights, `column_stride` floats apart in `plain`, from the
  // products summed over all tiles.
  void (*transform_weight_gradient)(const float* points, int64_t point_stride, int64_t columns,
                                    float* plain, int64_t column_stride);
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
