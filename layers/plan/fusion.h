// Decides which tensors of a graph are stored in memory, and which operations are fused into one
// pass over memory.
//
// Elementwise operations, per-channel sums and max pooling in small windows that do not overlap do
// not need to store intermediate values; they can be computed where they are needed. Fuse() turns
// the part of a graph that the results need into a list of items in execution order. An item is
// either a single operation between stored tensors (a convolution, say), or a Pass. A pass reads
// stored tensors, computes any number of fused operations element by element in registers, and
// stores tensors and per-channel sums. For example, a batch normalisation with its activation and
// residual sum is one pass in the forward computation (after the pass that computes its moments,
// the mean and variance of each channel) and two in the backward computation: one that sums the
// gradients of scale and shift over each channel, and one that stores the gradients of its inputs.
//
// To save memory, the backward computation may compute a tensor of the forward computation once
// more instead of reading the stored tensor (recompute.h). Such a copy is computed as late as
// possible. When an operation of the backward computation needs a copy, the copy gets a pass, and
// other sums and stores that read the same tensors and can already be computed are put into this
// pass, too.
//
// The result of a fused operation is stored if an operation reads it that is not fused, or that
// broadcasts it to all pixels; if it is a result of the graph; if it is the positions of a max
// pooling; if it has one value per channel or is a scalar, and so is tiny (constants excepted); if
// the backward computation has a copy of it; or if several operations read it and each of their
// passes would have to read three or more tensors other than channel vectors and scalars to compute
// it (a pooling on the way counts as two). It is also stored if a pass would otherwise have too
// many operands or operations, or poolings of different geometry.
#ifndef COTANGENT_LAYERS_PLAN_FUSION_H_
#define COTANGENT_LAYERS_PLAN_FUSION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

struct Pass {
  // The pass loops over the elements of the shape `domain`. If the pass contains a max pooling or
  // the derivative of one, `domain` is the pooled shape and `fine` the shape before pooling. To
  // each element of the domain then belong window_height x window_width elements of each tensor of
  // the shape `fine`.
  Shape domain;
  Shape fine;
  int64_t window_height = 1, window_width = 1;
  std::vector<TensorId> stores;  // tensors that the pass writes
  std::vector<int> sums;         // indices of the nodes that compute sums or moments per channel

  bool HasWindow() const { return window_height * window_width > 1; }
  bool IsFine(const Shape& shape) const { return HasWindow() && shape == fine; }
};

// An entry of the schedule: a single operation or a pass.
struct Item {
  int node = -1;  // index of the operation; -1: a pass
  Pass pass;
  std::vector<TensorId> reads, writes;  // stored tensors that the item reads, and that it writes
};

struct Schedule {
  std::vector<Item> items;
  std::vector<bool> in_memory;  // by tensor: whether it is stored
  std::string ToString(const Graph& graph) const;
};

// Returns a schedule that computes everything that `results` need.
absl::StatusOr<Schedule> Fuse(const Graph& graph, absl::Span<const TensorId> results);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_FUSION_H_
