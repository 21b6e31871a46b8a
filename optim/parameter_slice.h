#ifndef COTANGENT_OPTIM_PARAMETER_SLICE_H_
#define COTANGENT_OPTIM_PARAMETER_SLICE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace cotangent::optim {

// A parameter tensor's place in the flat buffer that holds all parameters, and, at the same place,
// in the one that holds their gradients. Offsets and sizes count floats.
struct ParameterSlice {
  std::string name;            // "conv1.weight"
  std::vector<int64_t> shape;  // [out, in, height, width] for a convolution
  int64_t offset = 0;
  int64_t size = 0;  // the product of shape
  bool trainable = true;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_PARAMETER_SLICE_H_
