// Integrated gradients: how much each number of an image contributes to a network's score for one
// class (Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017). The
// attribution of input number x_i to the score F of a class is
//
//   (x_i - b_i) * integral over a from 0 to 1 of dF/dx_i (b + a (x - b)),
//
// where x is the image and b a baseline: an image that shows nothing, such as a black one. With the
// exact integral, the attributions of an image would add up to F(x) - F(b). The integral is
// computed by the midpoint rule, so the difference between the sum of the computed attributions and
// F(x) - F(b) measures the error of the rule.
#ifndef COTANGENT_TRAINING_ATTRIBUTION_H_
#define COTANGENT_TRAINING_ATTRIBUTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"
#include "training/step.h"

namespace cotangent::training {

struct Attribution {
  std::vector<double> values;  // [channels, height, width]
  double score = 0;            // the network's score of the class for the image
  double baseline_score = 0;
  int steps = 0;  // number of points between b and x used for the integral

  double Sum() const;
  // Returns |Sum() - (score - baseline_score)|, divided by |score - baseline_score| unless that is
  // 0.
  double Error() const;
};

// Computes attributions to the scores of a network.
class Attributor {
 public:
  // Compiles the network and its gradient with respect to the images. Parameters and statistics
  // (the running means and variances of normalisation layers) lie in `store`, which must outlive
  // the result.
  static absl::StatusOr<std::unique_ptr<Attributor>> Create(const layers::Network& network,
                                                            int64_t classes,
                                                            const StepOptions& options,
                                                            layers::ParameterStore& store,
                                                            layers::Tuner& tuner);

  // Computes the attribution to the score of class number `of_class`. `image` and `baseline` are
  // [channels, height, width], normalised as the network takes images. The integral is first
  // computed with 200 points; their number is doubled, up to 3200, until Error() is below 1%.
  Attribution Attribute(absl::Span<const float> image, absl::Span<const float> baseline,
                        int64_t of_class);

 private:
  Attributor() = default;
  // Computes scores and gradients at one batch of points b + a (x - b), one for each a in `shares`,
  // where x is `image` and b is `baseline`.
  void Run(absl::Span<const float> image, absl::Span<const float> baseline,
           absl::Span<const double> shares, int64_t of_class);

  std::unique_ptr<layers::BuiltNetwork> network_;
  std::unique_ptr<layers::Plan> plan_;
  layers::TensorId cotangent_ = layers::kNoTensor, gradient_ = layers::kNoTensor;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_ATTRIBUTION_H_
