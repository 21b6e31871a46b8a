#include "tensor/matrix_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "tensor/onednn.h"
#include "tensor/own_kernels.h"
#include "tensor/panels.h"

namespace cotangent::tensor {
namespace {

// The result is computed in blocks of kBlock columns and kBlock or kMostRows rows, from pieces of
// `b` of kDepth rows and kBlock columns (64 KiB), which stay in the nearest caches.
constexpr int64_t kBlock = 64;
constexpr int64_t kMostRows = 2 * kBlock;
constexpr int64_t kDepth = 256;
// The most products that are added up one piece after the other. What so many give is added to what
// those before gave, because a single sum in f32 over millions of products would lose what it adds.
constexpr int64_t kMostDepth = 64 * kDepth;
// Products with fewer multiplications than this run on one thread. This many take about 10 us on a
// core with AVX-512.
constexpr double kFewMultiplications = 5e5;

// Returns a pointer to element (row, column) of a view.
const float* At(const MatrixView& m, int64_t row, int64_t column) {
  return m.data + (m.transposed ? column * m.row + row : row * m.row + column);
}

struct Block {
  int64_t row, column, rows, columns;
};

// The buffers that a thread needs to compute blocks of the result, and which piece of b is in them.
struct Work {
  const product_kernels::Kernels& kernels = ProductKernels();
  // A piece of b, one panel of panel_columns() columns after the other, each
  // [kDepth][panel_columns()].
  alignas(64) float panels[kDepth * kBlock];
  alignas(64) float products[kMostRows * kBlock];  // of the rows and columns of one block
  alignas(64) float part[kMostRows * kBlock];      // of these, what kMostDepth products give
  int64_t piece_row = -1, piece_column = -1;  // position of the piece of b in `panels`; -1: none

  // Returns the columns that the kernel computes at once.
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

// Computes the product of a block's rows of a and columns of b, and writes it to `c`, whose rows
// lie c_row floats apart. The number of columns that are written is rounded up to whole registers.
void MultiplyBlock(Factors factors, const MatrixView& a, const MatrixView& b, const Block& block,
                   Work& work, float* c, int64_t c_row) {
  const int64_t panel_columns = work.panel_columns();
  for (int64_t k = 0; k < a.columns; k += kDepth) {
    const int64_t depth = std::min(kDepth, a.columns - k);
    const bool is_first = k < kMostDepth;
    float* const to = is_first ? c : work.part;
    const int64_t to_row = is_first ? c_row : kBlock;
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
           .c = to + j,
           .c_row = to_row,
           .accumulate = k % kMostDepth > 0});
    }
    const bool is_last = (k + depth) % kMostDepth == 0 || k + depth == a.columns;
    if (!is_first && is_last)
      work.kernels.combine(block.rows, block.columns, 1, to, to_row, 1, c, c_row);
  }
}

}  // namespace

bool HaveBf16Products() { return HaveOwnKernels(ElementType::kBf16); }

void PairColumns(const float* matrix, int64_t rows, int64_t columns, float* pairs) {
  ParallelRanges(rows, LeastItems(columns), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      ProductKernels().pair_columns(matrix + i * columns, columns,
                                    pairs + i * DivideUp(columns, 2));
  });
}

void PairRows(const float* matrix, int64_t rows, int64_t columns, float* pairs) {
  ParallelRanges(DivideUp(rows, 2), LeastItems(2 * columns), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* const first = matrix + 2 * i * columns;
      ProductKernels().pair_rows(first, 2 * i + 1 < rows ? first + columns : nullptr, columns,
                                 pairs + i * columns);
    }
  });
}

void MultiplyMatrices(float alpha, const MatrixView& a, const MatrixView& b, float beta, float* c,
                      ResultForm form, Factors factors) {
  const int64_t rows = a.rows, columns = b.columns;
  if (!HaveOwnKernels(ElementType::kF32)) {
    ParallelRanges(rows, kBlock, [&](int64_t begin, int64_t end) {
      onednn::Sgemm(a.transposed, b.transposed, end - begin, columns, a.columns, alpha,
                    At(a, begin, 0), a.row, b.data, b.row, beta, c + begin * columns, columns);
    });
    return;
  }
  const bool symmetric = form == ResultForm::kSymmetric,
             plain = alpha == 1 && beta == 0 && !symmetric;
  const int64_t block_columns = DivideUp(columns, kBlock);
  // Each block copies the pieces of b that it needs (but not one that the block before it left in
  // the buffer), so blocks of more rows copy less in total. Blocks have kMostRows rows, not kBlock,
  // if there are then at least two blocks for each thread and the result is not symmetric.
  const bool large = !symmetric && block_columns * DivideUp(rows, kMostRows) >= 2 * Threads();
  const int64_t height = large ? kMostRows : kBlock, block_rows = DivideUp(rows, height);
  const auto make_block = [&](int64_t i, int64_t j, Work& work) {
    if (symmetric && j > i) return;
    const Block block = {i * height, j * kBlock, std::min(height, rows - i * height),
                         std::min(kBlock, columns - j * kBlock)};
    float* const to = c + block.row * columns + block.column;
    if (plain && block.columns % work.kernels.lanes == 0)
      return MultiplyBlock(factors, a, b, block, work, to, columns);
    MultiplyBlock(factors, a, b, block, work, work.products, kBlock);
    work.kernels.combine(block.rows, block.columns, alpha, work.products, kBlock, beta, to,
                         columns);
    if (symmetric && j < i) {
      work.kernels.transpose(to, columns, block.rows, block.columns,
                             c + block.column * columns + block.row, columns, /*fill=*/false);
    }
  };
  // A part is some vertically adjacent blocks, which use the same pieces of b. A share is what one
  // thread computes without a pause: one or more parts.
  const int64_t parts = std::min(block_rows, DivideUp(kSharesPerThread * Threads(), block_columns));
  const double multiplications = static_cast<double>(rows) * columns * a.columns;
  const int64_t shares = multiplications < kFewMultiplications ? 1 : block_columns * parts;
  ParallelFor(shares, [&](int64_t share) {
    Work work;
    const auto [first, last] = PartOf(block_columns * parts, share, shares);
    for (int64_t part = first; part < last; ++part) {
      const auto [begin, end] = PartOf(block_rows, part % parts, parts);
      for (int64_t i = begin; i < end; ++i) make_block(i, part / parts, work);
    }
  });
}

}  // namespace cotangent::tensor
