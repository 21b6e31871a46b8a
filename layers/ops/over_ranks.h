// What the ranks of PlanRanks (plan/ranks.h) have in common: vectors averaged over them, each
// vector of a rank's share of the batch. With one rank, the vectors themselves.
//
// Ranks' losses are averaged, and so are the gradients that each rank computes. A rank's cotangent
// of x_r is therefore the derivative of the sum of the ranks' losses, and that of y = mean over r
// of x_r is, for every x_r, the mean over the ranks of their cotangents of y.
#ifndef COTANGENT_LAYERS_OPS_OVER_RANKS_H_
#define COTANGENT_LAYERS_OPS_OVER_RANKS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/sums.h"

namespace cotangent::layers {

extern const Op kMeanOverRanks, kMomentsOverRanks;

// The means of vectors, f32, of any lengths; one exchange for all of them.
std::vector<TensorId> MeanOverRanks(Graph& graph, absl::string_view name,
                                    const std::vector<TensorId>& vectors);

// Mean and biased variance [C] of the whole batch, from those of equal shares m_r, v_r: the mean of
// the m_r, and the mean of v_r + (m_r - mean)^2. One exchange, in double.
MomentsResult MomentsOverRanks(Graph& graph, absl::string_view name, const MomentsResult& own);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_OVER_RANKS_H_
