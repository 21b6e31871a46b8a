// A graph for inference alone, in which what follows a convolution has gone into it.
//
// With fixed parameters and statistics, batch normalisation, a bias or a constant factor after a
// convolution y = w * x is a y + b, channel by channel, which is a convolution with the weights a w
// and the bias b. After it, a sum with another tensor (a residual connection) and a ReLU are
// computed on the convolution's results before they are stored.
//
// What a y + b is, the formulas of the graph's elementwise operations say: they are composed and
// taken apart symbolically, so that any arithmetic that is affine in y folds, whichever layers it
// came from.
#ifndef COTANGENT_LAYERS_PLAN_FOLD_H_
#define COTANGENT_LAYERS_PLAN_FOLD_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/evaluate.h"
#include "layers/graph/graph.h"
#include "layers/plan/parameters.h"

namespace cotangent::layers {

class FoldedGraph {
 public:
  // A copy of a graph that computes the same `result`; tensors keep their numbers and names. Other
  // tensors need not have the values they had. Parameters and states are taken from `source`, which
  // must outlive this.
  static absl::StatusOr<std::unique_ptr<FoldedGraph>> Create(const Graph& graph, TensorId result,
                                                             const ParameterStore& source);

  const Graph& graph() const { return graph_; }
  // The folded graph's own parameters: zeros until Update() copies the source's present values and
  // folds those of the convolutions.
  ParameterStore& store() { return *store_; }
  void Update();
  // How many convolutions something was folded into.
  int size() const { return static_cast<int>(convolutions_.size()); }

 private:
  // Weights and bias of a folded convolution: for each output channel, {a, b} in the values of
  // `operands` there.
  struct FoldedConvolution {
    TensorId weight, bias;
    std::vector<TensorId> operands;
    autodiff::symbolic::Program affine;
  };

  FoldedGraph(const Graph& graph, const ParameterStore& source) : graph_(graph), source_(source) {}
  void UpdateConvolution(const FoldedConvolution& convolution);

  Graph graph_;
  const ParameterStore& source_;
  std::unique_ptr<ParameterStore> store_;
  std::vector<FoldedConvolution> convolutions_;

  friend class Folder;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_FOLD_H_
