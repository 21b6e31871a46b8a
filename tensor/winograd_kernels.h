// The arithmetic of Winograd's convolutions (winograd.h) for one tile at a time, except the matrix
// products, compiled for each instruction set.
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
#ifndef COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
#define COTANGENT_TENSOR_WINOGRAD_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::winograd {

inline constexpr int kOutputs = 4;                 // outputs of a tile along each side
inline constexpr int kInputs = 6;                  // inputs that they depend on, along each side
inline constexpr int kPoints = kInputs * kInputs;  // elements of a transformed tile

// The matrix G, which maps the three taps (weights) in a row of the kernel to six points. It
// follows from the interpolation points 0, a, -a, b, -b and infinity with a = 2/3 and b = 3/2
// (winograd_matrices.h).
inline constexpr float kWeightMatrix[kInputs][3] = {{1, 0, 0},
                                                    {-81.0f / 130, -27.0f / 65, -18.0f / 65},
                                                    {-81.0f / 130, 27.0f / 65, -18.0f / 65},
                                                    {8.0f / 65, 12.0f / 65, 18.0f / 65},
                                                    {8.0f / 65, -12.0f / 65, 18.0f / 65},
                                                    {0, 0, 1}};

// Addresses of a tile's pixels: kPoints of them for inputs, kOutputs^2 for outputs or their
// gradients (in transforms along one row, kInputs and kOutputs). Each pixel has `channels` numbers,
// f32 or bf16. A pixel outside the image has the address of zeros if the tile is read, and null if
// it is written.
struct Pixels {
  const void* at[kPoints];
};
// A tile after max pooling in windows of 2x2. For each window, `value` is the address of its maxima
// or of their gradients (one number per channel), and `position` the address of bytes (one per
// channel) that say from which cell of the window the maximum came, 0 to 3, row by row. When
// gradients are read, those of the other cells are zero. A tile of outputs has 2x2 windows; a tile
// of inputs overlaps 4x4 windows, since it begins in the second row and column of a window.
struct Windows {
  Pixels value, position;
};
template <typename Tile>
struct Pair {
  Tile first, second;
};

// Where a transform stores its result: channel c of point p lies at byte `p * point + c / width *
// panel + c % width * (bytes of a number)`. A panel is `width` adjacent channels; `point` and
// `panel` are the bytes from one point, and one panel, to the next.
struct Places {
  int64_t point = 0, panel = 0;
  int64_t width = 0;  // channels per panel: all, or a multiple of the floats in a register
};

// The bias, addend and relu that are applied to outputs before they are stored.
struct Finish {
  const float* bias = nullptr;  // a float for each channel, or null
  bool add = false;             // adds the number that lies `addend_offset` bytes after the output
  int64_t addend_offset = 0;
  bool relu = false;
};

// The kernels of one instruction set. `bf16` may be true, and pairs may be used, only with the
// kernels of AVX-512 and only if HasAvx512Bf16() (base/cpu.h). Transforms of tiles also get the
// tile that the thread transforms next, to prefetch it.
struct Kernels {
  // Transforms a tile of inputs (B^T x B) or of output gradients (A dy A^T), and stores the points
  // in the pixels' type. An odd number of bf16 channels is followed by a zero.
  template <typename Tile>
  using TransformTile = void(bool bf16, const Tile& tile, const Tile& next, int64_t channels,
                             char* points, const Places& places);
  TransformTile<Pixels>*transform_input = nullptr, *transform_gradient = nullptr;
  TransformTile<Windows>*transform_pooled_input = nullptr, *transform_pooled_gradient = nullptr;
  // Transforms two bf16 tiles in the same way, for products that sum over tiles: the two numbers of
  // each channel lie side by side. Null if the instruction set has no bf16.
  template <typename Tile>
  using TransformPair = void(const Pair<Tile>& tiles, const Pair<Tile>& next, int64_t channels,
                             char* points, const Places& places);
  TransformPair<Pixels>*transform_input_pair = nullptr, *transform_gradient_pair = nullptr;
  TransformPair<Windows>* transform_pooled_gradient_pair = nullptr;

  // Computes a tile's outputs (A^T m A) from its products m: those at point p begin at `points` + p
  // * point_stride floats, with channels in order, padded to full registers.
  void (*transform_output)(bool bf16, const float* points, int64_t point_stride, int64_t channels,
                           const Finish& finish, const Pixels& tile, const Pixels& next);
  // Computes a tile's outputs and max-pools them: writes the maximum of each window and, unless the
  // position pointers are null, the number of its cell, 0 to 3 (the first among equal ones).
  void (*transform_pooled_output)(bool bf16, const float* points, int64_t point_stride,
                                  int64_t channels, const Finish& finish, const Windows& tile,
                                  const Windows& next);

  // Transform along one row only (winograd_rows.cc): kInputs pixels to kInputs points, which lie
  // point_stride bytes apart, and kInputs products, point_stride floats apart, to kOutputs outputs.
  void (*transform_input_row)(bool bf16, const Pixels& pixels, int64_t channels, char* points,
                              int64_t point_stride);
  void (*transform_output_row)(bool bf16, const float* points, int64_t point_stride,
                               int64_t channels, const Finish& finish, const Pixels& pixels);

  // Transforms weights for the matrix products: those of one panel of `columns` adjacent columns,
  // which takes `vectors` registers. The weights are a matrix whose rows are the channels that the
  // convolution reads and whose columns are those that it writes; element (row k, column n) is the
  // nine taps (cells of the kernel) at plain + k * row_stride + n * column_stride (strides in
  // floats), taken in reverse order if `rotated`. The result is one matrix for each point,
  // `point_stride` bytes apart, with `rows` rows (in bf16, pairs of rows) and vectors * (floats in
  // a register) columns, in the layout of product_kernels::Product::b (product_kernels.h). Columns
  // beyond `columns` are zero.
  void (*transform_weights)(bool bf16, const float* plain, int64_t rows, int64_t columns,
                            int64_t row_stride, int64_t column_stride, bool rotated,
                            int64_t vectors, char* points, int64_t point_stride);

  // Computes the gradients of the nine taps for `columns` pairs of channels, from the products
  // summed over all tiles: those at each point lie side by side, padded to full registers, and
  // point_stride floats from those at the next point. The taps of neighbouring pairs lie
  // `column_stride` floats apart in `plain`.
  void (*transform_weight_gradient)(const float* points, int64_t point_stride, int64_t columns,
                                    float* plain, int64_t column_stride);
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::winograd

#endif  // COTANGENT_TENSOR_WINOGRAD_KERNELS_H_
