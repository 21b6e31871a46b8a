// What in an image an answer rests on: integrated gradients (Sundararajan, Taly and Yan, "Axiomatic
// attribution for deep networks", 2017). The attribution of input i to the score F of a class is
//
//   (x_i - b_i) * integral over a from 0 to 1 of dF/dx_i (b + a (x - b)),
//
// b being a baseline that shows nothing. Attributions sum to F(x) - F(b); the integral is taken by
// the midpoint rule, whose error that sum shows.
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
  double score = 0;            // of the image: the network's result for the class
  double baseline_score = 0;
  int steps = 0;  // at which gradients were taken

  double Sum() const;
  // How far the sum is from score - baseline_score, as a share of that.
  double Error() const;
};

class Attributor {
 public:
  // For a network whose parameters and statistics lie in `store`, which must outlive it.
  static absl::StatusOr<std::unique_ptr<Attributor>> Create(const layers::Network& network,
                                                            int64_t classes,
                                                            const StepOptions& options,
                                                            layers::ParameterStore& store,
                                                            layers::Tuner& tuner);

  // `image` and `baseline` are [channels, height, width] as the network takes them. Takes gradients
  // at 200 points, or at twice as many again and again, up to 3200, until Error() is below 1%.
  Attribution Attribute(absl::Span<const float> image, absl::Span<const float> baseline,
                        int64_t of_class);

 private:
  Attributor() = default;
  // One batch of points b + a (x - b).
  void Run(absl::Span<const float> image, absl::Span<const float> baseline,
           absl::Span<const double> shares, int64_t of_class);

  std::unique_ptr<layers::BuiltNetwork> network_;
  std::unique_ptr<layers::Plan> plan_;
  layers::TensorId cotangent_ = layers::kNoTensor, gradient_ = layers::kNoTensor;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_ATTRIBUTION_H_
