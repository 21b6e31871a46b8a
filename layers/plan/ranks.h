// Describes the ranks: the processes that compute each batch together, each one its share of the
// images.
#ifndef COTANGENT_LAYERS_PLAN_RANKS_H_
#define COTANGENT_LAYERS_PLAN_RANKS_H_

#include <functional>

#include "absl/types/span.h"

namespace cotangent::layers {

// Each rank computes N images, N being the batch size of the graph that each rank computes: rank r
// has the images r N to (r + 1) N - 1 of the batch. The defaults stand for a single process.
struct PlanRanks {
  int ranks = 1, rank = 0;
  // Replaces each number by its sum over the ranks; all ranks get bit-identical sums. Operations
  // call it while the plan runs, in the same order on all ranks. With one rank it is never called
  // and may be empty.
  std::function<void(absl::Span<double>)> sum;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_RANKS_H_
