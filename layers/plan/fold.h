// Folds the operations after a convolution into the convolution, for inference: the folded
// convolution computes their result too.
//
// If parameters and running statistics are fixed, a batch normalisation, bias or constant factor
// after a convolution y = w * x computes a y + b, where a and b are constants of each channel. That
// is a convolution with the weights a w and the bias b. A following sum with another tensor (a
// residual connection) and a ReLU are then computed on the convolution's results before they are
// stored. A sum of several convolutions of one tensor becomes one convolution (branches.h).
//
// The constants a and b are found from the formulas of the graph's elementwise operations: the
// formulas are composed symbolically and then split into slope and offset. So any arithmetic that
// is affine in y is folded, whichever layers it comes from.
#ifndef COTANGENT_LAYERS_PLAN_FOLD_H_
#define COTANGENT_LAYERS_PLAN_FOLD_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/evaluate.h"
#include "layers/graph/graph.h"
#include "layers/plan/branches.h"
#include "layers/plan/parameters.h"

namespace cotangent::layers {

class FoldedGraph {
 public:
  // Makes a folded copy of `graph` that computes the same `result`. Tensors keep their ids and
  // names, but tensors other than `result` may have other values than before. Parameters and states
  // are read from `source`, which must outlive this object.
  static absl::StatusOr<std::unique_ptr<FoldedGraph>> Create(const Graph& graph, TensorId result,
                                                             const ParameterStore& source);

  const Graph& graph() const { return graph_; }
  // Returns the parameters of the folded graph. They are zero until Update() computes them from the
  // current values in `source`. Call Update() again whenever the values in `source` change.
  ParameterStore& store() { return *store_; }
  void Update();
  // Returns the number of convolutions into which something was folded.
  int size() const { return static_cast<int>(convolutions_.size()); }

 private:
  // How to compute weights and bias of a folded convolution. For each output channel, `affine`
  // computes from the values of the tensors `operands` at that channel first the factor of each
  // branch, then the bias. A branch is a kernel that the convolution's weights contain: several
  // kernels if the convolution replaces a sum of convolutions, otherwise one.
  struct FoldedConvolution {
    TensorId weight, bias;
    std::vector<Branch> branches;
    std::vector<TensorId> operands;
    autodiff::symbolic::Program affine;
  };
  struct Kernel {
    int64_t inputs, height, width;
  };

  FoldedGraph(const Graph& graph, const ParameterStore& source) : graph_(graph), source_(source) {}
  static Kernel KernelOf(const Shape& weight);
  void UpdateConvolution(const FoldedConvolution& convolution);
  // Adds `slope` times the branch's kernel to `row`, the weights of output channel `channel`.
  // `whole` is the size of the kernel of these weights.
  void AddBranch(const Branch& branch, int64_t channel, double slope, const Kernel& whole,
                 std::vector<double>& row) const;

  Graph graph_;
  const ParameterStore& source_;
  std::unique_ptr<ParameterStore> store_;
  std::vector<FoldedConvolution> convolutions_;

  friend class Folder;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_FOLD_H_
