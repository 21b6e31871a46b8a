#include "training/run_evaluation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"
#include "training/run_state.h"

namespace cotangent::training {
namespace {

// Evaluation uses batches as large as in training, whose convolutions have been measured already.
// If training batches are smaller than kSmallestBatch images, it uses 4 * kSmallestBatch.
constexpr int64_t kSmallestBatch = 32;

}  // namespace

RunEvaluation::RunEvaluation(const layers::Network& network, const RunData& data,
                             const data::Dataset& train_set,
                             const data::Normalization& normalization, const StepOptions& options,
                             TrainingStep& step, layers::Tuner& tuner)
    : network_(network),
      data_(data),
      train_set_(train_set),
      normalization_(normalization),
      options_(options),
      step_(step),
      tuner_(tuner) {
  if (data_.watched != data::Split::kTrain && options.ranks->rank() == 0)
    loading_ = Load(data_.watched);
}

std::future<absl::StatusOr<data::Dataset>> RunEvaluation::Load(data::Split split) const {
  return std::async(std::launch::async, [this, split] { return data_.load(split); });
}

absl::Status RunEvaluation::Prepare() {
  if (is_prepared_) return absl::OkStatus();
  const absl::Status status =
      distributed::AtRankZero(*options_.ranks, [this] { return PrepareHere(); });
  is_prepared_ = status.ok();
  return status;
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
  int64_t batch = network_.train().batch_size();
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
  Evaluator::Result result;
  const absl::Status status = distributed::AtRankZero(*options_.ranks, [&]() -> absl::Status {
    RETURN_IF_ERROR(PrepareHere());
    TakeParameters();
    const absl::StatusOr<Evaluator::Result> here = evaluator_->Evaluate(
        WatchedSet(), normalization_, ViewsOf(layers::Train::Evaluation::NONE), cancelled);
    if (here.ok()) result = *here;
    return here.status();
  });
  if (!status.ok()) return status;
  distributed::BroadcastValue(*options_.ranks, result);
  return result;
}

absl::StatusOr<RunEvaluation::Final> RunEvaluation::AtEnd(const std::function<bool()>& cancelled,
                                                          const FoundCheckpoint* best) {
  Final result;
  RETURN_IF_ERROR(
      distributed::AtRankZero(*options_.ranks, [&] { return AtEndHere(cancelled, best, result); }));
  distributed::BroadcastValue(*options_.ranks, result);
  return result;
}

absl::Status RunEvaluation::AtEndHere(const std::function<bool()>& cancelled,
                                      const FoundCheckpoint* best, Final& result) {
  RETURN_IF_ERROR(PrepareHere());
  TakeParameters();
  // The parameters and statistics of training are put back when this function returns.
  const std::vector<float> values(store().values(), store().values() + store().parameter_floats());
  const std::vector<float> states(store().state_values(),
                                  store().state_values() + store().state_floats());
  const absl::Cleanup put_back = [&] {
    std::copy(values.begin(), values.end(), store().values());
    std::copy(states.begin(), states.end(), store().state_values());
    evaluator_->ParametersChanged();
  };
  if (best != nullptr) {
    RETURN_IF_ERROR(RestoreForInference(best->checkpoint, best->path, store()));
  }
  data::Dataset final_set;
  const data::Dataset* images = &WatchedSet();
  if (data_.final != data_.watched) {
    ASSIGN_OR_RETURN(final_set, data_.load(data_.final));
    images = &final_set;
    ASSIGN_OR_RETURN(result.plain,
                     evaluator_->Evaluate(*images, normalization_,
                                          ViewsOf(layers::Train::Evaluation::NONE), cancelled));
  }
  const auto averaging = TestTimeAveragingOf(network_);
  if (averaging == layers::Train::Evaluation::NONE) return absl::OkStatus();
  ASSIGN_OR_RETURN(result.averaged,
                   evaluator_->Evaluate(*images, normalization_, ViewsOf(averaging), cancelled));
  return absl::OkStatus();
}

}  // namespace cotangent::training
