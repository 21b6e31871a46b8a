#include "tensor/matrix_product.h"

#include <algorithm>

#include "tensor/cpu.h"
#include "tensor/onednn.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"

namespace cotangent::tensor {
namespace {

// A task makes a block of the result, of kBlock columns and as many or twice as many rows, from
// pieces of `b` of kDepth rows that stay in the nearest caches.
constexpr int64_t kBlock = 64;
constexpr int64_t kMostRows = 2 * kBlock;
constexpr int64_t kDepth = 256;

// Elements (row, column) and on.
const float* At(const MatrixView& m, int64_t row, int64_t column) {
  return m.data + (m.transposed ? column * m.row + row : row * m.row + column);
}

struct Block {
  int64_t row, column, rows, columns;
};

// What a thread works with.
struct Work {
  const product_kernels::Kernels& kernels = ProductKernels();
  alignas(64) float panels
      [kDepth * kBlock];  // kBlock columns of a piece of b, as many at a time as products take
  alignas(64) float products[kMostRows * kBlock];  // of a block of the result
  int64_t piece_row = -1, piece_column = -1;       // where in b the panels are from

  int64_t panel_columns() const { return kernels.panel_vectors * kernels.lanes; }
};

void FetchPanels(const MatrixView& b, int64_t row, int64_t rows, int64_t column, int64_t columns,
                 Work& work) {
  if (work.piece_row == row && work.piece_column == column) return;
  work.piece_row = row, work.piece_column = column;
  for (int64_t j = 0; j < columns; j += work.panel_columns()) {
    const float* const from = At(b, row, column + j);
    float* const panel = work.panels + j * kDepth;
    const int64_t count = std::min(work.panel_columns(), columns - j);
    if (b.transposed) {
      work.kernels.transpose(from, b.row, count, rows, panel, work.panel_columns(), /*fill=*/true);
    } else {
      work.kernels.copy_rows(from, b.row, rows, count, panel, work.panel_columns());
    }
  }
}

// The products of a block to `c`, in whole registers.
void MultiplyBlock(Factors factors, const MatrixView& a, const MatrixView& b, const Block& block,
                   Work& work, float* c, int64_t c_row) {
  const int64_t panel_columns = work.panel_columns();
  for (int64_t k = 0; k < a.columns; k += kDepth) {
    const int64_t depth = std::min(kDepth, a.columns - k);
    FetchPanels(b, k, depth, block.column, block.columns, work);
    for (int64_t j = 0; j < block.columns; j += panel_columns) {
      work.kernels.multiply(
          factors == Factors::kBf16Pairs,
          {.rows = block.rows,
           .vectors = DivideUp(std::min(panel_columns, block.columns - j), work.kernels.lanes),
           .depth = depth,
           .a = reinterpret_cast<const char*>(At(a, block.row, k)),
           .a_row = (a.transposed ? 1 : a.row) * 4,
           .a_step = (a.transposed ? a.row : 1) * 4,
           .b = reinterpret_cast<const char*>(work.panels + j * kDepth),
           .b_step = panel_columns * 4,
           .c = c + j,
           .c_row = c_row,
           .accumulate = k > 0});
    }
  }
}

}  // namespace

bool HaveBf16Products() { return HaveOwnKernels(ElementType::kBf16); }

void PairColumns(const float* matrix, int64_t rows, int64_t columns, float* pairs) {
#pragma omp parallel for schedule(static) num_threads(Threads())
  for (int64_t i = 0; i < rows; ++i)
    ProductKernels().pair_columns(matrix + i * columns, columns, pairs + i * DivideUp(columns, 2));
}

void PairRows(const float* matrix, int64_t rows, int64_t columns, float* pairs) {
#pragma omp parallel for schedule(static) num_threads(Threads())
  for (int64_t i = 0; i < rows; i += 2) {
    const float* const first = matrix + i * columns;
    ProductKernels().pair_rows(first, i + 1 < rows ? first + columns : nullptr, columns,
                               pairs + i / 2 * columns);
  }
}

void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c,
                      ResultForm form, Factors factors) {
  const int64_t rows = a.rows, columns = b.columns;
  if (!HaveOwnKernels(ElementType::kF32)) {
    onednn::Sgemm(a.transposed, b.transposed, rows, columns, a.columns, alpha, a.data, a.row,
                  b.data, b.row, beta, c, columns);
    return;
  }
  const bool symmetric = form == ResultForm::kSymmetric,
             plain = alpha == 1 && beta == 0 && !symmetric;
  const int64_t block_columns = DivideUp(columns, kBlock);
  // Large blocks where there are enough of them: each fetches its pieces of b anew.
  const bool large = !symmetric && block_columns * DivideUp(rows, kMostRows) >= 2 * Threads();
  const int64_t height = large ? kMostRows : kBlock, block_rows = DivideUp(rows, height);
#pragma omp parallel num_threads(Threads())
  {
    Work work;
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t j = 0; j < block_columns; ++j) {
      for (int64_t i = 0; i < block_rows; ++i) {
        if (symmetric && j > i) continue;
        const Block block = {i * height, j * kBlock, std::min(height, rows - i * height),
                             std::min(kBlock, columns - j * kBlock)};
        float* const to = c + block.row * columns + block.column;
        if (plain && block.columns % work.kernels.lanes == 0) {
          MultiplyBlock(factors, a, b, block, work, to, columns);
          continue;
        }
        MultiplyBlock(factors, a, b, block, work, work.products, kBlock);
        work.kernels.combine(block.rows, block.columns, alpha, work.products, kBlock, beta, to,
                             columns);
        if (symmetric && j < i) {
          work.kernels.transpose(to, columns, block.rows, block.columns,
                                 c + block.column * columns + block.row, columns, /*fill=*/false);
        }
      }
    }
  }
}

}  // namespace cotangent::tensor
