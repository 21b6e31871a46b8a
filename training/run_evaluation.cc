#include "training/run_evaluation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"
#include "training/run_state.h"

namespace cotangent::training {
namespace {

// Evaluation uses batches as large as the share that a rank (process) has of a training batch; for
// this size convolutions have been measured already. If the share is less than kSmallestBatch
// images, the batches have 4 * kSmallestBatch. No batch is larger than the set of images.
constexpr int64_t kSmallestBatch = 32;

// Returns an error unless all ranks evaluate the same images.
absl::Status CheckSameImages(distributed::Communicator& ranks, const data::Dataset& images) {
  if (ranks.ranks() == 1) return absl::OkStatus();
  return distributed::CheckSame(ranks,
                                {{"the checksum of the images to evaluate", ChecksumOf(images)}});
}

}  // namespace

RunEvaluation::RunEvaluation(const layers::Network& network, const RunData& data,
                             const data::Dataset& train_set,
                             const data::Normalisation& normalisation, const StepOptions& options,
                             TrainingStep& step, layers::Tuner& tuner)
    : network_(network),
      data_(data),
      train_set_(train_set),
      normalisation_(normalisation),
      options_(options),
      step_(step),
      tuner_(tuner) {
  if (data_.watched != data::Split::kTrain) loading_ = Load(data_.watched);
}

std::future<absl::StatusOr<data::Dataset>> RunEvaluation::Load(data::Split split) const {
  return std::async(std::launch::async, [this, split] { return data_.load(split); });
}

absl::Status RunEvaluation::Prepare() {
  if (is_prepared_) return absl::OkStatus();
  distributed::Communicator& ranks = *options_.ranks;
  RETURN_IF_ERROR(distributed::AtRankZero(ranks, [this] { return PrepareHere(); }));
  if (ranks.rank() == 0) options_.choices = evaluator_->plan().choices();
  ShareChoices(ranks, options_.choices);
  RETURN_IF_ERROR(distributed::Agree(ranks, PrepareHere()));
  RETURN_IF_ERROR(CheckSameImages(ranks, WatchedSet()));
  is_prepared_ = true;
  return absl::OkStatus();
}

absl::Status RunEvaluation::PrepareHere() {
  if (evaluator_ != nullptr) return absl::OkStatus();
  if (loading_.valid()) {
    ASSIGN_OR_RETURN(watched_set_, loading_.get());
  }
  layers::ParameterStore* store = &step_.store();
  if (network_.train().optimizer().has_ema()) {
    ASSIGN_OR_RETURN(averaged_, layers::ParameterStore::Create(step_.network().graph));
    store = averaged_.get();
  }
  int64_t batch = network_.train().batch_size() / options_.ranks->ranks();
  if (batch < kSmallestBatch) batch = 4 * kSmallestBatch;
  ASSIGN_OR_RETURN(evaluator_, Evaluator::Create(network_, data_.shape.classes,
                                                 std::min(batch, WatchedSet().size()), options_,
                                                 *store, tuner_));
  return absl::OkStatus();
}

void RunEvaluation::TakeParameters() {
  if (averaged_ != nullptr) {
    layers::ParameterStore& store = step_.store();
    std::copy_n(step_.optimizer().EvaluationParameters(store.values()), store.parameter_floats(),
                averaged_->values());
    std::copy_n(store.state_values(), store.state_floats(), averaged_->state_values());
  }
  evaluator_->ParametersChanged();
}

absl::StatusOr<Evaluator::Result> RunEvaluation::Watched(const std::function<bool()>& cancelled) {
  RETURN_IF_ERROR(Prepare());
  TakeParameters();
  return evaluator_->Evaluate(WatchedSet(), normalisation_,
                              ViewsOf(layers::Train::Evaluation::NONE), cancelled);
}

// Replaces the parameters and statistics (means and variances of normalisation layers) that
// evaluation uses by those of rank 0's checkpoint `best`, if rank 0 has one.
absl::Status RunEvaluation::TakeBest(const FoundCheckpoint* best) {
  distributed::Communicator& ranks = *options_.ranks;
  bool has_best = best != nullptr;
  distributed::BroadcastValue(ranks, has_best);
  if (!has_best) return absl::OkStatus();
  RETURN_IF_ERROR(distributed::AtRankZero(
      ranks, [&] { return RestoreForInference(best->checkpoint, best->path, store()); }));
  ranks.BeginBroadcast({store().values(), static_cast<size_t>(store().parameter_floats())}, 0);
  ranks.BeginBroadcast({store().state_values(), static_cast<size_t>(store().state_floats())}, 0);
  ranks.FinishBroadcasts();
  return absl::OkStatus();
}

absl::StatusOr<RunEvaluation::Final> RunEvaluation::AtEnd(const std::function<bool()>& cancelled,
                                                          const FoundCheckpoint* best) {
  Final result;
  RETURN_IF_ERROR(Prepare());
  TakeParameters();
  // The parameters and statistics of training are restored when this function returns.
  const std::vector<float> values(store().values(), store().values() + store().parameter_floats());
  const std::vector<float> states(store().state_values(),
                                  store().state_values() + store().state_floats());
  const absl::Cleanup put_back = [&] {
    std::copy(values.begin(), values.end(), store().values());
    std::copy(states.begin(), states.end(), store().state_values());
    evaluator_->ParametersChanged();
  };
  RETURN_IF_ERROR(TakeBest(best));
  data::Dataset final_set;
  const data::Dataset* images = &WatchedSet();
  if (data_.final != data_.watched) {
    absl::StatusOr<data::Dataset> loaded = data_.load(data_.final);
    RETURN_IF_ERROR(distributed::Agree(*options_.ranks, loaded.status()));
    final_set = *std::move(loaded);
    images = &final_set;
    RETURN_IF_ERROR(CheckSameImages(*options_.ranks, *images));
    ASSIGN_OR_RETURN(result.plain,
                     evaluator_->Evaluate(*images, normalisation_,
                                          ViewsOf(layers::Train::Evaluation::NONE), cancelled));
  }
  const auto averaging = TestTimeAveragingOf(network_);
  if (averaging == layers::Train::Evaluation::NONE) return result;
  ASSIGN_OR_RETURN(result.averaged,
                   evaluator_->Evaluate(*images, normalisation_, ViewsOf(averaging), cancelled));
  return result;
}

}  // namespace cotangent::training
