#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/rules.h"

namespace cotangent::layers {
namespace {

// The mean over the classes of (x - t)^2, as PyTorch's mse_loss, where t is the one-hot vector of
// the label, or the targets.
class MeanSquaredErrorLoss : public ImageLossOf<MeanSquaredErrorLoss> {
 public:
  double OfLabel(const LossImage& image, int32_t label) const override {
    const double weight = image.Weight(label) / image.divisor / image.classes;
    double loss = 0;
    for (int64_t k = 0; k < image.classes; ++k) {
      const double difference = image.x[k] - (k == label ? 1.0 : 0.0);
      loss += difference * difference;
      image.gradient[k] = static_cast<float>(2 * difference * weight);
    }
    return loss * weight;
  }

  double OfTargets(const LossImage& image, const float* targets,
                   std::vector<float>&) const override {
    const double share = 1 / (image.divisor * static_cast<double>(image.classes));
    double loss = 0;
    for (int64_t k = 0; k < image.classes; ++k) {
      const double difference = static_cast<double>(image.x[k]) - targets[k];
      loss += share * difference * difference;
      image.gradient[k] = static_cast<float>(2 * share * difference);
    }
    return loss;
  }

  TensorId HessianProduct(LossHessian& h, TensorId t) const override {
    return PerImage(h.rules, h.shape)
        .Map(h.rules.a(0) * h.rules.a(1) * (2.0 / h.shape[1]), {t, h.ImageShares()});
  }

  template <class T>
  void ReferenceOfLabel(ReferenceImage<T>& image) const {
    const double share = image.Weight(image.label) / image.classes();
    for (int64_t k = 0; k < image.classes(); ++k) AddTerm(image, k, T(image.OneHot(k)), share);
  }
  template <class T>
  void ReferenceOfTargets(ReferenceImage<T>& image) const {
    for (int64_t k = 0; k < image.classes(); ++k)
      AddTerm(image, k, image.targets[k], 1.0 / static_cast<double>(image.classes()));
  }

 private:
  template <class T>
  static void AddTerm(ReferenceImage<T>& image, int64_t k, const T& target, double share) {
    const T difference = image.x[k] - target;
    image.loss = image.loss + T(share) * difference * difference;
    image.gradient[k] = T(2 * share) * difference;
  }
};

absl::StatusOr<std::shared_ptr<const ImageLoss>> MeanSquaredError(const Loss&) {
  return std::make_shared<MeanSquaredErrorLoss>();
}

const RegisterLoss mean_squared_error(Loss::kMeanSquaredError, TargetKind::kClass,
                                      MeanSquaredError);

}  // namespace
}  // namespace cotangent::layers
