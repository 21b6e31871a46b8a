// Products of bf16 matrices, c = left right, by the instructions of AMX, which multiply tiles of
// 16 x 32 numbers. Sums are f32.
//
// The rows of the left side and the columns of the right side, and so the rows and columns of c,
// are divided into groups of kGroup (16). The dimension that is summed over is divided into steps
// of kStep (32) numbers, and each step into pairs of neighbours:
//
//   left    a tile has 16 rows of 32 numbers, that is of 16 pairs. The caller chooses where the
//           rows, steps and groups lie; pack_left() writes the tiles of all steps of a group one
//           after the other, then those of the next group
//   right   a tile has 16 rows, one for each pair of a step, of 16 columns: the pair of column 0,
//           of column 1 and so on. The tiles of all steps of a group follow each other, then those
//           of the next group
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
#ifndef COTANGENT_TENSOR_TILE_KERNELS_H_
#define COTANGENT_TENSOR_TILE_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::tile_kernels {

inline constexpr int64_t kGroup = 16, kStep = 32;
inline constexpr int64_t kTileBytes = kGroup * kStep * 2;

// What pack_left() and pack_right() read: `steps` * kStep rows of `columns` bf16 each, at the
// addresses rows[0], rows[1] and so on. Products sum over these rows: over pixels, for example, if
// the columns are channels.
struct Rows {
  const char* const* rows = nullptr;
  int64_t steps = 0, columns = 0;
};

// Arguments of Kernels::multiply. c has kGroup * left_groups rows and kGroup * right_groups
// columns. If `accumulate`, the product is added to c; otherwise it replaces c.
struct Product {
  int64_t left_groups = 0, right_groups = 0, steps = 0;
  const char* left = nullptr;
  const int64_t* left_steps = nullptr;   // bytes from `left` to each step
  int64_t left_row = 0, left_group = 0;  // bytes from one row, and one group, to the next
  const char* right = nullptr;
  float* c = nullptr;
  int64_t c_row = 0;  // floats from one row of c to the next
  bool accumulate = false;
};

// The kernels. Packed memory and c are aligned to 64 bytes, c_row is a multiple of 16.
struct Kernels {
  // Pack rows as tiles of the left or the right side of a product that sums over these rows: the
  // columns become rows of the left side, or columns of the right side. If the last group is not
  // full, it is filled up with zeros. A packed group takes kTileBytes per step on either side.
  void (*pack_left)(const Rows& rows, char* to);
  void (*pack_right)(const Rows& rows, char* to);
  void (*multiply)(const Product& product);
};

extern const Kernels kAmx;

}  // namespace cotangent::tensor::tile_kernels

#endif  // COTANGENT_TENSOR_TILE_KERNELS_H_
