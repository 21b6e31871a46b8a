#include "tensor/matrix_product.h"

#include <algorithm>

#include "tensor/cpu.h"
#include "tensor/onednn.h"
#include "tensor/product_kernels.h"

namespace cotangent::tensor {
namespace {

using product_kernels::kLanes;

// A task makes a block of kBlock x kBlock of the result, from pieces of `b` of kDepth rows that stay in the nearest caches.
constexpr int64_t kBlock = product_kernels::kProductVectors * kLanes;
constexpr int64_t kDepth = 256;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Elements (row, column) and on.
const float* At(const MatrixView& m, int64_t row, int64_t column) { return m.data + (m.transposed ? column * m.row + row : row * m.row + column); }

struct Block {
  int64_t row, column, rows, columns;
};

// What a thread works with.
struct Work {
  alignas(64) float panel[kDepth * kBlock];     // kBlock columns of a piece of b
  alignas(64) float products[kBlock * kBlock];  // of a block of the result
  int64_t panel_row = -1, panel_column = -1;    // where in b the panel is from
};

void FetchPanel(const MatrixView& b, int64_t row, int64_t rows, int64_t column, int64_t columns, Work& work) {
  if (work.panel_row == row && work.panel_column == column) return;
  work.panel_row = row, work.panel_column = column;
  const float* from = At(b, row, column);
  if (b.transposed) {
    product_kernels::Transpose(from, b.row, columns, rows, work.panel, kBlock, /*fill=*/true);
  } else {
    product_kernels::CopyRows(from, b.row, rows, columns, work.panel, kBlock);
  }
}

void MultiplyBlock(const MatrixView& a, const MatrixView& b, const Block& block, Work& work) {
  for (int64_t k = 0; k < a.columns; k += kDepth) {
    const int64_t depth = std::min(kDepth, a.columns - k);
    FetchPanel(b, k, depth, block.column, block.columns, work);
    product_kernels::Multiply(/*bf16=*/false, {.rows = block.rows,
                                               .vectors = DivideUp(block.columns, kLanes),
                                               .depth = depth,
                                               .a = reinterpret_cast<const char*>(At(a, block.row, k)),
                                               .a_row = (a.transposed ? 1 : a.row) * 4,
                                               .a_step = (a.transposed ? a.row : 1) * 4,
                                               .b = reinterpret_cast<const char*>(work.panel),
                                               .b_step = kBlock * 4,
                                               .c = work.products,
                                               .c_row = kBlock,
                                               .accumulate = k > 0});
  }
}

}  // namespace

void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c, ResultForm form) {
  const int64_t rows = a.rows, columns = b.columns;
  if (!HasAvx512()) {
    onednn::Sgemm(a.transposed, b.transposed, rows, columns, a.columns, alpha, a.data, a.row, b.data, b.row, beta, c, columns);
    return;
  }
  const bool symmetric = form == ResultForm::kSymmetric;
  const int64_t block_rows = DivideUp(rows, kBlock), block_columns = DivideUp(columns, kBlock);
#pragma omp parallel num_threads(Threads())
  {
    Work work;
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t j = 0; j < block_columns; ++j) {
      for (int64_t i = 0; i < block_rows; ++i) {
        if (symmetric && j > i) continue;
        const Block block = {i * kBlock, j * kBlock, std::min(kBlock, rows - i * kBlock), std::min(kBlock, columns - j * kBlock)};
        MultiplyBlock(a, b, block, work);
        float* const to = c + block.row * columns + block.column;
        product_kernels::Combine(block.rows, block.columns, alpha, work.products, kBlock, beta, to, columns);
        if (symmetric && j < i) {
          product_kernels::Transpose(to, columns, block.rows, block.columns, c + block.column * columns + block.row, columns, /*fill=*/false);
        }
      }
    }
  }
}

}  // namespace cotangent::tensor
