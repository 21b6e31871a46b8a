// The arithmetic of our own convolutions of 8-bit integers (int8_panels.h), in AVX2: products of
// 16-bit integers with sums that are exact modulo 2^32, Winograd's transforms in integers, and the
// scaling and rounding that turn sums into results. Processors with AVX-512 use it, too.
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
//
// Winograd's transforms here are those of F(4x4, 3x3) at the points 0, 1, -1, 2, -1/2 and infinity.
// With integers in their matrices, and c = (15, -5, 5, 1, -1, 15),
//
//       ( 1  0  0 )          ( 2  3 -4 -3  2  0 )          ( 1  1  1  1  8  0 )
//       ( 1  1  1 )          ( 0 -2 -5 -1  2  0 )          ( 0  1 -1  2 -4  0 )
//   G = ( 1 -1  1 )   B^T =  ( 0  2  1 -5  2  0 )   A^T =  ( 0  1  1  4  2  0 )
//       ( 1  2  4 )          ( 0 -1 -2  1  2  0 )          ( 0  1 -1  8 -1  1 )
//       ( 4 -2  1 )          ( 0  2 -1 -2  1  0 )
//       ( 0  0  1 )          ( 0  2  3 -4 -3  2 )
//
//   900 y = A^T [ (diag(c) G w G^T diag(c)) * (B^T x B) ] A     (*: element by element)
//
// for 3x3 weights w, 6x6 inputs x and the 4x4 outputs y of their convolution.
//
// All of it is exact. The largest magnitude of a transformed weight is 225 * 127 = 28575 (weights
// are from -127 to 127), that of a transformed input 98 * 255 = 24990 (u8) or 196 * 128 = 25088
// (s8): both fit into 16 bits. Sums over channels and A^T [...] A may exceed 32 bits, but are right
// modulo 2^32. 900 = 4 * 225, and 225 has an inverse modulo 2^32, by which 4 y is known modulo
// 2^32, and so y, as long as |y| < 2^29. The points were chosen to keep the power of two in 900
// small: two points p/q and r/s (infinity is 1/0) contribute to it only if p s - q r is even, which
// holds only within the three pairs (0, 2), (1, -1) and (-1/2, infinity), where it is 2 or -2. This
// leaves a factor of 2 for each of the two dimensions. (With 0, 1, -1, 2, -2, infinity it would be
// 8 for each, together 64.)
#ifndef COTANGENT_TENSOR_INT8_KERNELS_H_
#define COTANGENT_TENSOR_INT8_KERNELS_H_

#include <cstdint>

#include "tensor/winograd_kernels.h"

namespace cotangent::tensor::int8_kernels {

inline constexpr int64_t kColumns = 16;  // columns of a panel of weights
inline constexpr int64_t kRows = 6;      // rows that a product computes at once
inline constexpr int64_t kWords = 16;    // 16-bit integers in a register

// The matrix G and the factors c.
inline constexpr int kWeightMatrix[winograd::kInputs][3] = {{1, 0, 0}, {1, 1, 1},  {1, -1, 1},
                                                            {1, 2, 4}, {4, -2, 1}, {0, 0, 1}};
inline constexpr int kWeightFactors[winograd::kInputs] = {15, -5, 5, 1, -1, 15};
// The outputs of Winograd's transforms are correct if their magnitudes are less than this.
inline constexpr int64_t kWinogradLimit = int64_t{1} << 29;

// Arguments of Kernels::multiply_words and multiply_bytes, which multiply rows of `a` by one panel
// of kColumns columns: for all rows and columns j,
//   c[row][j] = sum over k < depth of a[row][2 k] b[k][j][0] + a[row][2 k + 1] b[k][j][1]
// modulo 2^32, added to c if `accumulate`.
struct Product {
  int64_t rows = 0, depth = 0;
  const int16_t* a = nullptr;
  int64_t a_row = 0;        // numbers from one row to the next
  const void* b = nullptr;  // s16 or s8
  int32_t* c = nullptr;
  int64_t c_row = 0;  // numbers from one row to the next
  bool accumulate = false;
};

enum class Number : uint8_t { kU8, kS8, kF32 };

// How sums become results: y = factors[channel] sum + shifts[channel], plus addend_factor addend if
// `add`, then max(0, y) if relu. Integers are rounded to the nearest (ties to even) and clamped.
struct Finish {
  Number out_type = Number::kF32, addend_type = Number::kF32;
  const float *factors = nullptr, *shifts = nullptr;  // padded to whole registers (8 floats)
  bool add = false;           // the addend lies `addend_offset` bytes after the result
  int64_t addend_offset = 0;  // the addend's numbers have the size of the result's
  float addend_factor = 1;
  bool relu = false;
};

struct Kernels {
  const char* isa;  // "avx2"

  void (*multiply_words)(const Product& product);  // b is s16
  void (*multiply_bytes)(const Product& product);  // b is s8

  // Sets to[i] = from[i] for i < count, where `from` has bytes: s8 if is_signed, else u8. Writes
  // whole registers: up to kWords - 1 more numbers, which are 0.
  void (*widen)(bool is_signed, const void* from, int64_t count, int16_t* to);
  // Computes B^T x B of a tile of bytes (s8 if is_signed, else u8) for each channel. Channel c of
  // point p goes to points[p * point_stride + c]; up to kWords - 1 more channels are written.
  void (*transform_input)(bool is_signed, const winograd::Pixels& tile, int64_t channels,
                          int16_t* points, int64_t point_stride);
  // Computes the results of a tile from its products. Those at point p begin at products[p *
  // point_stride], in the order of the channels, padded to whole registers (8 numbers). Results
  // whose address in `tile` is null are not written.
  void (*transform_output)(const int32_t* products, int64_t point_stride, int64_t channels,
                           const Finish& finish, const winograd::Pixels& tile);
  // Computes the results of one pixel from its sums, which are padded to whole registers.
  void (*finish)(const int32_t* sums, int64_t channels, const Finish& finish, void* out);
};

extern const Kernels kAvx2;

}  // namespace cotangent::tensor::int8_kernels

#endif  // COTANGENT_TENSOR_INT8_KERNELS_H_
