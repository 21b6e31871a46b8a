// A folded graph (fold.h) whose convolutions compute with 8-bit integers.
//
// The activations that such convolutions read lie in memory as u8 or s8, and so do those they
// write, where that is wanted: bias, residual sum and ReLU are computed on their sums of products
// before these are rounded. All other operations compute with real numbers as before, which passes
// over memory take from integers and round to integers on the way.
#ifndef COTANGENT_LAYERS_PLAN_QUANTISE_H_
#define COTANGENT_LAYERS_PLAN_QUANTISE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "layers/graph/graph.h"
#include "layers/plan/parameters.h"
#include "layers/plan/quantisation.h"

namespace cotangent::layers {

// A convolution, or linear layer, that may be quantised.
struct QuantisableConvolution {
  int node;
  std::string weight;        // its name
  TensorId in, out, addend;  // the last kNoTensor where there is none
};
// All but those that read the images themselves or share their weights with others.
std::vector<QuantisableConvolution> QuantisableConvolutions(const Graph& graph, TensorId result);

// Rewrites a graph that is for inference alone; `result` stays as real as it is. Weights take the
// scales of their channels, the largest magnitude over 127, from their present values in `store`.
// Errors: InvalidArgument for scales that are no positive numbers.
absl::Status QuantiseGraph(const Quantisation& quantisation, TensorId result,
                           const ParameterStore& store, Graph& graph);

// Of each row of [rows, columns], the largest magnitude over 127; 1 where all are zero.
std::vector<float> WeightScales(const float* weights, int64_t rows, int64_t columns);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_QUANTISE_H_
