// Branches that become one convolution, as a network of the kind of RepVGG has them while it trains
// (Ding et al., "RepVGG: making VGG-style ConvNets great again", 2021, section 3.3).
//
//   sum over k of s_k (w_k * x) + s x + b  =  (sum over k of s_k w_k + s 1) * x + b
//
// Two convolutions of one tensor or more, and the tensor itself, each with what is affine behind it
// (batch normalisation, a bias), are added: kernels of all sizes are placed in the largest, and the
// tensor itself is a kernel of one cell that passes on its own channel. (One convolution and the tensor
// itself, a residual, stay two: integers of 8 bits would not hold 1 beside a convolution's weights.)
#ifndef COTANGENT_LAYERS_PLAN_BRANCHES_H_
#define COTANGENT_LAYERS_PLAN_BRANCHES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/graph/uses.h"
#include "layers/plan/affine.h"

namespace cotangent::layers {

// A kernel in the largest one of a sum.
struct Branch {
  TensorId weight = kNoTensor;            // kNoTensor: of the tensor itself
  int64_t row = 0, column = 0;            // where its first row and column lie in the largest
  int64_t row_step = 1, column_step = 1;  // from one of its rows (columns) to the next there
};

struct MergedBranches {
  int convolution = -1;          // the node with the largest kernel, whose shape all has
  std::vector<Branch> branches;  // that convolution's first
  std::vector<Expr> slopes;      // of the branches, one value a channel
  Expr offset;
  std::vector<int> nodes;  // what the sum replaces, itself included
};

// The elementwise operation `index` as such a sum of two branches or more, if it is one and nothing
// else reads what it is made of. is_taken: nodes that are something else already.
std::optional<MergedBranches> MergeBranches(const Graph& graph, const Uses& uses, int index,
                                            const std::vector<bool>& is_taken,
                                            ChannelExpressions& channels);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_BRANCHES_H_
