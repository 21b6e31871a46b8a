// Losses: the functions of predictions and labels that training minimises.
#ifndef COTANGENT_LAYERS_OPS_LOSS_H_
#define COTANGENT_LAYERS_OPS_LOSS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"

namespace cotangent::layers {

// The operation that computes a loss. Inputs: the prediction [N, K], and labels [N] or targets [N,
// K]. Outputs: the mean loss [] and its gradient by the prediction [N, K].
extern const Op kLoss;

enum class LossKind { kSoftmaxCrossEntropy, kHinge, kMeanSquaredError, kFocal, kFormula };

struct LossAttributes {
  LossKind kind = LossKind::kSoftmaxCrossEntropy;
  double label_smoothing = 0;         // for softmax cross-entropy
  std::vector<double> class_weights;  // empty: all 1; the mean is weighted by them as in PyTorch
  // For the hinge loss: mean over the batch of sum_{j != y} max(0, margin + x_j - x_y), y the
  // label.
  double margin = 1;
  double gamma = 2;  // for the focal loss (1 - p_y)^gamma * cross-entropy
  // For kFormula: an elementwise formula in a0 = prediction and a1 = target (labels become one-hot
  // vectors). The loss is its mean over all elements.
  Expr formula;
};

// Adds the mean loss [] of predictions [N, K]. `labels` holds either class numbers [N] or targets
// [N, K].
//
// For the mean squared error and for a formula, predictions are compared with targets element by
// element. For the other losses, the targets of an image are shares of the classes: the loss of the
// image is the sum over the classes of the share times the loss that the image would have with that
// class as its label. Class weights multiply the terms of their classes (softmax cross-entropy
// only), but the sum over the batch is divided by the number of images, not by the weights, as in
// PyTorch's cross_entropy with probabilities.
absl::StatusOr<TensorId> LossOf(Graph& graph, absl::string_view name, TensorId prediction,
                                TensorId labels, const LossAttributes& loss);

// What predictions are compared with: class numbers or targets. Exactly one of the two pointers is
// not null.
struct LossTargets {
  const int32_t* labels = nullptr;  // [N]
  const float* shares = nullptr;    // [N, K]
};

// Computes the mean loss of f32 predictions [N, K], weighted by class, and its gradient by the
// prediction. It sums in double in a fixed order, so the result does not depend on the number of
// threads. If all images of the batch have weight 0, the loss and the gradient are 0. Does not
// support kFormula.
void MeanLoss(const LossAttributes& attributes, const Buffer& prediction,
              const LossTargets& targets, float* loss, const Buffer& gradient);

// Returns the sum over a batch of the weights of the labels' classes, by which MeanLoss() divides.
double SumOfWeights(const LossAttributes& attributes, absl::Span<const int32_t> labels);

// Sums from which the mean loss over a data set is computed: add up both fields over all batches,
// then divide loss by weight. The result does not depend on how the data set is divided into
// batches. Does not support kFormula.
struct LossSums {
  double loss = 0;    // sum over the images of loss times weight of the label's class
  double weight = 0;  // sum of these weights; for targets: number of images
};
LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_H_
