// A network ready to be trained: parameters, optimizer and the compiled step.
//
// With data and a loop of one's own:
//
//   const layers::Network text = *layers::ParseNetwork("layer { linear {} } train { ... }");
//   auto network = Resolve(text, {.images = 60'000, .classes = 10, .channels = 1, ...});
//   layers::Tuner tuner(threads);
//   auto step = TrainingStep::Create(*network, {.threads = threads}, &tuner);
//   (*step)->Initialise(nullptr, {});
//   for (int64_t n = 0; n < network->run.total_steps; ++n) {
//     if (absl::Status status = (*step)->Prepare(n); !status.ok()) return status;
//     ... fill (*step)->images() and (*step)->labels() ...
//     const TrainingStep::Outcome outcome = (*step)->Run(n);   // outcome.loss
//   }
//   ... (*step)->store() holds the parameters; an Evaluator (evaluation.h) on it gives answers ...
#ifndef COTANGENT_TRAINING_STEP_H_
#define COTANGENT_TRAINING_STEP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/memory.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "distributed/buckets.h"
#include "distributed/communicator.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"
#include "optim/optimizer.h"
#include "training/recipe.h"

namespace cotangent::training {

// Fills parameters and statistics with their initial values; where these would be made from images,
// with the layer's default.
void InitialiseStore(const layers::BuiltNetwork& network, uint64_t seed,
                     layers::ParameterStore& store);

// What layers::PlanOptions says, of training and evaluation alike.
struct StepOptions {
  ElementType precision = ElementType::kF32;
  bool exact = false;
  int threads = 1;
  absl::flat_hash_map<std::string, std::string> choices;  // made before; they are kept
  // The processes that train together, which must outlive the step.
  distributed::Communicator* ranks = &distributed::OneProcess();
  // What gradients are on their way between ranks: f32, or bf16 (distributed/means.h).
  ElementType sent_gradients = ElementType::kF32;
};

// With several ranks each computes its share of the step's images. Gradients are averaged over the
// ranks in buckets, each as soon as backpropagation has left it (distributed/buckets.h); loss and
// running statistics at its end. All ranks make the same update, so parameters, statistics and
// optimizer stay the same bits on all. A layer that looks at its batch (batch_norm) looks at the
// rank's share, as with PyTorch's DistributedDataParallel, unless it is synchronised; dropout masks
// are of the image. Prepare(), Run() and Update() are calls that all ranks make.
class TrainingStep {
 public:
  struct Outcome {
    float loss = 0;
    // Loss and gradients are finite. If not, parameters, statistics and optimizer are as before the
    // step.
    bool finite = true;
  };

  // Batch size, seed, loss and optimizer are those of the recipe. The tuner must outlive the step.
  static absl::StatusOr<std::unique_ptr<TrainingStep>> Create(ResolvedNetwork network,
                                                              const StepOptions& options,
                                                              layers::Tuner* tuner);

  // Initial parameters, statistics and optimizer state. `images` serve the initialisers that look
  // at the data; null where there are none: these then take their default.
  absl::Status Initialise(const data::Dataset* images, const data::Normalization& normalization);

  // Compiles the step for the parameters that are trained at step number `step`. To be called
  // before the batch of each step is put into its place: where the plan that is there serves, as it
  // mostly does, it does nothing. Of several ranks the first measures for all. Errors, the same on
  // all ranks: too little memory; Cancelled where the tuner was.
  absl::Status Prepare(int64_t step);
  // The first step that needs another plan.
  int64_t PreparedUntil() const { return prepared_until_; }

  // How many batches one step takes: `accumulate` of the recipe.
  int64_t parts() const { return text().train().accumulate(); }
  // Where the next batch is to be put: f32 [N, C, H, W], and class numbers [N], or, where the loss
  // compares with values (layers::BuiltNetwork::labels), f32 [N, classes].
  float* images() { return static_cast<float*>(plan_->input(compiled_->images)); }
  int32_t* labels() { return static_cast<int32_t*>(targets()); }
  void* targets() { return plan_->input(compiled_->labels); }
  bool takes_values() const {
    return network_.built.graph.shape(network_.built.labels).rank() == 2;
  }
  // Computes the loss and its gradients of the batch in place and makes update number `step`, for
  // steps of one batch. Allocates nothing.
  Outcome Run(int64_t step);
  // The same in pieces, where it takes several: forward and backward of the batch that is in its
  // place, part 0 to parts() - 1 of step number `step`, in order; then the update by the mean of
  // their gradients.
  void RunPart(int64_t step, int64_t part);
  Outcome Update(int64_t step);

  // Brings the optimizer's state together on all ranks, which all call it, and drops what rounding
  // gradients has left over: a checkpoint written now has all that the next step depends on.
  void CompleteState();

  // Where gradients lie, and after which operation of the plan each is there.
  std::vector<distributed::GradientPlace> GradientPlaces() const;
  // How gradients went to the other ranks in the last step: buckets in their order, each with its
  // bytes and times. Empty with one rank.
  struct BucketTimes {
    int64_t bytes = 0;
    distributed::Means::Record record;
  };
  std::vector<BucketTimes> LastBuckets() const;
  // "2 ranks, 12 us and 4.1 GB/s between them: gradients in 9 buckets of 1.2 MB"; empty with one.
  std::string DescribeBuckets() const;
  // For how long gradients were under way so far.
  double SecondsUnderWay() const { return seconds_under_way_; }

  // After a Run() that was not finite: which parameter, layer's result or gradient is the first
  // that is not. Slow.
  std::string FindNonFinite(int64_t step);

  // Its graph, without gradients.
  const layers::BuiltNetwork& network() const { return network_.built; }
  layers::ParameterStore& store() { return *store_; }
  optim::Optimizer& optimizer() { return *optimizer_; }
  layers::Plan& plan() { return *plan_; }
  const std::vector<optim::ParameterSlice>& slices() const { return slices_; }
  // All choices made so far, those of earlier plans included.
  const absl::flat_hash_map<std::string, std::string>& choices() const { return options_.choices; }

 private:
  TrainingStep(ResolvedNetwork network, const StepOptions& options, layers::Tuner* tuner)
      : network_(std::move(network)), options_(options), tuner_(tuner) {}
  const layers::Network& text() const { return network_.text; }
  layers::PlanOptions OptionsOfPlan() const;
  absl::Status Compile(int64_t step);
  // Of weights, gradients and the optimizer's state.
  int64_t FixedBytes() const;
  void TakeChoicesOfRankZero();
  // Decides which gradients go together, and begins each bucket in the hook of the plan.
  absl::Status PlanBuckets();
  void BeginBuckets(size_t operation);
  void ShareOutMatrices();
  void AverageOverRanks();
  // Adds what earlier parts of the step have summed up to a stretch of the gradients.
  void AddEarlierParts(int64_t begin, int64_t size);
  // The result of the first operation that is not finite, in words; empty where all are.
  std::string FindNonFiniteTensor(int64_t step);
  // One of `among`, in the order in which they are computed, that is not finite where the one
  // before is; kNoTensor if none of those looked at is not. Its parts' last tensors are looked at
  // first.
  absl::StatusOr<layers::TensorId> FirstNonFinite(absl::Span<const layers::TensorId> among,
                                                  int64_t step);
  // Computes the step once more, for these tensors.
  absl::StatusOr<std::vector<bool>> AreFinite(absl::Span<const layers::TensorId> tensors,
                                              int64_t step);

  const ResolvedNetwork network_;
  StepOptions options_;
  layers::Tuner* const tuner_;
  std::unique_ptr<layers::ParameterStore> store_;
  std::vector<optim::ParameterSlice> slices_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<layers::BuiltNetwork>
      compiled_;  // with the gradients of the parameters trained now
  std::vector<std::pair<layers::TensorId, size_t>> gradients_;  // with the index of their slice
  std::unique_ptr<layers::Plan> plan_;
  int64_t prepared_from_ = 0, prepared_until_ = 0;
  std::vector<float> states_before_;
  double loss_sum_ = 0;            // over the parts of the step
  BigVector<float> gradient_sum_;  // the same, where there are several
  std::vector<double> averaged_;   // the loss, then the running statistics, of all ranks

  std::optional<distributed::Link> link_;
  std::vector<distributed::Bucket> buckets_;  // with several ranks
  std::unique_ptr<distributed::Means> means_;
  size_t next_bucket_ = 0;
  bool is_last_part_ = true;
  double seconds_under_way_ = 0;
};

// Of one image in a batch of the step.
inline int64_t BytesOfTarget(const TrainingStep& step) {
  return step.takes_values() ? step.network().classes * int64_t{sizeof(float)}
                             : int64_t{sizeof(int32_t)};
}

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_STEP_H_
