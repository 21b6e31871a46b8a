// Evaluates the network of a training run with its current parameters, on validation, test or
// training images.
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
  // Begins to read, in the background, the images that are evaluated during the run. All arguments
  // except `network`, `normalisation` and `options` must outlive the object.
  RunEvaluation(const layers::Network& network, const RunData& data, const data::Dataset& train_set,
                const data::Normalisation& normalisation, const StepOptions& options,
                TrainingStep& step, layers::Tuner& tuner);

  // With several ranks (processes that train together), all ranks call each function below, and
  // each evaluates its share of the images. All get the same results and errors.

  // Waits for the images and compiles the evaluation; a second call does nothing. Called early in a
  // run, so that errors in the images or too little memory show at once.
  absl::Status Prepare();

  // Evaluates the images that are evaluated during the run, with the current parameters or, if the
  // optimizer keeps moving averages of them, with those. `cancelled` is called before each batch;
  // if it returns true, the result is a Cancelled error.
  absl::StatusOr<Evaluator::Result> Watched(const std::function<bool()>& cancelled);

  // AtEnd() evaluates the images meant for the end of the run, mostly the test images, which are
  // read only then. It uses the parameters in the checkpoint `best` or, if `best` is null, those
  // that Watched() uses; with several ranks, only the checkpoint that rank 0 passes is used.
  struct Final {
    // Without test-time averaging. Absent if these images are also the ones evaluated during the
    // run.
    std::optional<Evaluator::Result> plain;
    // With test-time averaging (the mean of predictions for several views of an image). Absent if
    // TestTimeAveragingOf(network) (recipe.h) is NONE.
    std::optional<Evaluator::Result> averaged;
  };
  absl::StatusOr<Final> AtEnd(const std::function<bool()>& cancelled,
                              const FoundCheckpoint* best = nullptr);

  // The images that are evaluated during the run. REQUIRES: Prepare() has returned OK.
  const data::Dataset& WatchedSet() const {
    return data_.watched == data::Split::kTrain ? train_set_ : watched_set_;
  }

 private:
  std::future<absl::StatusOr<data::Dataset>> Load(data::Split split) const;
  absl::Status PrepareHere();
  absl::Status TakeBest(const FoundCheckpoint* best);
  // The parameters that evaluation uses: the moving averages if there are any, else the step's own.
  layers::ParameterStore& store() { return averaged_ != nullptr ? *averaged_ : step_.store(); }
  void TakeParameters();
  const layers::Network network_;
  const RunData& data_;
  const data::Dataset& train_set_;
  const data::Normalisation normalisation_;
  StepOptions options_;
  TrainingStep& step_;
  layers::Tuner& tuner_;
  bool is_prepared_ = false;
  std::future<absl::StatusOr<data::Dataset>> loading_;
  data::Dataset watched_set_;
  // The parameters that evaluation uses if they are not the step's own: set if the optimizer keeps
  // moving averages.
  std::unique_ptr<layers::ParameterStore> averaged_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RUN_EVALUATION_H_
