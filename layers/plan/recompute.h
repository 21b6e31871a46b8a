// Recomputes results of the forward computation during backpropagation instead of keeping them in
// memory. This saves memory and costs a little time; the recomputed numbers are the same to the
// bit. (Sums that share a pass with them may be added up in another order.)
//
// Cheap to recompute are normalisations, activations and sums: one pass over tensors that are kept
// anyway, namely the results of convolutions. If a pass that reads those tensors runs at that
// moment in any case, as for the gradient of a normalisation (fusion.h), recomputing costs only one
// more store. To save more, the network is cut into segments, and everything within a segment is
// recomputed from the tensors that cross the cut at its beginning (Chen et al., "Training deep nets
// with sublinear memory cost", 2016).
#ifndef COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
#define COTANGENT_LAYERS_PLAN_RECOMPUTE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

enum class Recompute {
  // Recompute nothing, unless the memory budget (RecomputeOptions::most_bytes) requires it.
  kNever,
  // Recompute if the cost of the bytes moved is less than the value of the bytes saved.
  kIfCheap,
  // Recompute whatever takes one pass, if that saves memory.
  kIfSmaller
};

struct RecomputeOptions {
  Recompute recompute = Recompute::kIfCheap;
  // The largest number of bytes that tensors in the arena may take; 0: no limit. If it is exceeded,
  // more is recomputed than `recompute` says, but not more than necessary.
  int64_t most_bytes = 0;
  ElementType precision = ElementType::kF32;
};

// Rewrites `graph`, whose results[0] must be the loss and whose other results are its gradients.
// Returns the estimated peak of the bytes that its tensors take, without scratch memory and second
// formats. A graph without gradients is not changed, and 0 is returned.
absl::StatusOr<int64_t> ComputeAgain(const std::vector<TensorId>& results,
                                     const RecomputeOptions& options, Graph& graph);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
