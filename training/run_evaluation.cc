#include "training/run_evaluation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "training/run_state.h"

namespace cotangent::training {
namespace {

// Evaluation takes the training batch, whose convolutions have been measured, unless that is
// smaller than this.
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
    absl::StatusOr<data::Dataset> watched = loading_.get();
    if (!watched.ok()) return watched.status();
    watched_set_ = *std::move(watched);
  }
  layers::ParameterStore* store = &step_.store();
  if (network_.train().optimizer().has_ema()) {
    absl::StatusOr<std::unique_ptr<layers::ParameterStore>> averaged =
        layers::ParameterStore::Create(step_.network().graph);
    if (!averaged.ok()) return averaged.status();
    averaged_ = *std::move(averaged);
    store = averaged_.get();
  }
  int64_t batch = network_.train().batch_size();
  if (batch < kSmallestBatch) batch = 4 * kSmallestBatch;
  absl::StatusOr<std::unique_ptr<Evaluator>> evaluator =
      Evaluator::Create(network_, data_.shape.classes, std::min(batch, WatchedSet().size()),
                        options_, *store, tuner_);
  if (!evaluator.ok()) return evaluator.status();
  evaluator_ = *std::move(evaluator);
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
    if (absl::Status status = PrepareHere(); !status.ok()) return status;
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
  const absl::Status status =
      distributed::AtRankZero(*options_.ranks, [&] { return AtEndHere(cancelled, best, result); });
  if (!status.ok()) return status;
  distributed::BroadcastValue(*options_.ranks, result);
  return result;
}

absl::Status RunEvaluation::AtEndHere(const std::function<bool()>& cancelled,
                                      const FoundCheckpoint* best, Final& result) {
  if (absl::Status status = PrepareHere(); !status.ok()) return status;
  TakeParameters();
  // What training had is put back.
  const std::vector<float> values(store().values(), store().values() + store().parameter_floats());
  const std::vector<float> states(store().state_values(),
                                  store().state_values() + store().state_floats());
  const absl::Cleanup put_back = [&] {
    std::copy(values.begin(), values.end(), store().values());
    std::copy(states.begin(), states.end(), store().state_values());
    evaluator_->ParametersChanged();
  };
  if (best != nullptr) {
    absl::Status status = RestoreForInference(best->checkpoint, best->path, store());
    if (!status.ok()) return status;
  }
  data::Dataset final_set;
  const data::Dataset* images = &WatchedSet();
  if (data_.final != data_.watched) {
    absl::StatusOr<data::Dataset> loaded = data_.load(data_.final);
    if (!loaded.ok()) return loaded.status();
    final_set = *std::move(loaded);
    images = &final_set;
    absl::StatusOr<Evaluator::Result> plain = evaluator_->Evaluate(
        *images, normalization_, ViewsOf(layers::Train::Evaluation::NONE), cancelled);
    if (!plain.ok()) return plain.status();
    result.plain = *plain;
  }
  const auto averaging = TestTimeAveragingOf(network_);
  if (averaging == layers::Train::Evaluation::NONE) return absl::OkStatus();
  absl::StatusOr<Evaluator::Result> averaged =
      evaluator_->Evaluate(*images, normalization_, ViewsOf(averaging), cancelled);
  if (!averaged.ok()) return averaged.status();
  result.averaged = *averaged;
  return absl::OkStatus();
}

}  // namespace cotangent::training
