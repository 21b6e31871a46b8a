// Operations that combine vectors over ranks: processes that train one network together, each on
// its share of every batch (PlanRanks in layers/plan/ranks.h). With one rank they change nothing.
//
// Derivatives: training averages over the ranks both the losses and the gradients that each rank
// computes. So the cotangent that rank r holds for its vector x_r is the derivative of the sum of
// all ranks' losses. For y = the mean over r of x_r, the cotangent of every x_r is the mean over
// the ranks of their cotangents of y.
#ifndef COTANGENT_LAYERS_OPS_OVER_RANKS_H_
#define COTANGENT_LAYERS_OPS_OVER_RANKS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/ops/sums.h"

namespace cotangent::layers {

extern const Op kMeanOverRanks, kMomentsOverRanks;

// Returns the mean over the ranks of each of these f32 vectors, which may differ in length. All of
// them are exchanged in one message.
std::vector<TensorId> MeanOverRanks(Graph& graph, absl::string_view name,
                                    const std::vector<TensorId>& vectors);

// Returns the mean and the biased variance [C] of the whole batch, from the mean m_r and variance
// v_r of each rank's images, of which all ranks have equally many (`own` holds this rank's): the
// mean over r of m_r, and the mean over r of v_r + (m_r - mean)^2. The ranks exchange the numbers
// for both in one message, in double.
MomentsResult MomentsOverRanks(Graph& graph, absl::string_view name, const MomentsResult& own);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_OVER_RANKS_H_
