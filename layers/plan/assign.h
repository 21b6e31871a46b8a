// Chooses the implementation of every convolution of a schedule, and the formats (layout and
// element type) in which every tensor is stored.
//
// A schedule (fusion.h) is a list of items, each a single operation or a fused pass: one loop over
// memory that computes several operations. Each convolution chooses the formats of its own tensors;
// the network has no common format, because fused passes can read and write many layouts. The cost
// to minimise is the sum of the measured times of the convolutions, the time of the conversions
// between them, and a price in seconds for the peak of memory in use, scratch memory included. A
// pass may store its result in several formats; a tensor that a convolution writes is converted for
// readers that need another format. The minimum is searched by coordinate descent from several
// starting points, such as the fastest implementation of each convolution.
#ifndef COTANGENT_LAYERS_PLAN_ASSIGN_H_
#define COTANGENT_LAYERS_PLAN_ASSIGN_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {

// The tensors of a convolution node. In every direction, `in` is the tensor on the input side of
// the layer and `out` the one on its output side: the activations, or their gradients.
struct ConvolutionSides {
  tensor::Direction direction;
  TensorId in, out, weights;
  TensorId bias = kNoTensor, addend = kNoTensor;  // in a folded graph (fold.h); kNoTensor: none
  TensorId positions = kNoTensor;                 // of maxima, if `out` is max-pooled
};
bool IsConvolution(Op op);
ConvolutionSides SidesOf(const Node& node);
// Returns the format in which the convolution reads or writes t, which is `in`, `out` or `addend`
// of its sides.
Format FormatAt(const Node& node, const tensor::ConvolutionChoice& choice, TensorId t);
// Returns what the convolution does to its results before it stores them: adding a bias, adding
// another tensor (the addend, as in a residual sum), ReLU, pooling, rounding.
tensor::Epilogue EpilogueOf(const Node& node);
// Returns the key of this convolution in PlanOptions::choices, such as "conv1 forward".
std::string ChoiceKey(const Node& node);

struct Assignment {
  // By tensor id: the formats in which the tensor is stored; empty if it is not stored. If there
  // are several, passes read the first.
  std::vector<std::vector<Format>> formats;
  // By node index of the convolution: its implementation.
  absl::flat_hash_map<int, tensor::ConvolutionChoice> choices;
};

// Returns the format in which operations other than convolutions and passes read and write tensor
// t.
Format DefaultFormat(const Graph& graph, TensorId t, ElementType precision);
// Returns whether two formats store tensors of this shape identically. Different layouts can do so,
// for example if an image is a single pixel.
bool SameFormat(const tensor::Shape& shape, const Format& a, const Format& b);

// Returns whether the convolution `node` should also do the max pooling that follows (pooling.h):
// it has neither an addend nor 8-bit integers, and its implementation can pool. The implementation
// is the one that options.choices names for the convolution, or else the fastest one.
bool PrefersToPool(const Graph& graph, const Node& node, Tuner& tuner, const PlanOptions& options);

// Chooses formats and implementations for all of `schedule`; measures with `tuner` the convolutions
// for which options.choices names no implementation that exists on this machine.
absl::StatusOr<Assignment> Assign(const Graph& graph, const Schedule& schedule, Tuner& tuner,
                                  const PlanOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_ASSIGN_H_
