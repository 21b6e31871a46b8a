// TrainingStep: a network with its parameters, its optimizer and its compiled training step. A plan
// (layers/plan/plan.h) is a network compiled for this machine, as a sequence of operations.
//
// A program with its own data and its own training loop uses it like this:
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
#include "data/crew.h"
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

// Fills parameters and statistics (the running means and variances of normalisation layers) with
// their initial values. Parameters whose initial values would be computed from training images (by
// whitening) get those of the layer's default initialiser instead.
void InitialiseStore(const layers::BuiltNetwork& network, uint64_t seed,
                     layers::ParameterStore& store);

// Gives all ranks (processes that train together) the algorithms that rank 0 has measured and
// chosen. `choices` maps the text that identifies an operation to the name of its algorithm; on the
// other ranks its contents are replaced by those of rank 0.
void ShareChoices(distributed::Communicator& ranks,
                  absl::flat_hash_map<std::string, std::string>& choices);

// Options of TrainingStep and Evaluator. Those not explained here have the meaning they have in
// layers::PlanOptions (layers/plan/plan.h).
struct StepOptions {
  ElementType precision = ElementType::kF32;
  bool exact = false;
  int threads = 1;
  // Algorithms chosen earlier, which are used again: maps the text that identifies an operation to
  // the name of its algorithm.
  absl::flat_hash_map<std::string, std::string> choices;
  // The processes (ranks) that train together. The object must outlive the step.
  distributed::Communicator* ranks = &distributed::OneProcess();
  // The type that gradients are sent to other ranks in: f32 or bf16 (distributed/means.h).
  ElementType sent_gradients = ElementType::kF32;
  bool images_as_read = false;  // TrainingStep only: see TrainingStep::images()
};

// With several ranks (processes that train together), each computes its share of the step's images.
// Gradients are averaged over the ranks in buckets (groups that are sent as one message): each
// bucket is sent as soon as backpropagation has computed its gradients (distributed/buckets.h).
// Loss and running statistics are averaged at the step's end. All ranks make the same update, so
// that parameters, statistics and the optimizer's state have the same bits on all.
//
// Batch normalisation computes its mean and variance over the rank's share, as with PyTorch's
// DistributedDataParallel, unless the layer is synchronised. Dropout masks depend on an image's
// place in the whole batch, not on the rank. All ranks must make the same calls of Prepare(),
// Run(), RunPart() and Update(), in the same order.
class TrainingStep {
 public:
  struct Outcome {
    float loss = 0;
    // Whether loss and gradients are finite. If not, parameters, statistics and the optimizer's
    // state are what they were before the step.
    bool finite = true;
  };

  // Batch size, seed, loss and optimizer are those of the network text (the text that describes the
  // network and its training). `tuner`, which measures convolution algorithms, must outlive the
  // step.
  static absl::StatusOr<std::unique_ptr<TrainingStep>> Create(ResolvedNetwork network,
                                                              const StepOptions& options,
                                                              layers::Tuner* tuner);

  // Sets parameters, statistics and the optimizer's state to their initial values. `images` are for
  // initialisers that compute filters from training images; if it is null, these use their default.
  absl::Status Initialise(const data::Dataset* images, const data::Normalisation& normalisation);

  // Compiles the step for the parameters that are trained (not frozen) at step number `step`,
  // counted from 0. Call it before each step, and before the batch is written to images(). Does
  // nothing if the last compiled plan is valid for the step, as it mostly is. With several ranks,
  // rank 0 measures the algorithms for all. Errors are the same on all ranks, for example that
  // there is too little memory, or Cancelled if the tuner was cancelled.
  absl::Status Prepare(int64_t step);
  // Returns the first later step for which Prepare() must compile another plan, because more
  // parameters are frozen from that step on; optim::Optimizer::kNever if there is no such step.
  int64_t PreparedUntil() const { return prepared_until_; }

  // Returns the number of batches in one step (called parts): train.accumulate of the network text.
  // The gradients of these batches are averaged, as those of one batch that holds all their images
  // would be: if the loss weights classes and compares with labels(), a batch counts by the sum of
  // the class weights of its images; otherwise all batches count alike.
  int64_t parts() const { return text().train().accumulate(); }
  // Return the memory that the caller fills with the next batch of N images: images() is f32 [N, C,
  // H, W], and labels() holds class numbers [N]. If takes_values(), because the loss compares with
  // values, the caller fills targets() with f32 [N, classes] instead of labels().
  //
  // With StepOptions::images_as_read, images() is not f32 [N, C, H, W] but in image_format(): the
  // format in which the plan's first convolution of the images reads them, so that nothing has to
  // be converted. (It is f32 [N, C, H, W] if other operations than convolutions read the images, or
  // if data::BatchFormat lacks the convolution's format.) SetImages() fills images() from a batch
  // in `format`; PlainImages() returns images() as f32 [N, C, H, W].
  float* images() { return static_cast<float*>(plan_->input(compiled_->images)); }
  data::BatchFormat image_format() const;
  void SetImages(const void* images, data::BatchFormat format);
  std::vector<float> PlainImages() const;
  int32_t* labels() { return static_cast<int32_t*>(targets()); }
  void* targets() { return plan_->input(compiled_->labels); }
  bool takes_values() const {
    return network_.built.graph.shape(network_.built.labels).rank() == 2;
  }
  // Computes loss and gradients of the batch in images() and makes the update of step number
  // `step`. REQUIRES: the step has one batch, that is, parts() == 1. Allocates no memory.
  Outcome Run(int64_t step);
  // Run() in pieces, for steps of several batches: RunPart() computes loss and gradients of the
  // batch in images(); it is called for part 0 to parts() - 1, in this order. Update() then updates
  // the parameters with the mean of the parts' gradients (see parts()), and returns the outcome of
  // the step.
  void RunPart(int64_t step, int64_t part);
  Outcome Update(int64_t step);
  // Calls RunPart() for all parts of a step. `batch` holds the images and targets of all of them,
  // one part after the other: parts() * N images in `format`, which can be any format.
  void RunParts(int64_t step, const data::Batch& batch, data::BatchFormat format);

  // Prepares for writing a checkpoint; all ranks must call it. Gathers the optimizer's state, which
  // may be distributed over the ranks. Discards the rounding errors of sent gradients, which would
  // otherwise be added to the next step's gradients. Afterwards the parameters, statistics and
  // optimizer's state in memory are all that the next step depends on.
  void CompleteState();

  // Returns for each gradient that the plan computes its place in store().gradients() and the index
  // of the plan's operation after which it is complete.
  std::vector<distributed::GradientPlace> GradientPlaces() const;
  // LastBuckets() returns how the gradients of the last step were sent to the other ranks: the
  // bytes and times of each bucket, in the order of sending. Empty with one rank.
  struct BucketTimes {
    int64_t bytes = 0;
    distributed::Means::Record record;
  };
  std::vector<BucketTimes> LastBuckets() const;
  // Returns a line such as "2 ranks, 12 us and 4.10 GB/s between them: 10.8 MB of gradients (f32)
  // in 9 buckets"; empty with one rank.
  std::string DescribeBuckets() const;
  // Returns the total seconds, over all steps so far, in which gradients were on their way to other
  // ranks.
  double SecondsUnderWay() const { return seconds_under_way_; }

  // Call it after step number `step` if its outcome was not finite. Returns a text that says where
  // the first infinite number or NaN is: a parameter, statistics, the batch of images, the result
  // or gradient of a layer, the gradient of a parameter, or the loss. Slow: computes the step's
  // last batch several times.
  std::string FindNonFinite(int64_t step);

  // Returns the network's graph without gradients.
  const layers::BuiltNetwork& network() const { return network_.built; }
  layers::ParameterStore& store() { return *store_; }
  optim::Optimizer& optimizer() { return *optimizer_; }
  layers::Plan& plan() { return *plan_; }
  const std::vector<optim::ParameterSlice>& slices() const { return slices_; }
  // Returns the algorithms chosen for all plans so far, as in StepOptions::choices.
  const absl::flat_hash_map<std::string, std::string>& choices() const { return options_.choices; }

 private:
  TrainingStep(ResolvedNetwork network, const StepOptions& options, layers::Tuner* tuner)
      : network_(std::move(network)), options_(options), tuner_(tuner) {}
  const layers::Network& text() const { return network_.text; }
  layers::PlanOptions OptionsOfPlan() const;
  absl::Status Compile(int64_t step);
  // Returns the bytes of weights, gradients, statistics and their copy (states_before_), the
  // optimizer's state and, with several parts, gradient_sum_.
  int64_t FixedBytes() const;
  // Divides the gradients into buckets and tells the plan to start sending each bucket when its
  // last gradient has been computed.
  absl::Status PlanBuckets();
  void BeginBuckets(size_t operation);
  void ShareOutMatrices();
  void AverageOverRanks();
  // Returns by how much the batch in memory counts beside the step's other batches: if
  // WeightsClasses(), the sum of the class weights of its images, otherwise 1.
  double WeightOfBatch();
  // Returns whether the loss has class weights and compares with labels(), not with values.
  bool WeightsClasses() const;
  // Replaces `size` floats of store_->gradients(), from index `begin` on, which are gradients of
  // the step's last part, by their means over all parts of the step. The means are weighted so that
  // their plain mean over the ranks is the step's gradient.
  void AddEarlierParts(int64_t begin, int64_t size);
  // Returns in words where the first infinite number or NaN is computed; empty if there is none.
  std::string FindNonFiniteTensor(int64_t step);
  // Searches `among`, tensors in the order in which they are computed, for one that holds an
  // infinite number or NaN although the tensor before it in `among`, if there is one, holds none.
  // Returns kNoTensor if all tensors that the search looks at are finite.
  absl::StatusOr<layers::TensorId> FirstNonFinite(absl::Span<const layers::TensorId> among,
                                                  int64_t step);
  // Computes the last batch of step number `step` again and returns for each of `tensors` whether
  // all its numbers are finite.
  absl::StatusOr<std::vector<bool>> AreFinite(absl::Span<const layers::TensorId> tensors,
                                              int64_t step);

  const ResolvedNetwork network_;
  StepOptions options_;
  layers::Tuner* const tuner_;
  std::unique_ptr<layers::ParameterStore> store_;
  std::vector<optim::ParameterSlice> slices_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<layers::BuiltNetwork> compiled_;  // has gradients of the parameters not frozen
  std::vector<std::pair<layers::TensorId, size_t>> gradients_;  // each with an index into slices_
  std::unique_ptr<layers::Plan> plan_;
  int64_t prepared_from_ = 0, prepared_until_ = 0;  // steps in [from, until) can use plan_
  std::vector<float> states_before_;                // the statistics before the step
  // Sums over the parts of the step so far, each part multiplied by its WeightOfBatch(). The
  // gradients of the last part are not added to gradient_sum_: AddEarlierParts() combines the two.
  double loss_sum_ = 0;
  BigVector<float> gradient_sum_;  // used with several parts only
  // The sum of the parts' weights; from the last part on, its mean over the ranks.
  double weight_sum_ = 0;
  double last_weight_ = 1;        // the last part's weight
  std::vector<double> averaged_;  // loss, then running statistics, averaged over ranks

  std::optional<distributed::Link> link_;
  std::vector<distributed::Bucket> buckets_;  // empty with one rank
  std::unique_ptr<distributed::Means> means_;
  size_t next_bucket_ = 0;
  bool is_last_part_ = true;
  double seconds_under_way_ = 0;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_STEP_H_
