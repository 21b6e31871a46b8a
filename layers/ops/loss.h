// Losses: the functions of predictions and labels or targets that training minimises. N is the
// number of images and K the number of classes (or of predicted numbers).
#ifndef COTANGENT_LAYERS_OPS_LOSS_H_
#define COTANGENT_LAYERS_OPS_LOSS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"

namespace cotangent::layers {

// The operation that computes a loss. Inputs: the prediction [N, K], and labels [N] (class numbers
// from 0) or targets [N, K]. Outputs: the mean loss [] and its gradient by the prediction [N, K].
extern const Op kLoss;

// Returns the weight of class `k`: 1 if there are no weights.
inline double WeightOf(absl::Span<const double> class_weights, int64_t k) {
  return class_weights.empty() ? 1.0 : class_weights[k];
}

class ImageLoss;  // declared in layers/ops/losses/loss_kind.h

// A loss with its settings. Exactly one of `formula` and `image_loss` is set: ParseLoss()
// (layers/ops/losses/loss_kind.h) makes such attributes.
struct LossAttributes {
  // An elementwise formula in a0 = prediction and a1 = target (labels become one-hot vectors). The
  // loss is its mean over all elements.
  Expr formula;
  // A loss that is computed image by image.
  std::shared_ptr<const ImageLoss> image_loss;
  // Empty: all 1. With labels, the loss of an image is weighted by its class (with label smoothing,
  // the term of each class by that class), and the sum over the batch is divided by the sum of the
  // weights of the labels' classes, as in PyTorch. For targets see LossOf(). Formulas ignore the
  // weights.
  std::vector<double> class_weights;
};

// Returns the mean loss [] of predictions [N, K]. `labels` holds either class numbers [N] or
// targets [N, K].
//
// A formula (and the mean squared error) compares predictions with targets element by element. For
// the other losses, the targets of an image are shares of the classes: the loss of the image is the
// sum over the classes of the share times the loss that the image would have with that class as its
// label. With targets, only a loss that weights_targets() (softmax cross-entropy) accepts class
// weights, which multiply the terms of their classes; the sum over the batch is then divided by the
// number of images, not by the weights, as in PyTorch's cross_entropy with probabilities.
absl::StatusOr<TensorId> LossOf(Graph& graph, absl::string_view name, TensorId prediction,
                                TensorId labels, const LossAttributes& loss);

// What predictions are compared with: class numbers or targets. Exactly one of the two pointers is
// not null.
struct LossTargets {
  const int32_t* labels = nullptr;  // [N]
  const float* shares = nullptr;    // [N, K]
};

// Computes the mean loss of f32 predictions [N, K], weighted as LossAttributes and LossOf() say,
// and its gradient by the prediction. Sums in double in a fixed order, so the result does not
// depend on the number of threads. If all labels of the batch have weight 0, the loss and the
// gradient are 0. Not for formulas.
void MeanLoss(const LossAttributes& attributes, const Buffer& prediction,
              const LossTargets& targets, float* loss, const Buffer& gradient);

// Returns the sum over a batch of the weights of the labels' classes, by which MeanLoss() divides
// if it is given labels.
double SumOfWeights(const LossAttributes& attributes, absl::Span<const int32_t> labels);

// Sums from which the mean loss over a data set is computed. SumLosses() returns those of one
// batch: add up both fields over all batches, then divide loss by weight. Up to rounding, the
// result does not depend on how the data set is divided into batches.
struct LossSums {
  // Sum over the images of the loss, weighted by class as in MeanLoss().
  double loss = 0;
  // For labels: sum of the weights of the labels' classes; for targets and formulas: number of
  // images.
  double weight = 0;
};
LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const LossTargets& targets);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_H_
