// What a run measures itself by: validation, test or training images, at its network's state.
#ifndef COTANGENT_TRAINING_RUN_EVALUATION_H_
#define COTANGENT_TRAINING_RUN_EVALUATION_H_

#include <functional>
#include <future>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "layers/network/network.pb.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"
#include "training/recipe.h"
#include "training/step.h"

namespace cotangent::training {

class RunEvaluation {
 public:
  // What is evaluated during the run begins to be read at once. `train_set`, `data`, `step` and
  // `tuner` must outlive it.
  RunEvaluation(const layers::Network& network, const RunData& data, const data::Dataset& train_set,
                const data::Normalization& normalization, const StepOptions& options,
                TrainingStep& step, layers::Tuner& tuner);

  // Of several ranks, which all make the same calls, the first evaluates and tells the others.

  // Waits for the images and plans; the second call does nothing. Early, so that what is wrong with
  // either shows at once.
  absl::Status Prepare();

  // With the parameters, or their moving averages, as they are now. `cancelled` is asked before
  // each batch. On what is evaluated during the run:
  absl::StatusOr<Evaluator::Result> Watched(const std::function<bool()>& cancelled);

  // On the images for the end of the run, which are read for it; with the parameters in the
  // checkpoint `best`, unless that is null.
  struct Final {
    // Absent where these are the images that are evaluated during the run.
    std::optional<Evaluator::Result> plain;
    // With test-time averaging, if the recipe has any.
    std::optional<Evaluator::Result> averaged;
  };
  absl::StatusOr<Final> AtEnd(const std::function<bool()>& cancelled,
                              const FoundCheckpoint* best = nullptr);

 private:
  std::future<absl::StatusOr<data::Dataset>> Load(data::Split split) const;
  absl::Status PrepareHere();
  absl::Status AtEndHere(const std::function<bool()>& cancelled, const FoundCheckpoint* best,
                         Final& result);
  // What evaluation uses.
  layers::ParameterStore& store() { return averaged_ != nullptr ? *averaged_ : step_.store(); }
  void TakeParameters();
  const data::Dataset& WatchedSet() const {
    return data_.watched == data::Split::kTrain ? train_set_ : watched_set_;
  }

  const layers::Network network_;
  const RunData& data_;
  const data::Dataset& train_set_;
  const data::Normalization normalization_;
  const StepOptions options_;
  TrainingStep& step_;
  layers::Tuner& tuner_;
  bool is_prepared_ = false;
  std::future<absl::StatusOr<data::Dataset>> loading_;
  data::Dataset watched_set_;
  // What evaluation uses, where that is not the parameters themselves.
  std::unique_ptr<layers::ParameterStore> averaged_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_EVALUATION_H_
