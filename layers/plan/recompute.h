// Results of the forward computation that are not kept for backpropagation, but computed again when
// it comes to them: less memory for a little time, and the same numbers to the bit. (Sums that share
// a pass with them may be added up in another order.)
//
// What is cheap is normalised, activated, added: one pass over what is kept anyway, namely the
// results of convolutions, and where the pass that sums for the gradient of a normalisation reads
// those at that moment (fusion.h), no more than one more store. Beyond that, everything between two
// cuts through the network can be computed again from what crosses the first of them (Chen et al.,
// "Training deep nets with sublinear memory cost", 2016).
#ifndef COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
#define COTANGENT_LAYERS_PLAN_RECOMPUTE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

enum class Recompute {
  kNever,     // where no budget asks for it
  kIfCheap,   // where the bytes it moves cost less than those it saves are worth
  kIfSmaller  // whatever one pass computes again, where that saves memory
};

struct RecomputeOptions {
  Recompute recompute = Recompute::kIfCheap;
  // Bytes that what lies in the arena may take at most; 0: no limit. Where it is exceeded, more is
  // computed again than `recompute` says, as little as suffices.
  int64_t most_bytes = 0;
  ElementType precision = ElementType::kF32;
};

// Rewrites `graph`, whose results[0] is the loss and whose other results are its gradients, and
// returns what its tensors take at most, about: without scratch memory and second formats. A graph
// without gradients stays as it is.
absl::StatusOr<int64_t> ComputeAgain(const std::vector<TensorId>& results,
                                     const RecomputeOptions& options, Graph& graph);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
