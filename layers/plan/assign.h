// Chooses, for every convolution of a schedule, its implementation, and for every tensor the
// formats it is kept in.
//
// Layout and type belong to the convolution, not to the network: passes read and write any layout,
// so what counts is the sum of the convolutions' measured times and of what the conversions between
// them cost. A tensor that a pass stores may be stored in two formats; a tensor that a convolution
// writes is reordered where another wants it differently. Memory counts too: the peak of what is
// alive, scratch included, has a price in seconds. The sum is brought down by coordinate descent
// from each convolution's own best.
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

// The direction a convolution node computes, and its activations: `in` on the input side, `out` on
// the output side.
struct ConvolutionSides {
  tensor::Direction direction;
  TensorId in, out, weights;
  TensorId bias = kNoTensor, addend = kNoTensor;  // of a folded graph
  TensorId positions = kNoTensor;                 // of what is pooled, as `out` is then
};
bool IsConvolution(Op op);
ConvolutionSides SidesOf(const Node& node);
// How the convolution reads or writes one of its activations.
Format FormatAt(const Node& node, const tensor::ConvolutionChoice& choice, TensorId t);
// What the convolution does besides.
tensor::Epilogue EpilogueOf(const Node& node);
// "conv1 forward": the key of PlanOptions::choices.
std::string ChoiceKey(const Node& node);

struct Assignment {
  std::vector<std::vector<Format>> formats;  // by tensor in memory; passes read the first
  absl::flat_hash_map<int, tensor::ConvolutionChoice> choices;  // by convolution node
};

// The format an operation other than a convolution or a pass needs its tensors in.
Format DefaultFormat(const Graph& graph, TensorId t, ElementType precision);
// Equal formats for this shape, even where they have different names.
bool SameFormat(const tensor::Shape& shape, const Format& a, const Format& b);

// Whether the convolution is fastest, or was chosen to run, as one that can pool (pooling.h).
bool PrefersToPool(const Graph& graph, const Node& node, Tuner& tuner, const PlanOptions& options);

absl::StatusOr<Assignment> Assign(const Graph& graph, const Schedule& schedule, Tuner& tuner,
                                  const PlanOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_ASSIGN_H_
