// Makes the convolutions of a folded graph (fold.h) compute with 8-bit integers.
//
// A quantised tensor holds integers (u8 or s8), each of which stands for the real number integer *
// scale. The activations that a quantised convolution reads are stored so. Its results, and the
// other tensor of a residual sum that it adds, are stored so, too, if their scales are given
// (QuantisedLayer in quantisation.h); the convolution then applies bias, residual sum and ReLU
// before it rounds. All other operations compute with real numbers; the fused passes (loops over
// memory that compute several operations, fusion.h) convert the integers that they read or write.
#ifndef COTANGENT_LAYERS_PLAN_QUANTISE_H_
#define COTANGENT_LAYERS_PLAN_QUANTISE_H_

#include <cstdint>
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
  TensorId in, out, addend;  // `addend`: the other tensor of a residual sum, or kNoTensor
};
// Returns all convolutions that `result` depends on and that can be quantised. Convolutions that
// read the network's images, that pool, or whose weights are used twice or are no parameters cannot
// be quantised.
std::vector<QuantisableConvolution> QuantisableConvolutions(const Graph& graph, TensorId result);

// Who computes a quantised graph: this processor, or another program, to which it is exported.
enum class QuantisedFor : uint8_t { kThisProcessor, kExport };

// Rewrites a graph that serves inference only; `result` stays a tensor of real numbers. For
// kThisProcessor, layers stay as they are if this processor has no kernel that computes them in
// 8-bit integers (tensor::Int8Candidates()). The weights are quantised with one scale per output
// channel, the largest magnitude over 127, from their current values in `store`. Returns
// InvalidArgument if a scale that a layer uses is negative, infinite, NaN or denormal.
absl::Status QuantiseGraph(const Quantisation& quantisation, TensorId result,
                           const ParameterStore& store, QuantisedFor target, Graph& graph);

// Returns for each row of [rows, columns] the largest magnitude divided by 127; 1 if the quotient
// is 0.
std::vector<float> WeightScales(const float* weights, int64_t rows, int64_t columns);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_QUANTISE_H_
