// What training minimises.
#ifndef COTANGENT_LAYERS_OPS_LOSS_H_
#define COTANGENT_LAYERS_OPS_LOSS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"

namespace cotangent::layers {

// prediction [N, K], labels [N] or targets [N, K] -> loss [], d loss / d prediction [N, K].
extern const Op kLoss;

enum class LossKind { kSoftmaxCrossEntropy, kHinge, kMeanSquaredError, kFocal, kFormula };

struct LossAttributes {
  LossKind kind = LossKind::kSoftmaxCrossEntropy;
  double label_smoothing = 0;         // softmax cross-entropy
  std::vector<double> class_weights;  // empty: all 1; weighted mean as in PyTorch
  // hinge: mean over the batch of sum_{j != y} max(0, margin + x_j - x_y)
  double margin = 1;
  double gamma = 2;  // focal: (1 - p_y)^gamma * cross-entropy
  // kFormula: elementwise in a0 = prediction, a1 = target (one-hot of labels); mean over all
  Expr formula;
};

// prediction [N, K] -> the mean loss, [], against class numbers `labels` [N] or targets [N, K].
// Of the mean squared error and of a formula targets are what predictions are compared with,
// element by element. Of the others they are shares of the classes, and the loss of an image is the
// mean, by these shares, of what it would be for each class; weights of classes then weight it, but
// it is the number of images that the sum is divided by, as in PyTorch's cross_entropy with
// probabilities.
absl::StatusOr<TensorId> LossOf(Graph& graph, absl::string_view name, TensorId prediction,
                                TensorId labels, const LossAttributes& loss);

// What predictions are compared with: one of the two.
struct LossTargets {
  const int32_t* labels = nullptr;  // [N]
  const float* shares = nullptr;    // [N, K]
};

// The mean loss, weighted by class, of f32 predictions [N, K], and its gradient by the prediction.
// Summed in double, in a fixed order. A batch in which no image has weight has the loss 0 and the
// gradient 0. kFormula is not among them.
void MeanLoss(const LossAttributes& attributes, const Buffer& prediction,
              const LossTargets& targets, float* loss, const Buffer& gradient);

// The loss is loss / weight, summed over as many batches as there are: so that of a data set does
// not depend on how it is cut into batches. kFormula is not among them.
struct LossSums {
  double loss = 0;    // sum over n of the weighted loss of image n
  double weight = 0;  // sum over n of the weight of its class; of shares, the images
};
LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_H_
