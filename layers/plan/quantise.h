// Makes the convolutions of a folded graph (fold.h) compute with 8-bit integers.
//
// The activations that such a convolution reads are stored as u8 or s8. If the scale of its results
// is given, the results are stored so, too: bias, residual sum and ReLU are applied to the sums of
// products before the results are rounded. All other operations compute with real numbers as
// before; the passes over memory that read or write the integers convert them.
#ifndef COTANGENT_LAYERS_PLAN_QUANTISE_H_
#define COTANGENT_LAYERS_PLAN_QUANTISE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "layers/graph/graph.h"
#include "layers/plan/parameters.h"
#include "layers/plan/quantisation.h"

namespace cotangent::layers {

// A convolution or linear layer that can be quantised.
struct QuantisableConvolution {
  int node;
  std::string weight;        // name of the weight
  TensorId in, out, addend;  // `addend` is kNoTensor if there is none
};
// Lists all convolutions that can be quantised. Convolutions that read the network's images, that
// pool, or whose weights are used twice or are no parameters cannot be quantised.
std::vector<QuantisableConvolution> QuantisableConvolutions(const Graph& graph, TensorId result);

// Rewrites a graph that serves inference only; `result` stays a tensor of real numbers. The weights
// are quantised with one scale per output channel, the largest magnitude over 127, from their
// current values in `store`. Returns InvalidArgument if a scale is not a positive number.
absl::Status QuantiseGraph(const Quantisation& quantisation, TensorId result,
                           const ParameterStore& store, Graph& graph);

// Returns for each row of [rows, columns] the largest magnitude divided by 127, or 1 if the row is
// all zeros.
std::vector<float> WeightScales(const float* weights, int64_t rows, int64_t columns);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_QUANTISE_H_
