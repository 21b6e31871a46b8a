#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "layers/network/sizes.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/rules.h"
#include "layers/ops/softmax.h"

namespace cotangent::layers {
namespace {

// Softmax cross-entropy with label smoothing s, as PyTorch's cross_entropy does: (1 - s) w_y (-log
// p_y) + s / K sum_k w_k (-log p_k), for the label y, class weights w and softmax p.
class SoftmaxCrossEntropyLoss : public ImageLossOf<SoftmaxCrossEntropyLoss> {
 public:
  explicit SoftmaxCrossEntropyLoss(double label_smoothing) : smoothing_(label_smoothing) {}

  double OfLabel(const LossImage& image, int32_t label) const override {
    return CrossEntropy(image, [&](int64_t k) {
      return (smoothing_ / image.classes) * image.Weight(k) +
             (k == label ? (1 - smoothing_) * image.Weight(label) : 0);
    });
  }

  double OfTargets(const LossImage& image, const float* targets,
                   std::vector<float>&) const override {
    const double all = std::accumulate(targets, targets + image.classes, 0.0);
    return CrossEntropy(image, [&](int64_t k) {
      return (all * (smoothing_ / image.classes) + (1 - smoothing_) * targets[k]) * image.Weight(k);
    });
  }
  bool weights_targets() const override { return true; }

  // Let c be 1 / N with targets, and 1 / (sum of the weights of the labels' classes over the batch)
  // with labels. The gradient of an image is c (T p - q), where p is the softmax, q the smoothed
  // target weighted by class, and T the sum of q. So the Hessian is c T times the Jacobian of the
  // softmax; `factor` is c T.
  TensorId HessianProduct(LossHessian& h, TensorId t) const override {
    RuleBuilder& rules = h.rules;
    const TensorId probabilities = rules.Like(kSoftmax, h.loss, {h.prediction()}, h.shape);
    const TensorId along = rules.Like(kSoftmaxGradient, h.loss, {t, probabilities}, h.shape);
    PerImage image(rules, h.shape);
    const TensorId share = h.ImageShares();
    const std::vector<double>& weights = h.class_weights();
    const double all = weights.empty() ? static_cast<double>(h.shape[1])
                                       : std::accumulate(weights.begin(), weights.end(), 0.0);
    const double spread = smoothing_ / h.shape[1] * all;
    TensorId factor = share;
    if (h.has_targets()) {
      const TensorId sums = image.Sum((1 - smoothing_) * rules.a(0) + spread * rules.a(1),
                                      {h.WeightedTargets(), h.targets()});
      factor = rules.Elementwise(rules.a(0) * rules.a(1), {share, sums}, {h.shape[0]});
    } else if (!weights.empty()) {
      const TensorId total = rules.Sum(h.WeightedTargets());
      factor = rules.Elementwise(
          h.WhereWeighted(rules.a(1), (1 - smoothing_) * rules.a(0) + spread / rules.a(1)),
          {share, total}, {h.shape[0]});
    }
    return image.Map(rules.a(0) * rules.a(1), {along, factor});
  }

  // The loss is -sum_k t_k w_k ln p_k for the smoothed target t and class weights w.
  template <class T>
  void ReferenceOfLabel(ReferenceImage<T>& image) const {
    const std::vector<T> p = Probabilities(image.x), log_p = LogProbabilities(image.x);
    for (int64_t k = 0; k < image.classes(); ++k) {
      const double t =
          image.Weight(k) * ((1 - smoothing_) * image.OneHot(k) + smoothing_ / image.classes());
      image.loss = image.loss - T(t) * log_p[k];
      for (int64_t j = 0; j < image.classes(); ++j)
        image.gradient[j] = image.gradient[j] + T(t) * (p[j] - T(k == j ? 1.0 : 0.0));
    }
  }

 private:
  // Returns softmax cross-entropy with targets t_k = target(k), for the softmax p: the sum over k
  // of t_k (-log p_k), divided by the divisor. Writes the gradient.
  template <class Target>
  static double CrossEntropy(const LossImage& image, const Target& target) {
    const double log_sum = LogSumExp(image.x, image.classes);
    double loss = 0, target_sum = 0;
    for (int64_t k = 0; k < image.classes; ++k) {
      const double t = target(k);
      loss += t * (log_sum - image.x[k]);
      target_sum += t;
    }
    for (int64_t k = 0; k < image.classes; ++k) {
      image.gradient[k] = static_cast<float>(
          (std::exp(image.x[k] - log_sum) * target_sum - target(k)) / image.divisor);
    }
    return loss / image.divisor;
  }

  const double smoothing_;
};

absl::StatusOr<std::shared_ptr<const ImageLoss>> SoftmaxCrossEntropy(const Loss& text) {
  const double smoothing = text.softmax_cross_entropy().label_smoothing();
  if (!(smoothing >= 0 && smoothing <= 1)) {
    return Error(absl::StrCat("loss.softmax_cross_entropy.label_smoothing is ", smoothing,
                              "; expected 0 to 1"));
  }
  return std::make_shared<SoftmaxCrossEntropyLoss>(smoothing);
}

const RegisterLoss softmax_cross_entropy(Loss::kSoftmaxCrossEntropy, TargetKind::kClass,
                                         SoftmaxCrossEntropy);

}  // namespace
}  // namespace cotangent::layers
