// Products of small matrices, the packing of their factors, and the epilogue of their results
// (bias, addend, relu), compiled for each instruction set.
//
// A register holds Kernels::lanes floats. A panel is the columns of c that Kernels::multiply
// computes at once: up to Kernels::panel_vectors registers of a row.
//
// Files that are compiled for an instruction set include this header, so it must not include
// headers with inline functions that other files use: the linker might keep the version with
// instructions that the processor lacks.
#ifndef COTANGENT_TENSOR_PRODUCT_KERNELS_H_
#define COTANGENT_TENSOR_PRODUCT_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::product_kernels {

// Arguments of Kernels::multiply, which computes c[row][0 .. lanes * vectors) = sum over k < depth
// of a[row][k] * b[k][0 .. lanes * vectors), added to c if `accumulate`. An element of a or b is
// one f32, or a pair of bf16 whose two products are both added. Sums are f32. They begin at 0, also
// if they are added to c in the end: a sum of millions of products in one go would lose what it adds,
// so callers divide such sums.
struct Product {
  int64_t rows = 0, vectors = 0, depth = 0;  // vectors: registers of a row of c, <= panel_vectors
  const char* a = nullptr;
  int64_t a_row = 0, a_step = 0;  // bytes from one row, and from one k, to the next
  const char* b = nullptr;
  int64_t b_step = 0;  // bytes from one k to the next
  float* c = nullptr;
  int64_t c_row = 0;  // floats from one row to the next
  bool accumulate = false;
  // The `next_bytes` bytes at `next`, which the caller reads after this product, are prefetched
  // into the cache during it. Null: nothing is prefetched.
  const char* next = nullptr;
  int64_t next_bytes = 0;
};

// Arguments of Kernels::finish, which computes out = sums + bias + addend (bias and addend if
// given), then max(0, .) if relu. `out` and `addend` are f32 or bf16 and have the same distance
// between rows. `out` may be the same memory as `sums`.
struct Results {
  int64_t rows = 0, columns = 0;
  const float* sums = nullptr;
  int64_t sums_row = 0;         // floats from one row to the next
  const float* bias = nullptr;  // one per column, or null
  const char* addend = nullptr;
  bool relu = false;
  char* out = nullptr;
  int64_t out_row = 0;  // bytes from one row to the next, of `out` and `addend`
};

// The kernels of one instruction set. `bf16` says that the factors of multiply(), or `out` and
// `addend` of finish(), are bf16. It may be true only for the kernels of AVX-512, and only if
// HasAvx512Bf16() (base/cpu.h).
struct Kernels {
  const char* isa;        // "avx512", "avx2"
  int64_t lanes;          // floats in a register
  int64_t panel_vectors;  // registers of a row of c that `multiply` computes at once

  void (*multiply)(bool bf16, const Product& product);
  void (*finish)(bool bf16, const Results& results);
  // Copies rows of `columns` floats, each padded with zeros to a multiple of `lanes`. Here and
  // below, from_row, to_row, t_row and c_row are the floats from one row to the next.
  void (*copy_rows)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                    int64_t to_row);
  // Sets to[j][i] = from[i][j] for i < rows, j < columns. If `fill`, rows of `to` are padded with
  // zeros to a multiple of `lanes`.
  void (*transpose)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                    int64_t to_row, bool fill);
  // Sets to[i] to the bf16 pair (first[i], second[i]), for i < columns. A null `second` counts as
  // zeros. AVX-512 only.
  void (*pair_rows)(const float* first, const float* second, int64_t columns, float* to) = nullptr;
  // Sets to[i] to the bf16 pair (from[2 i], from[2 i + 1]), for 2 i < columns. If `columns` is odd,
  // the last pair ends with a zero. AVX-512 only.
  void (*pair_columns)(const float* from, int64_t columns, float* to) = nullptr;
  // Computes c = alpha t + beta c. If beta is 0, c is not read.
  void (*combine)(int64_t rows, int64_t columns, float alpha, const float* t, int64_t t_row,
                  float beta, float* c, int64_t c_row);
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::product_kernels

#endif  // COTANGENT_TENSOR_PRODUCT_KERNELS_H_
