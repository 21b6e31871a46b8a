// Recomputes results of the forward computation during backpropagation instead of keeping them in
// memory. This saves memory and costs a little time; the recomputed numbers are the same to the
// bit. (Sums that share a pass with recomputed results may be added up in another order.)
//
// Normalisations, activations and sums are cheap to recompute: it takes one pass (a loop over
// memory that computes several operations, fusion.h) over tensors that are kept anyway, namely the
// results of convolutions. If a pass that reads those tensors runs at that moment in any case, such
// as the pass for the gradient of a normalisation, recomputing costs only one more store. To save
// more memory, the network is divided into segments. Of each segment, only those tensors are kept
// that later segments read; all others are recomputed (Chen et al., "Training deep nets with
// sublinear memory cost", 2016).
#ifndef COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
#define COTANGENT_LAYERS_PLAN_RECOMPUTE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

enum class Recompute {
  // Recompute nothing, unless the memory budget (RecomputeOptions::most_bytes) requires it.
  kNever,
  // Recompute a result that one pass can recompute, if that saves more bytes of the peak than half
  // the bytes that recomputing loads and stores in addition (kPeakBytesPerMoved in recompute.cc).
  kIfCheap,
  // Recompute every result that one pass can recompute, if that saves memory.
  kIfSmaller
};

struct RecomputeOptions {
  Recompute recompute = Recompute::kIfCheap;
  // The largest number of bytes that tensors may take in the arena, the memory of a plan for
  // intermediate tensors; 0: no limit. If the limit is exceeded, more is recomputed than
  // `recompute` says, until the limit is met or nothing more helps.
  int64_t most_bytes = 0;
  ElementType precision = ElementType::kF32;  // of stored activations
  // ComputeAgain() estimates the peak of the memory for several choices of what to recompute. It
  // calls this function before each estimate and ends with the function's error, if it returns one.
  std::function<absl::Status()> may_go_on = [] { return absl::OkStatus(); };
};

// Rewrites `graph`, whose results[0] must be the loss and whose other results must be gradients of
// the loss or values of state updates. Returns the estimated peak of the bytes that the
// intermediate tensors of the graph take, without results, vectors, scratch memory and copies in
// second formats. A graph without gradients is not changed, and 0 is returned.
absl::StatusOr<int64_t> ComputeAgain(const std::vector<TensorId>& results,
                                     const RecomputeOptions& options, Graph& graph);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_RECOMPUTE_H_
