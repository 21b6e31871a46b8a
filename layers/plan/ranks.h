// The processes that compute one batch together, each its share of the images, as a plan knows them.
#ifndef COTANGENT_LAYERS_PLAN_RANKS_H_
#define COTANGENT_LAYERS_PLAN_RANKS_H_

#include <functional>

#include "absl/types/span.h"

namespace cotangent::layers {

// Rank r has the images from r N on, N to each. The plain case is one that has all.
struct PlanRanks {
  int ranks = 1, rank = 0;
  // Replaces numbers by their sums over the ranks, the same bits on all. Operations call it while
  // the plan runs, on all ranks in the same order; with one rank nobody does.
  std::function<void(absl::Span<double>)> sum;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_RANKS_H_
