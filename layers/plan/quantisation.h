// Which layers of a network compute with 8-bit integers, and what those stand for (quantise.h).
#ifndef COTANGENT_LAYERS_PLAN_QUANTISATION_H_
#define COTANGENT_LAYERS_PLAN_QUANTISATION_H_

#include <map>
#include <string>

namespace cotangent::layers {

// How a tensor's numbers become integers: rounded to multiples of `scale`.
struct TensorScale {
  float scale = 0;  // 0: they do not
  bool is_signed = false;

  friend bool operator==(const TensorScale&, const TensorScale&) = default;
};

struct QuantisedLayer {
  TensorScale in, out;
  TensorScale addend;  // of a residual connection; then all three or only `in`

  friend bool operator==(const QuantisedLayer&, const QuantisedLayer&) = default;
};

// By the name of a convolution's weight, "conv1.weight": what is missing computes with real numbers.
using Quantisation = std::map<std::string, QuantisedLayer>;

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_QUANTISATION_H_
