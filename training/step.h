// A network ready to be trained: parameters, optimizer and the compiled step.
#ifndef COTANGENT_TRAINING_STEP_H_
#define COTANGENT_TRAINING_STEP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"
#include "optim/optimizer.h"

namespace cotangent::training {

// An error unless the network takes images of the size the data sets have.
absl::Status CheckImages(const layers::Network& network);

// An error unless the network has as many classes as the data.
absl::Status CheckClasses(const layers::BuiltNetwork& network, int64_t classes);

// The mean and deviation the recipe asks for, else those of the data set.
absl::StatusOr<data::Normalization> NormalizationOf(const layers::Network& network,
                                                    data::DatasetName dataset);

// Fills parameters and statistics with their initial values; where these would be made from images,
// with the layer's default.
void InitialiseStore(const layers::BuiltNetwork& network, uint64_t seed,
                     layers::ParameterStore& store);

// What layers::PlanOptions says, of training and evaluation alike.
struct StepOptions {
  tensor::ElementType precision = tensor::ElementType::kF32;
  bool exact = false;
  int threads = 1;
  absl::flat_hash_map<std::string, std::string> choices;  // made before; they are kept
};

class TrainingStep {
 public:
  struct Outcome {
    float loss = 0;
    // Loss and gradients are finite. If not, parameters, statistics and optimizer are as before the
    // step.
    bool finite = true;
  };

  // Batch size, seed, loss and optimizer are those of network.train(). The tuner must outlive the
  // step. Errors of the network text or its recipe are InvalidArgument.
  static absl::StatusOr<std::unique_ptr<TrainingStep>> Create(const layers::Network& network,
                                                              int64_t classes,
                                                              const optim::RunLength& run,
                                                              const StepOptions& options,
                                                              layers::Tuner* tuner);

  // Initial parameters, statistics and optimizer state. `images` serve the initialisers that look
  // at the data; null where there are none: these then take their default.
  absl::Status Initialise(const data::Dataset* images, const data::Normalization& normalization);

  // Compiles the step for the parameters that are trained at step number `step`. To be called
  // before the first step and whenever PreparedUntil() is reached.
  absl::Status Prepare(int64_t step);
  int64_t PreparedUntil() const { return prepared_until_; }

  // Where the next batch is to be put: f32 [N, C, H, W], and [N].
  float* images() { return static_cast<float*>(plan_->input(compiled_->images)); }
  int32_t* labels() { return static_cast<int32_t*>(plan_->input(compiled_->labels)); }
  // Forward, backward, update number `step`. Allocates nothing.
  Outcome Run(int64_t step);

  // After a Run() that was not finite: which parameter, layer's result or gradient is the first
  // that is not. Slow.
  std::string FindNonFinite(int64_t step);

  const layers::BuiltNetwork& network() const { return *network_; }
  layers::ParameterStore& store() { return *store_; }
  optim::Optimizer& optimizer() { return *optimizer_; }
  layers::Plan& plan() { return *plan_; }
  const std::vector<optim::ParameterSlice>& slices() const { return slices_; }
  // All choices made so far, those of earlier plans included.
  const absl::flat_hash_map<std::string, std::string>& choices() const { return options_.choices; }

 private:
  TrainingStep(const layers::Network& network, int64_t classes, const StepOptions& options,
               layers::Tuner* tuner)
      : text_(network), classes_(classes), options_(options), tuner_(tuner) {}
  absl::StatusOr<layers::BuiltNetwork> BuildGraph() const;
  layers::PlanOptions OptionsOfPlan() const;
  std::string FindNonFiniteTensor(int64_t step);
  // One of `among`, in the order in which they are computed, that is not finite where the one
  // before is; kNoTensor if none of those looked at is not. Its parts' last tensors are looked at
  // first.
  absl::StatusOr<layers::TensorId> FirstNonFinite(absl::Span<const layers::TensorId> among,
                                                  int64_t step);
  // Computes the step once more, for these tensors.
  absl::StatusOr<std::vector<bool>> AreFinite(absl::Span<const layers::TensorId> tensors,
                                              int64_t step);

  const layers::Network text_;
  const int64_t classes_;
  StepOptions options_;
  layers::Tuner* const tuner_;
  std::unique_ptr<layers::BuiltNetwork> network_;  // without gradients
  std::unique_ptr<layers::ParameterStore> store_;
  std::vector<optim::ParameterSlice> slices_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<layers::BuiltNetwork>
      compiled_;  // with the gradients of the parameters trained now
  std::unique_ptr<layers::Plan> plan_;
  int64_t prepared_until_ = 0;
  std::vector<float> states_before_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_STEP_H_
