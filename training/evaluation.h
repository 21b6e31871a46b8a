// A trained network's answers, and how good they are.
#ifndef COTANGENT_TRAINING_EVALUATION_H_
#define COTANGENT_TRAINING_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/evaluate.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "layers/ops/loss.h"
#include "layers/plan/fold.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/quantise.h"
#include "layers/plan/tuner.h"
#include "training/recipe.h"
#include "training/step.h"
#include "training/targets.h"

namespace cotangent::training {

class Evaluator {
 public:
  struct Result {
    double score = 0;  // what MeasureOf() names for the network's targets
    double loss = 0;   // mean over the images, weighted where the loss has weights of classes
  };

  // The inference plan (folded, see layers/fold.h) of a network whose parameters and statistics lie
  // in `store`, which must outlive the evaluator. Layers that are quantised compute with integers
  // where this processor has instructions for that, all others of such a network in bf16 if it has
  // those; what is in `store` then stays as it is (quantise.h).
  static absl::StatusOr<std::unique_ptr<Evaluator>> Create(
      const layers::Network& network, int64_t classes, int64_t batch_size,
      const StepOptions& options, layers::ParameterStore& store, layers::Tuner& tuner,
      const layers::Quantisation& quantisation = {});

  int64_t batch_size() const { return batch_size_; }
  int64_t classes() const { return network_->classes; }
  data::TargetKind target_kind() const { return target_kind_; }
  // Of numbers: what the results are scaled by.
  const TargetScale& target_scale() const { return target_scale_; }
  // Whether the network's results are probabilities already.
  bool gives_probabilities() const;
  // Where a batch is to be put, [batch_size, C, H, W].
  float* images() { return static_cast<float*>(plan_->input(network_->images)); }
  // The network's results for it, [batch_size, classes].
  const float* Run();
  // The parameters have changed since the last Run().
  void ParametersChanged() { parameters_changed_ = true; }
  layers::Plan& plan() { return *plan_; }
  const layers::BuiltNetwork& network() const { return *network_; }

  // Over all images of a data set, results averaged over the views. `cancelled` is asked before
  // each batch; when it says so the call ends with kCancelled. The averaged results themselves,
  // [images, classes], numbers in their own units, go to `answers` unless that is null.
  absl::StatusOr<Result> Evaluate(
      const data::Dataset& dataset, const data::Normalization& normalization,
      const std::vector<data::View>& views,
      const std::function<bool()>& cancelled = [] { return false; },
      std::vector<float>* answers = nullptr);

 private:
  Evaluator() = default;
  layers::LossSums SumLosses(const float* scores, const void* targets, int64_t count) const;

  int64_t batch_size_ = 0;
  int threads_ = 1;  // that decode pictures, where these do not lie in memory
  std::unique_ptr<layers::BuiltNetwork> network_;
  std::unique_ptr<layers::FoldedGraph> folded_;
  std::optional<layers::Graph> quantised_;  // of the folded graph, where anything is
  std::unique_ptr<layers::Plan> plan_;
  bool parameters_changed_ = true;
  layers::LossAttributes loss_;
  std::optional<autodiff::symbolic::Program> loss_program_;  // of a loss that is a formula
  data::TargetKind target_kind_ = data::TargetKind::kClass;
  TargetScale target_scale_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_EVALUATION_H_
