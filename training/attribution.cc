#include "training/attribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/status_macros.h"
#include "layers/graph/vjp.h"

namespace cotangent::training {
namespace {

constexpr int kBatch = 20;  // points between baseline and image that are one batch
constexpr int kFirstSteps = 200, kMostSteps = 3200;
constexpr double kSmallError = 0.01;

}  // namespace

double Attribution::Sum() const { return std::accumulate(values.begin(), values.end(), 0.0); }

double Attribution::Error() const {
  const double change = score - baseline_score;
  return change == 0 ? std::abs(Sum()) : std::abs(Sum() - change) / std::abs(change);
}

absl::StatusOr<std::unique_ptr<Attributor>> Attributor::Create(const layers::Network& network,
                                                               int64_t classes,
                                                               const StepOptions& options,
                                                               layers::ParameterStore& store,
                                                               layers::Tuner& tuner) {
  auto attributor = std::unique_ptr<Attributor>(new Attributor);
  layers::BuildOptions build;
  build.batch_size = kBatch;
  build.training = false;
  build.classes = classes;
  ASSIGN_OR_RETURN(layers::BuiltNetwork built, layers::Build(network, build));
  attributor->network_ = std::make_unique<layers::BuiltNetwork>(std::move(built));
  layers::BuiltNetwork& made = *attributor->network_;
  const layers::Shape shape = made.graph.shape(made.prediction);
  attributor->cotangent_ = made.graph.Input("cotangent", shape);
  ASSIGN_OR_RETURN(const std::vector<layers::TensorId> gradients,
                   layers::VectorJacobianProduct(made.graph, {made.prediction},
                                                 {attributor->cotangent_}, {made.images}));
  attributor->gradient_ = gradients[0];
  layers::PlanOptions plan;
  plan.exact = options.exact;
  plan.threads = options.threads;
  std::vector<layers::PlanResult> results = {{made.prediction}};
  if (attributor->gradient_ != layers::kNoTensor) results.push_back({attributor->gradient_});
  ASSIGN_OR_RETURN(attributor->plan_,
                   layers::Plan::Compile(made.graph, results, store, tuner, plan));
  return attributor;
}

void Attributor::Run(absl::Span<const float> image, absl::Span<const float> baseline,
                     absl::Span<const double> shares, int64_t of_class) {
  auto* const points = static_cast<float*>(plan_->input(network_->images));
  const size_t floats = image.size();
  for (size_t n = 0; n < shares.size(); ++n) {
    for (size_t i = 0; i < floats; ++i)
      points[n * floats + i] =
          static_cast<float>(baseline[i] + shares[n] * (double{image[i]} - baseline[i]));
  }
  if (gradient_ != layers::kNoTensor) {
    auto* const cotangent = static_cast<float*>(plan_->input(cotangent_));
    std::fill_n(cotangent, kBatch * network_->classes, 0.0f);
    for (int n = 0; n < kBatch; ++n) cotangent[n * network_->classes + of_class] = 1;
  }
  plan_->Run(0);
}

Attribution Attributor::Attribute(absl::Span<const float> image, absl::Span<const float> baseline,
                                  int64_t of_class) {
  Attribution attribution;
  std::vector<double> shares(kBatch, 0.0);
  shares[0] = 1;
  Run(image, baseline, shares, of_class);
  const float* const scores = plan_->result(network_->prediction);
  attribution.score = scores[of_class];
  attribution.baseline_score = scores[network_->classes + of_class];
  for (int steps = kFirstSteps; steps <= kMostSteps; steps *= 2) {
    attribution.steps = steps;
    attribution.values.assign(image.size(), 0.0);
    for (int first = 0; first < steps && gradient_ != layers::kNoTensor; first += kBatch) {
      for (int n = 0; n < kBatch; ++n) shares[n] = (first + n + 0.5) / steps;
      Run(image, baseline, shares, of_class);
      const float* const gradients = plan_->result(gradient_);
      for (size_t i = 0; i < kBatch * image.size(); ++i)
        attribution.values[i % image.size()] += gradients[i];
    }
    for (size_t i = 0; i < image.size(); ++i)
      attribution.values[i] *= (double{image[i]} - baseline[i]) / steps;
    if (attribution.Error() < kSmallError) break;
  }
  return attribution;
}

}  // namespace cotangent::training
