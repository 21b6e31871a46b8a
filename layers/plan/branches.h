// Finds sums of several convolutions of one tensor that can become one convolution, as RepVGG and
// similar networks have them during training (Ding et al., "RepVGG: making VGG-style ConvNets great
// again", 2021, section 3.3).
//
//   sum over k of s_k (w_k * x) + s x + b  =  (sum over k of s_k w_k + s 1) * x + b
//
// Here w_k * x are two or more convolutions of the tensor x, and s x may be missing. The channel
// vectors s_k, s and b come from the affine operations after each convolution (batch normalisation,
// a bias). Smaller kernels are placed within the largest one; 1 is a kernel of one cell that passes
// on each channel as it is. A sum of x and only one convolution, as in a residual network, is not
// merged: that would save only an addition, and if the network is quantised later (quantise.h),
// 8-bit integers with one scale per channel could not represent both the 1 and the weights well.
#ifndef COTANGENT_LAYERS_PLAN_BRANCHES_H_
#define COTANGENT_LAYERS_PLAN_BRANCHES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/graph/uses.h"
#include "layers/plan/affine.h"

namespace cotangent::layers {

// A term of the sum, and where its kernel lies in the largest kernel. Positions are in cells of the
// largest kernel, from 0 at the top left.
struct Branch {
  TensorId weight = kNoTensor;            // of the convolution; kNoTensor: the term is x
  int64_t row = 0, column = 0;            // of the kernel's top left cell
  int64_t row_step = 1, column_step = 1;  // distance of the kernel's rows (columns)
};

struct MergedBranches {
  // Index of the node with the largest kernel, whose attributes the merged convolution gets.
  int convolution = -1;
  std::vector<Branch> branches;  // the first is that of `convolution`
  // Of the branches, in the same order: s_k for a convolution, s for x; one value per channel.
  std::vector<Expr> slopes;
  Expr offset;
  // Indices of the nodes that the merged convolution replaces, that of the sum included.
  std::vector<int> nodes;
};

// Returns the sum that the elementwise operation at node `index` computes, if it can become one
// convolution and nothing else reads its intermediate results; otherwise nullopt. is_taken[i] is
// true if node i has already been folded into another convolution.
std::optional<MergedBranches> MergeBranches(const Graph& graph, const Uses& uses, int index,
                                            const std::vector<bool>& is_taken,
                                            ChannelExpressions& channels);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_BRANCHES_H_
