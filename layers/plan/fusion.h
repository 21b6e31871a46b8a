// Which tensors of a graph ever lie in memory, and which operations run as one pass over it.
//
// Elementwise operations, per-channel sums and non-overlapping max pooling need no memory of their
// own: their values can be computed where they are needed. Fuse() turns the part of a graph that
// its results need into a list of items in execution order: an item is either one operation (a
// convolution, say) between tensors in memory, or a Pass, which reads tensors in memory, computes
// any number of fused operations element by element in registers, and stores tensors and
// per-channel sums. So batch normalisation with its activation and residual sum is one pass forward
// (after the pass that takes its moments) and two backward: one that sums, one that stores.
//
// What is computed again (recompute.h) is placed late. Where an operation of the backward
// computation reads it, the sums and stores that read the same tensors and could be taken at that
// moment are taken then, so that one pass does all.
//
// A tensor of a fused operation is put in memory only if another operation reads it there, if it is
// a result, if it is per-channel (tiny), or if several passes would otherwise recompute it from
// three or more tensors.
#ifndef COTANGENT_LAYERS_PLAN_FUSION_H_
#define COTANGENT_LAYERS_PLAN_FUSION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

struct Pass {
  // The pass runs over the elements of `domain`. Where it contains max pooling, `domain` is the
  // pooled shape and `fine` the shape before pooling: to each element of the domain belong
  // window_height x window_width elements of fine tensors.
  Shape domain;
  Shape fine;
  int64_t window_height = 1, window_width = 1;
  std::vector<TensorId> stores;  // tensors written
  std::vector<int> sums;         // nodes: sums and moments

  bool HasWindow() const { return window_height * window_width > 1; }
  bool IsFine(const Shape& shape) const { return HasWindow() && shape == fine; }
};

struct Item {
  int node = -1;  // the operation, or -1: a pass
  Pass pass;
  std::vector<TensorId> reads, writes;  // tensors in memory
};

struct Schedule {
  std::vector<Item> items;
  std::vector<bool> in_memory;  // by tensor
  std::string ToString(const Graph& graph) const;
};

// All that `results` need, in an order in which it can be computed.
absl::StatusOr<Schedule> Fuse(const Graph& graph, absl::Span<const TensorId> results);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_FUSION_H_
