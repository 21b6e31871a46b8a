#include "training/evaluation.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/evaluate.h"
#include "data/pipeline.h"
#include "layers/ops/loss.h"
#include "layers/ops/softmax.h"

namespace cotangent::training {

absl::StatusOr<std::unique_ptr<Evaluator>> Evaluator::Create(const layers::Network& network,
                                                             int64_t classes, int64_t batch_size,
                                                             const StepOptions& options,
                                                             layers::ParameterStore& store,
                                                             layers::Tuner& tuner) {
  auto evaluator = std::unique_ptr<Evaluator>(new Evaluator);
  evaluator->batch_size_ = batch_size;
  evaluator->threads_ = std::max(1, options.threads);
  layers::BuildOptions build;
  build.batch_size = batch_size;
  build.training = false;
  build.classes = classes;
  absl::StatusOr<layers::BuiltNetwork> built = layers::Build(network, build);
  if (!built.ok()) return built.status();
  if (absl::Status status = CheckClasses(*built, classes); !status.ok()) return status;
  evaluator->network_ = std::make_unique<layers::BuiltNetwork>(*std::move(built));
  const layers::BuiltNetwork& made = *evaluator->network_;
  evaluator->loss_ = made.graph.producer(made.loss).as<layers::LossAttributes>();

  absl::StatusOr<std::unique_ptr<layers::FoldedGraph>> folded =
      layers::FoldedGraph::Create(made.graph, made.prediction, store);
  if (!folded.ok()) return folded.status();
  evaluator->folded_ = *std::move(folded);
  layers::PlanOptions plan;
  plan.precision = options.precision;
  plan.exact = options.exact;
  plan.threads = options.threads;
  plan.constant_parameters = true;
  plan.choices = options.choices;
  absl::StatusOr<std::unique_ptr<layers::Plan>> compiled = layers::Plan::Compile(
      evaluator->folded_->graph(), {{made.prediction}}, evaluator->folded_->store(), tuner, plan);
  if (!compiled.ok()) return compiled.status();
  evaluator->plan_ = *std::move(compiled);
  return evaluator;
}

bool Evaluator::gives_probabilities() const {
  return network_->graph.producer(network_->prediction).op == layers::kSoftmax;
}

const float* Evaluator::Run() {
  if (std::exchange(parameters_changed_, false)) {
    folded_->Update();
    plan_->ParametersChanged();
  }
  plan_->Run(0);
  return plan_->result(network_->prediction);
}

layers::LossSums Evaluator::SumLosses(const float* scores, const int32_t* labels,
                                      int64_t count) const {
  const int64_t classes = network_->classes;
  if (loss_.kind != layers::LossKind::kFormula) {
    char* const data = reinterpret_cast<char*>(const_cast<float*>(scores));
    return layers::SumLosses(loss_, {data, {count, classes}, {}}, labels);
  }
  double sum = 0;
  for (int64_t i = 0; i < count * classes; ++i) {
    const double target = labels[i / classes] == i % classes ? 1 : 0;
    const absl::StatusOr<double> value =
        autodiff::symbolic::Evaluate(loss_.formula, {{"a0", scores[i]}, {"a1", target}});
    sum += value.value_or(std::numeric_limits<double>::quiet_NaN());
  }
  return {sum / static_cast<double>(classes), static_cast<double>(count)};
}

absl::StatusOr<Evaluator::Result> Evaluator::Evaluate(const data::Dataset& dataset,
                                                      const data::Normalization& normalization,
                                                      const std::vector<data::View>& views,
                                                      const std::function<bool()>& cancelled,
                                                      std::vector<float>* answers) {
  data::PipelineOptions options = data::EvaluationOptions(
      static_cast<int>(batch_size_), normalization, data::BatchFormat::kF32Nchw);
  options.workers = threads_;
  absl::StatusOr<data::BatchMaker> maker = data::BatchMaker::Create(&dataset, options);
  if (!maker.ok()) return maker.status();
  const int64_t classes = network_->classes;
  std::vector<float> scores(batch_size_ * classes);
  std::vector<int32_t> labels(batch_size_);
  if (answers != nullptr) answers->clear(), answers->reserve(dataset.size() * classes);
  int64_t right = 0;
  layers::LossSums loss;
  for (int64_t batch = 0; batch < maker->batches_per_epoch(); ++batch) {
    const int64_t size = maker->SizeOf(batch);
    std::fill(scores.begin(), scores.end(), 0.0f);
    for (const data::View& view : views) {
      if (cancelled()) return absl::CancelledError("interrupted");
      absl::Status status = maker->MakeView(view.placement, batch, images(), labels.data());
      if (!status.ok()) return status;
      const float* const result = Run();
      for (int64_t i = 0; i < size * classes; ++i) scores[i] += view.weight * result[i];
    }
    for (int64_t i = 0; i < size; ++i) {
      const float* const row = scores.data() + i * classes;
      if (std::max_element(row, row + classes) - row == labels[i]) ++right;
    }
    if (answers != nullptr)
      answers->insert(answers->end(), scores.begin(), scores.begin() + size * classes);
    const layers::LossSums of_batch = SumLosses(scores.data(), labels.data(), size);
    loss.loss += of_batch.loss;
    loss.weight += of_batch.weight;
  }
  return Result{static_cast<double>(right) / static_cast<double>(dataset.size()),
                loss.weight > 0 ? loss.loss / loss.weight : 0};
}

}  // namespace cotangent::training
