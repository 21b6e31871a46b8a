#ifndef COTANGENT_OPTIM_PARAMETER_SLICE_H_
#define COTANGENT_OPTIM_PARAMETER_SLICE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cotangent::optim {

// The range that a parameter tensor takes in the flat buffer of all parameters, and its gradient in
// the buffer of all gradients. Offset and size are in floats.
struct ParameterSlice {
  std::string name;            // "conv1.weight"
  std::vector<int64_t> shape;  // [out, in, height, width] for a convolution
  int64_t offset = 0;
  int64_t size = 0;  // the product of shape
  bool trainable = true;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_PARAMETER_SLICE_H_
