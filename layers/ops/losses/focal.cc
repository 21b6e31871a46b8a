#include <cmath>

#include "absl/strings/str_cat.h"
#include "autodiff/math.h"
#include "layers/network/sizes.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/rules.h"
#include "layers/ops/softmax.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// The focal loss (1 - p)^gamma (-log p), where p is the softmax probability of the label (Lin et
// al., "Focal loss for dense object detection", 2017).
class FocalLoss : public ImageLossOf<FocalLoss> {
 public:
  explicit FocalLoss(double gamma) : gamma_(gamma) {}

  double OfLabel(const LossImage& image, int32_t label) const override {
    const double log_sum = LogSumExp(image.x, image.classes),
                 weight = image.Weight(label) / image.divisor;
    const double log_p = image.x[label] - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);
    const double power = std::pow(rest, gamma_);
    // inner - power is the derivative of the unweighted loss by log p: gamma (1 - p)^(gamma - 1) p
    // log p - (1 - p)^gamma.
    const double inner = rest > 0 ? gamma_ * std::pow(rest, gamma_ - 1) * p * log_p : 0;
    const double slope = (inner - power) * weight;
    for (int64_t k = 0; k < image.classes; ++k) {
      image.gradient[k] =
          static_cast<float>(slope * ((k == label ? 1.0 : 0.0) - std::exp(image.x[k] - log_sum)));
    }
    return -power * log_p * weight;
  }

  TensorId HessianProduct(LossHessian& h, TensorId t) const override;

  template <class T>
  void ReferenceOfLabel(ReferenceImage<T>& image) const {
    using namespace autodiff::functions;  // NOLINT: pow() for T = double
    const T weight(image.Weight(image.label));
    const std::vector<T> p = Probabilities(image.x);
    const T& p_label = p[image.label];
    const T rest = T(1.0) - p_label, log_p = LogProbabilities(image.x)[image.label];
    image.loss = -(weight * pow(rest, T(gamma_)) * log_p);
    // slope is the derivative of the loss by ln p of the label; ln p itself has the derivative d ln
    // p / d x_k = [k = label] - p_k.
    const T slope =
        weight * (T(gamma_) * pow(rest, T(gamma_ - 1)) * log_p * p_label - pow(rest, T(gamma_)));
    for (int64_t k = 0; k < image.classes(); ++k)
      image.gradient[k] = slope * (T(image.OneHot(k)) - p[k]);
  }

 private:
  const double gamma_;
};

// Per class, let x be the prediction, y the target (one-hot for a label), p the softmax, r = 1 - p
// and l = ln p; S is the sum over the classes. The gradient of an image is its share
// (LossHessian::ImageShares) times
//   u - p S(u),  u = y (gamma r^(gamma - 1) p l - r^gamma),
// and its derivative along x' = t (a prime denotes a derivative) follows from p' = p l' and
//   l' = x' - S(p x'),
//   u' = y (gamma r^(gamma - 1) p (2 + l) - gamma (gamma - 1) r^(gamma - 2) p^2 l) l'.
TensorId FocalLoss::HessianProduct(LossHessian& h, TensorId t) const {
  RuleBuilder& rules = h.rules;
  const double gamma = gamma_;
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4),
             a5 = rules.a(5);
  symbolic::Pool& pool = rules.graph().pool();
  const TensorId p = rules.Like(kSoftmax, h.loss, {h.prediction()}, h.shape), targets = h.Targets();
  PerImage image(rules, h.shape);
  const TensorId mean_along = image.Sum(a0 * a1, {p, t});
  const TensorId log_along = image.Map(a0 - a1, {t, mean_along});
  // at_least(x, least) returns max(x, least), to keep x away from zero, where negative powers and
  // logarithms are infinite. The factors that multiply such powers and logarithms are zero there.
  const auto at_least = [&](const Expr& x, double least) {
    return symbolic::Max(x, pool.Constant(least));
  };
  const auto power = [&](const Expr& base, double exponent) {
    return symbolic::Pow(base, pool.Constant(exponent));
  };
  const Expr q = at_least(a1, 1e-30), r = at_least(1 - a1, 1e-12);
  const Expr log =
      symbolic::Select(pool.Constant(0.5), a1, symbolic::Log1p(a1 - 1), symbolic::Ln(q));
  const TensorId u = rules.Elementwise(
      a0 * (gamma * power(r, gamma - 1) * q * log - power(r, gamma)), {targets, p}, h.shape);
  const TensorId u_along =
      rules.Elementwise(a0 * a2 *
                            (gamma * power(r, gamma - 1) * q * (2 + log) -
                             gamma * (gamma - 1) * power(r, gamma - 2) * q * q * log),
                        {targets, p, log_along}, h.shape);
  const TensorId sum = image.Sum(a0, {u}), sum_along = image.Sum(a0, {u_along});
  return image.Map(a5 * (a0 - a1 * a2 - a1 * a3 * a4),
                   {u_along, p, sum_along, log_along, sum, h.ImageShares()});
}

absl::StatusOr<std::shared_ptr<const ImageLoss>> Focal(const Loss& text) {
  const double gamma = text.focal().gamma();
  if (!(gamma >= 0) || !std::isfinite(gamma))
    return Error(absl::StrCat("loss.focal.gamma is ", gamma, "; expected 0 or more"));
  return std::make_shared<FocalLoss>(gamma);
}

const RegisterLoss focal(Loss::kFocal, TargetKind::kClass, Focal);

}  // namespace
}  // namespace cotangent::layers
