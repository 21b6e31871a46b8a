// Evaluates a trained network: computes its results for images (logits, probabilities or numbers)
// and measures how good they are.
#ifndef COTANGENT_TRAINING_EVALUATION_H_
#define COTANGENT_TRAINING_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "distributed/communicator.h"
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
    double score = 0;  // accuracy, mean average precision or R2: see MeasureOf() in targets.h
    double loss = 0;   // mean over the images, weighted by class if the loss has class weights
  };

  // Compiles the network for inference, with batch normalisation folded into the convolution before
  // it (layers/plan/fold.h). Parameters and statistics (running means and variances) lie in
  // `store`, which must outlive the evaluator.
  //
  // If `quantisation` (scales of layers, layers/plan/quantise.h) is not empty and the processor has
  // instructions for 8-bit integers, the layers that it names compute with integers, and all other
  // layers in bf16 if the processor has bf16 arithmetic. The values in `store` do not change.
  static absl::StatusOr<std::unique_ptr<Evaluator>> Create(
      const layers::Network& network, int64_t classes, int64_t batch_size,
      const StepOptions& options, layers::ParameterStore& store, layers::Tuner& tuner,
      const layers::Quantisation& quantisation = {});

  int64_t batch_size() const { return batch_size_; }
  int64_t classes() const { return network_->classes; }
  TargetKind target_kind() const { return target_kind_; }
  // Returns the mean and deviation of each number, by which results that are numbers are converted
  // to the numbers' units. Empty for targets of other kinds. Also empty if the network text gives
  // none; the results are then in the numbers' units already.
  const TargetScale& target_scale() const { return target_scale_; }
  // Returns whether the network ends with a softmax, so that its results are probabilities, not
  // logits.
  bool gives_probabilities() const;
  // Returns the memory that the caller fills with normalised images before Run(): f32 [batch_size,
  // channels, height, width].
  float* images() { return static_cast<float*>(plan_->input(network_->images)); }
  // Computes and returns the network's results for images(): f32 [batch_size, classes], valid until
  // the next Run(). Results that are numbers are not converted to the numbers' own units.
  const float* Run();
  // Converts the network's results for one image, [classes], to `answers`, [classes]: a probability
  // for each class (they sum to 1), a probability for each label by itself, or numbers in their own
  // units. Allocates nothing.
  void AnswersOf(const float* results, absl::Span<double> answers) const;
  // Call this after parameters in the store have changed; the next Run() then uses the new ones.
  void ParametersChanged() { parameters_changed_ = true; }
  layers::Plan& plan() { return *plan_; }
  const layers::BuiltNetwork& network() const { return *network_; }

  // Evaluates all images of a data set. Each image's result is the weighted mean over `views`,
  // which are shifted or mirrored versions of the image. `cancelled` is called before each view of
  // a batch; if it returns true, the evaluation ends with a Cancelled error. Unless `answers` is
  // null, it receives these mean results [images, classes]: those for classes as they are, those
  // for labels and numbers converted by AnswersOf().
  //
  // With several ranks (processes; StepOptions::ranks), all call it with the same data set, and
  // take turns in evaluating the batches. All get the same result, in the bits that one process
  // with batches of this size would compute, or the same error. Before each view of a batch the
  // ranks wait for each other, so that a rank that hangs is found.
  absl::StatusOr<Result> Evaluate(
      const data::Dataset& dataset, const data::Normalisation& normalisation,
      const std::vector<data::View>& views,
      const std::function<bool()>& cancelled = [] { return false; },
      std::vector<float>* answers = nullptr);

 private:
  // What Evaluate() collects from each batch: sums over the batch's images and, if needed, their
  // results and targets.
  struct Findings;

  Evaluator() = default;
  void EvaluateBatch(const float* scores, const void* targets, int64_t size, int64_t batch,
                     Findings& findings) const;
  Result Conclude(const Findings& findings, int64_t images) const;
  layers::LossSums SumLosses(const float* scores, const void* targets, int64_t count) const;

  int64_t batch_size_ = 0;
  // Number of threads that decode pictures, if the pictures do not lie in memory.
  int threads_ = 1;
  distributed::Communicator* ranks_ = nullptr;
  std::unique_ptr<layers::BuiltNetwork> network_;
  std::unique_ptr<layers::FoldedGraph> folded_;
  // The folded graph with quantised layers, if there are any.
  std::optional<layers::Graph> quantised_;
  std::unique_ptr<layers::Plan> plan_;
  bool parameters_changed_ = true;
  layers::LossAttributes loss_;
  TargetKind target_kind_ = TargetKind::kClass;
  TargetScale target_scale_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_EVALUATION_H_
