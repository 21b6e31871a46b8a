// Quantises activations to 8-bit integers.
#ifndef COTANGENT_LAYERS_OPS_QUANTISE_H_
#define COTANGENT_LAYERS_OPS_QUANTISE_H_

#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The operation that computes x / scale, rounded to the nearest integer (ties to even) and clamped
// to 0..255 or, if signed, to -128..127. It is a step function, so its derivative is zero.
extern const Op kQuantise;

struct QuantiseAttributes {
  float scale = 1;  // the real number that one unit of the integers stands for
  bool is_signed = false;
};

TensorId Quantise(Graph& graph, absl::string_view name, TensorId x,
                  const QuantiseAttributes& attributes);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_QUANTISE_H_
