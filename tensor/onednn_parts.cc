#include "tensor/onednn_parts.h"

#include <algorithm>

#include "base/parallel.h"

namespace cotangent::tensor::onednn {
namespace {

// A call should have at least this many multiplications: about 30 us on a core with AVX-512.
constexpr double kLeastMultiplications = 2e6;
// The most calls per thread; in a weight gradient, where the results of all calls are added up,
// kMostSummedCallsPerThread.
constexpr int64_t kMostCallsPerThread = 8, kMostSummedCallsPerThread = 4;
// A call for some lines of an image should have at least this many multiplications. The limit is
// lower than kLeastMultiplications, because without such calls a thread would be idle.
constexpr double kLeastForLines = 1e6;

// Returns how many rows (images of a convolution, or rows of a matrix) each call of oneDNN gets.
// Calls should be so many that threads which are done early can take some from slower ones, and so
// few that the weights do not dominate the time: each call reads all weights or, in a weight
// gradient, writes the gradients by all weights.
int64_t RowsPerCall(const Description& d) {
  const int64_t rows = d.in.dims[0], threads = Threads();
  if (threads == 1 || rows == 1) return rows;
  const int64_t in = NumElements(d.in), out = NumElements(d.out), weights = NumElements(d.weights);
  // Counts the multiplications: each weight is multiplied once per output pixel, or per row of a
  // matrix.
  const double multiplications =
      d.operation == Operation::kMatmul
          ? static_cast<double>(weights) * static_cast<double>(rows)
          : static_cast<double>(weights) * static_cast<double>(out / d.out.dims[1]);
  const int64_t worthwhile = static_cast<int64_t>(
      std::min(multiplications / kLeastMultiplications, static_cast<double>(rows)));
  const int64_t most =
      IsWeightGradient(d)
          ? std::clamp((in + out) / (4 * weights), threads, kMostSummedCallsPerThread * threads)
          : std::clamp((in + out) / weights, threads, kMostCallsPerThread * threads);
  const int64_t calls = std::min({worthwhile, most, rows});
  if (calls <= 1) return rows;
  // If all calls have the same number of rows, a single primitive serves all of them; otherwise two
  // are needed. So a number of calls is preferred that divides the rows evenly and is a multiple of
  // the number of threads.
  for (int64_t equal = calls; equal >= std::max<int64_t>(2, calls / 2); --equal) {
    if (rows % equal == 0 && equal % threads == 0) return rows / equal;
  }
  return (rows + calls - 1) / calls;
}

// Returns the part (the work of one call) that computes lines [begin, end) of the result of one
// image from the input lines on which they depend.
Part LinesOf(const Description& d, int64_t image, int64_t begin, int64_t end) {
  const int64_t kernel = d.weights.dims[d.weights.dims.size() - 2];
  const int64_t first = begin * d.strides[0] - d.pad_begin[0],
                last = (end - 1) * d.strides[0] + (kernel - 1) * d.dilations[0] - d.pad_begin[0];
  const int64_t in_begin = std::max<int64_t>(first, 0),
                in_end = std::min<int64_t>(last + 1, d.in.dims[2]);
  return {image,
          1,
          in_begin,
          in_end - in_begin,
          begin,
          end - begin,
          {in_begin - first, last + 1 - in_end},
          true};
}

}  // namespace

int64_t NumElements(const Tensor& tensor) {
  int64_t count = 1;
  for (int64_t size : tensor.dims) count *= size;
  return count;
}

bool IsWeightGradient(const Description& d) {
  return d.operation == Operation::kConvolutionWeightGradient;
}

Description OfPart(Description d, const Part& part) {
  d.in.dims[0] = d.out.dims[0] = part.rows;
  if (!part.in_lines_only) return d;
  d.in.dims[2] = part.in_lines, d.out.dims[2] = part.out_lines;
  d.pad_begin[0] = part.pads[0], d.pad_end[0] = part.pads[1];
  return d;
}

std::vector<Part> PartsOf(const Description& d) {
  const int64_t rows = d.in.dims[0], threads = Threads(), rows_per_call = RowsPerCall(d);
  std::vector<Part> parts;
  if (rows < threads && d.operation == Operation::kConvolutionForward && !d.winograd &&
      d.in.layout == Layout::kNhwc && d.out.layout == Layout::kNhwc) {
    const double multiplications = static_cast<double>(NumElements(d.weights)) *
                                   static_cast<double>(d.out.dims[2] * d.out.dims[3]);
    const int64_t lines = d.out.dims[2];
    const int64_t pieces = std::min({(threads + rows - 1) / rows, lines,
                                     static_cast<int64_t>(multiplications / kLeastForLines)});
    bool is_possible = pieces > 1;
    for (int64_t i = 0; is_possible && i < rows * pieces; ++i) {
      const int64_t piece = i % pieces;
      parts.push_back(LinesOf(d, i / pieces, piece * lines / pieces, (piece + 1) * lines / pieces));
      is_possible = parts.back().in_lines > 0;
    }
    if (is_possible) return parts;
    parts.clear();
  }
  for (int64_t row = 0; row < rows; row += rows_per_call)
    parts.push_back({.row = row, .rows = std::min(rows_per_call, rows - row)});
  return parts;
}

}  // namespace cotangent::tensor::onednn
