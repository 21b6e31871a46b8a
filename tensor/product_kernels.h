// Products of small matrices and what surrounds them, in AVX-512. Nothing here may be called where HasAvx512() is false, nor,
// with `bf16`, where HasAvx512Bf16() is.
//
// Included by a file that is compiled for AVX-512: it must include nothing with inline functions that others share.
#ifndef COTANGENT_TENSOR_PRODUCT_KERNELS_H_
#define COTANGENT_TENSOR_PRODUCT_KERNELS_H_

#include <cstdint>

namespace cotangent::tensor::product_kernels {

inline constexpr int kLanes = 16;
inline constexpr int64_t kProductVectors = 4;

// c[row][16 * vectors] (+)= sum over k < depth of a[row][k] b[k]. A step of k is one f32 of a row of `a` and of each lane
// of b, or a pair of bf16 of each.
struct Product {
  int64_t rows = 0, vectors = 0, depth = 0;  // vectors <= kProductVectors
  const char* a = nullptr;
  int64_t a_row = 0, a_step = 0;  // bytes from one row, and one k, to the next
  const char* b = nullptr;
  int64_t b_step = 0;  // bytes
  float* c = nullptr;
  int64_t c_row = 0;  // floats
  bool accumulate = false;
};
void Multiply(bool bf16, const Product& product);

// out = sums (+ bias) (+ addend), then max(0, .) if asked for; `out` and `addend`, with rows as far apart, are f32 or bf16.
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
void Finish(bool bf16, const Results& results);

// to[row] = from[row] for rows of `columns` floats, filled up with zeros to a multiple of 16.
void CopyRows(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row);

// to[j][i] = from[i][j] for i < rows, j < columns. Rows of `to` are filled up with zeros to a multiple of 16 if `fill`.
void Transpose(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row, bool fill);

// c = alpha t + beta c; c is not read where beta is 0.
void Combine(int64_t rows, int64_t columns, float alpha, const float* t, int64_t t_row, float beta, float* c, int64_t c_row);

}  // namespace cotangent::tensor::product_kernels

#endif  // COTANGENT_TENSOR_PRODUCT_KERNELS_H_
