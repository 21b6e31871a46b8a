#include <cmath>

#include "absl/strings/str_cat.h"
#include "layers/network/sizes.h"
#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

// The sum over the classes j other than the label y of max(0, margin + x_j - x_y).
class HingeLoss : public ImageLossOf<HingeLoss> {
 public:
  explicit HingeLoss(double margin) : margin_(margin) {}

  double OfLabel(const LossImage& image, int32_t label) const override {
    double loss = 0, active = 0;
    const double weight = image.Weight(label) / image.divisor;
    for (int64_t k = 0; k < image.classes; ++k) {
      const double slack = margin_ + image.x[k] - image.x[label];
      const bool counts = k != label && !(slack <= 0);
      if (counts) loss += slack, active += 1;
      image.gradient[k] = static_cast<float>(counts ? weight : 0);
    }
    image.gradient[label] = static_cast<float>(-active * weight);
    return loss * weight;
  }

  TensorId HessianProduct(LossHessian&, TensorId) const override { return kNoTensor; }

  template <class T>
  void ReferenceOfLabel(ReferenceImage<T>& image) const {
    const T weight(image.Weight(image.label));
    for (int64_t k = 0; k < image.classes(); ++k) {
      const T slack = T(margin_) + image.x[k] - image.x[image.label];
      if (k == image.label || !(T(0.0) < slack)) continue;
      image.loss = image.loss + weight * slack;
      image.gradient[k] = image.gradient[k] + weight;
      image.gradient[image.label] = image.gradient[image.label] - weight;
    }
  }

 private:
  const double margin_;
};

absl::StatusOr<std::shared_ptr<const ImageLoss>> Hinge(const Loss& text) {
  const double margin = text.hinge().margin();
  if (!(margin >= 0) || !std::isfinite(margin))
    return Error(absl::StrCat("loss.hinge.margin is ", margin, "; expected 0 or more"));
  return std::make_shared<HingeLoss>(margin);
}

const RegisterLoss hinge(Loss::kHinge, TargetKind::kClass, Hinge);

}  // namespace
}  // namespace cotangent::layers
