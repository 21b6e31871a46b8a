// How a primitive's work is divided into calls of oneDNN, each of which runs on one thread.
#ifndef COTANGENT_TENSOR_ONEDNN_PARTS_H_
#define COTANGENT_TENSOR_ONEDNN_PARTS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tensor/onednn.h"

namespace cotangent::tensor::onednn {

// The work of one call of oneDNN: `rows` images of a convolution, or rows of a matrix, from number
// `row` on. If in_lines_only, the call computes only some lines of image `row`: out_lines lines of
// the output from out_line on, from in_lines lines of the input from in_line on.
struct Part {
  int64_t row = 0, rows = 0;
  int64_t in_line = 0, in_lines = 0, out_line = 0, out_lines = 0;  // if in_lines_only
  std::array<int64_t, 2> pads = {0, 0};  // lines of padding above and below
  bool in_lines_only = false;

  // Returns whether one primitive can compute both parts.
  bool SamePrimitive(const Part& other) const {
    return rows == other.rows && in_lines == other.in_lines && out_lines == other.out_lines &&
           pads == other.pads;
  }
};

// Divides the work into parts of some rows each. If a direct forward convolution in NHWC has fewer
// images than threads and enough work, each part is some lines of an image, unless a part would
// then depend on padding only.
std::vector<Part> PartsOf(const Description& d);

// Returns the description of the primitive that computes `part` of `d`.
Description OfPart(Description d, const Part& part);

bool IsWeightGradient(const Description& d);
int64_t NumElements(const Tensor& tensor);

}  // namespace cotangent::tensor::onednn

#endif  // COTANGENT_TENSOR_ONEDNN_PARTS_H_
