// Products of small matrices and what surrounds them, for each instruction set.
//
// Included by a file that is compiled for an instruction set: it must include nothing with inline
// functions that others share.
#ifndef COTANGENT_TENSOR_PRODUCT_KERNELS_H_
#define COTANGENT_TENSOR_PRODUCT_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::product_kernels {

// c[row][lanes * vectors] (+)= sum over k < depth of a[row][k] b[k]. A step of k is one f32 of a
// row of `a` and of each lane of b, or a pair of bf16 of each.
struct Product {
  int64_t rows = 0, vectors = 0, depth = 0;  // vectors <= Kernels::panel_vectors
  const char* a = nullptr;
  int64_t a_row = 0, a_step = 0;  // bytes from one row, and one k, to the next
  const char* b = nullptr;
  int64_t b_step = 0;  // bytes
  float* c = nullptr;
  int64_t c_row = 0;  // floats
  bool accumulate = false;
  // What is to be read next and lies far away, asked for bit by bit while this is computed; or
  // null.
  const char* next = nullptr;
  int64_t next_bytes = 0;
};

// out = sums (+ bias) (+ addend), then max(0, .) if asked for; `out` and `addend`, with rows as far
// apart, are f32 or bf16; `out` may be `sums`.
struct Results {
  int64_t rows = 0, columns = 0;
  const float* sums = nullptr;
  int64_t sums_row = 0;         // floats
  const float* bias = nullptr;  // one a column
  const char* addend = nullptr;
  bool relu = false;
  char* out = nullptr;
  int64_t out_row = 0;  // bytes
};

// The kernels of one instruction set. Only those of AVX-512 may be told bf16, and only where
// HasAvx512Bf16().
struct Kernels {
  const char* isa;  // "avx512", "avx2"
  int64_t lanes;    // f32 in a register
  int64_t
      panel_vectors;  // columns of a product, in registers, that go with the others in one sweep over its depth

  void (*multiply)(bool bf16, const Product& product);
  void (*finish)(bool bf16, const Results& results);
  // to[row] = from[row] for rows of `columns` floats, filled up with zeros to a multiple of
  // `lanes`.
  void (*copy_rows)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                    int64_t to_row);
  // to[j][i] = from[i][j] for i < rows, j < columns. Rows of `to` are filled up with zeros to a
  // multiple of `lanes` if `fill`.
  void (*transpose)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                    int64_t to_row, bool fill);
  // to[i] = the bf16 pair (first[i], second[i]), for i < columns; zeros for `second` where it is
  // null. AVX-512 only.
  void (*pair_rows)(const float* first, const float* second, int64_t columns, float* to) = nullptr;
  // to[i] = the bf16 pair (from[2 i], from[2 i + 1]), for 2 i < columns; a zero follows an odd last
  // one. AVX-512 only.
  void (*pair_columns)(const float* from, int64_t columns, float* to) = nullptr;
  // c = alpha t + beta c; c is not read where beta is 0.
  void (*combine)(int64_t rows, int64_t columns, float alpha, const float* t, int64_t t_row,
                  float beta, float* c, int64_t c_row);
};

extern const Kernels kAvx512, kAvx2;

}  // namespace cotangent::tensor::product_kernels

#endif  // COTANGENT_TENSOR_PRODUCT_KERNELS_H_
