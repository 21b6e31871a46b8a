// The losses of single images and their gradients. In each function, x holds an image's predictions
// [K], `classes` is K, and K numbers are written to `gradient`.

#include "layers/ops/loss_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "layers/ops/loss.h"
#include "layers/ops/softmax.h"

namespace cotangent::layers {
namespace {

// Returns softmax cross-entropy with targets t_k = target(k), for the softmax p: the sum over k of
// t_k (-log p_k), divided by total_weight. Writes the gradient by x.
template <class Target>
double CrossEntropy(const float* x, int64_t classes, const Target& target, double total_weight,
                    float* gradient) {
  const double log_sum = LogSumExp(x, classes);
  double loss = 0, target_sum = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double t = target(k);
    loss += t * (log_sum - x[k]);
    target_sum += t;
  }
  for (int64_t k = 0; k < classes; ++k) {
    gradient[k] =
        static_cast<float>((std::exp(x[k] - log_sum) * target_sum - target(k)) / total_weight);
  }
  return loss / total_weight;
}

// Returns softmax cross-entropy with label smoothing s, as PyTorch's cross_entropy does: ((1 - s)
// w_y (-log p_y) + s / K sum_k w_k (-log p_k)) / total_weight, for the label y, class weights w and
// softmax p. Writes the gradient by x. Each other function named ...Row also returns a loss divided
// by total_weight and writes its gradient.
double CrossEntropyRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                       double total_weight, float* gradient) {
  const double s = a.label_smoothing;
  const auto target = [&](int64_t k) {
    return (s / classes) * WeightOf(a, static_cast<int32_t>(k)) +
           (k == label ? (1 - s) * WeightOf(a, label) : 0);
  };
  return CrossEntropy(x, classes, target, total_weight, gradient);
}

// Returns softmax cross-entropy with targets [K], divided by the number of images: the sum over the
// classes of the target times the loss that the image would have with that class as its label.
double CrossEntropyOfTargets(const LossAttributes& a, const float* x, int64_t classes,
                             const float* targets, double images, float* gradient) {
  const double s = a.label_smoothing, all = std::accumulate(targets, targets + classes, 0.0);
  const auto target = [&](int64_t k) {
    return (all * (s / classes) + (1 - s) * targets[k]) * WeightOf(a, static_cast<int32_t>(k));
  };
  return CrossEntropy(x, classes, target, images, gradient);
}

double HingeRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  double loss = 0, active = 0;
  const double weight = WeightOf(a, label) / total_weight;
  for (int64_t k = 0; k < classes; ++k) {
    const double slack = a.margin + x[k] - x[label];
    const bool counts = k != label && !(slack <= 0);
    if (counts) loss += slack, active += 1;
    gradient[k] = static_cast<float>(counts ? weight : 0);
  }
  gradient[label] = static_cast<float>(-active * weight);
  return loss * weight;
}

// Returns the mean over the classes of (x - t)^2, as PyTorch's mse_loss does, times the weight of
// the label's class, divided by total_weight. t is the one-hot vector of the label.
double MeanSquaredErrorRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                           double total_weight, float* gradient) {
  const double weight = WeightOf(a, label) / total_weight / classes;
  double loss = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double difference = x[k] - (k == label ? 1.0 : 0.0);
    loss += difference * difference;
    gradient[k] = static_cast<float>(2 * difference * weight);
  }
  return loss * weight;
}

// Returns the focal loss (1 - p)^gamma (-log p) times the weight of the label's class, divided by
// total_weight, where p is the softmax probability of the label (Lin et al., "Focal loss for dense
// object detection", 2017).
double FocalRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), weight = WeightOf(a, label) / total_weight;
  const double log_p = x[label] - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);
  const double power = std::pow(rest, a.gamma);
  // inner - power is the derivative of the unweighted loss by log p: gamma (1 - p)^(gamma - 1) p
  // log p - (1 - p)^gamma.
  const double inner = rest > 0 ? a.gamma * std::pow(rest, a.gamma - 1) * p * log_p : 0;
  const double slope = (inner - power) * weight;
  for (int64_t k = 0; k < classes; ++k)
    gradient[k] = static_cast<float>(slope * ((k == label ? 1.0 : 0.0) - std::exp(x[k] - log_sum)));
  return -power * log_p * weight;
}

}  // namespace

double WeightOf(const LossAttributes& attributes, int32_t label) {
  return attributes.class_weights.empty() ? 1.0 : attributes.class_weights[label];
}

double LossRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
               double total_weight, float* gradient) {
  switch (a.kind) {
    case LossKind::kSoftmaxCrossEntropy:
      return CrossEntropyRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kHinge:
      return HingeRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kMeanSquaredError:
      return MeanSquaredErrorRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFocal:
      return FocalRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFormula:
      break;
  }
  return 0;
}

double TargetRow(const LossAttributes& a, const float* x, int64_t classes, const float* targets,
                 double images, float* gradient, std::vector<float>& row) {
  if (a.kind == LossKind::kSoftmaxCrossEntropy)
    return CrossEntropyOfTargets(a, x, classes, targets, images, gradient);
  double loss = 0;
  std::fill_n(gradient, classes, 0.0f);
  if (a.kind == LossKind::kMeanSquaredError) {
    const double share = 1 / (images * static_cast<double>(classes));
    for (int64_t k = 0; k < classes; ++k) {
      const double difference = static_cast<double>(x[k]) - targets[k];
      loss += share * difference * difference;
      gradient[k] = static_cast<float>(2 * share * difference);
    }
    return loss;
  }
  row.resize(classes);
  for (int64_t k = 0; k < classes; ++k) {
    if (targets[k] == 0) continue;
    const double of_class = LossRow(a, x, classes, static_cast<int32_t>(k), images, row.data());
    loss += targets[k] * of_class;
    for (int64_t j = 0; j < classes; ++j) gradient[j] += targets[k] * row[j];
  }
  return loss;
}

}  // namespace cotangent::layers
