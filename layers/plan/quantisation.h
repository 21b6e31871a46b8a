// Says which layers of a network compute with 8-bit integers, and what real numbers the integers
// stand for (quantise.h).
#ifndef COTANGENT_LAYERS_PLAN_QUANTISATION_H_
#define COTANGENT_LAYERS_PLAN_QUANTISATION_H_

#include <map>
#include <string>

namespace cotangent::layers {

// Says how the numbers of a tensor become 8-bit integers: each is divided by `scale`, rounded and
// clamped to -128..127 if `is_signed`, otherwise to 0..255.
struct TensorScale {
  float scale = 0;  // the real number that 1 stands for; 0: the tensor is not quantised
  bool is_signed = false;

  friend bool operator==(const TensorScale&, const TensorScale&) = default;
};

struct QuantisedLayer {
  TensorScale in, out;
  // Only for a convolution that also adds another tensor (a residual sum). Unless both that tensor
  // and the result have a scale (of this layer or of another that uses the tensor), the convolution
  // quantises its input only.
  TensorScale addend;

  friend bool operator==(const QuantisedLayer&, const QuantisedLayer&) = default;
};

// The quantised layers, by the name of the convolution's weight, such as "conv1.weight".
// Convolutions that are not in the map compute with real numbers.
using Quantisation = std::map<std::string, QuantisedLayer>;

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_QUANTISATION_H_
