// How the work of a primitive is cut into calls of oneDNN, each of which runs on one thread.
#ifndef COTANGENT_TENSOR_ONEDNN_PARTS_H_
#define COTANGENT_TENSOR_ONEDNN_PARTS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tensor/onednn.h"

namespace cotangent::tensor::onednn {

// What a call computes: images of a convolution or rows of a matrix, and of an image some lines.
struct Part {
  int64_t row = 0, rows = 0;
  int64_t in_line = 0, in_lines = 0, out_line = 0, out_lines = 0;  // of convolutions in lines
  std::array<int64_t, 2> pads = {0, 0};                            // above and below
  bool in_lines_only = false;

  bool SamePrimitive(const Part& other) const {
    return rows == other.rows && in_lines == other.in_lines && out_lines == other.out_lines &&
           pads == other.pads;
  }
};

// As many parts as there is work for: some rows each or, of a forward convolution in NHWC of fewer
// images than threads, some lines of an image.
std::vector<Part> PartsOf(const Description& d);

// The primitive that computes a part.
Description OfPart(Description d, const Part& part);

bool IsWeightGradient(const Description& d);
int64_t NumElements(const Tensor& tensor);

}  // namespace cotangent::tensor::onednn

#endif  // COTANGENT_TENSOR_ONEDNN_PARTS_H_
