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
#include "layers/plan/convolution_node.h"
#include "layers/plan/fusion.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {

struct Assignment {
  // By tensor id: the formats in which the tensor is stored; empty if it is not stored. If there
  // are several, passes read the first.
  std::vector<std::vector<Format>> formats;
  // By node index of the convolution: its implementation.
  absl::flat_hash_map<int, tensor::ConvolutionChoice> choices;
};

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
