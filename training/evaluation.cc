#include "training/evaluation.h"

#include <algorithm>
#include <utility>

#include "absl/types/span.h"
#include "base/status_macros.h"
#include "data/pipeline.h"
#include "data/views.h"
#include "layers/ops/loss.h"
#include "layers/ops/softmax.h"
#include "tensor/convolution.h"

namespace cotangent::training {

absl::StatusOr<std::unique_ptr<Evaluator>> Evaluator::Create(
    const layers::Network& network, int64_t classes, int64_t batch_size, const StepOptions& options,
    layers::ParameterStore& store, layers::Tuner& tuner, const layers::Quantisation& quantisation) {
  auto evaluator = std::unique_ptr<Evaluator>(new Evaluator);
  evaluator->batch_size_ = batch_size;
  evaluator->threads_ = std::max(1, options.threads);
  layers::BuildOptions build;
  build.batch_size = batch_size;
  build.training = false;
  build.classes = classes;
  ASSIGN_OR_RETURN(layers::BuiltNetwork built, layers::Build(network, build));
  evaluator->target_kind_ = TargetKindOf(network);
  RETURN_IF_ERROR(CheckClasses(built, classes, evaluator->target_kind_));
  ASSIGN_OR_RETURN(evaluator->target_scale_, TargetScaleOf(network, classes));
  evaluator->network_ = std::make_unique<layers::BuiltNetwork>(std::move(built));
  const layers::BuiltNetwork& made = *evaluator->network_;
  evaluator->loss_ = made.graph.producer(made.loss).as<layers::LossAttributes>();
  if (evaluator->loss_.kind == layers::LossKind::kFormula) {
    ASSIGN_OR_RETURN(evaluator->loss_program_, autodiff::symbolic::Program::Create(
                                                   {evaluator->loss_.formula},
                                                   {made.graph.Operand(0), made.graph.Operand(1)}));
  }

  ASSIGN_OR_RETURN(std::unique_ptr<layers::FoldedGraph> folded,
                   layers::FoldedGraph::Create(made.graph, made.prediction, store));
  evaluator->folded_ = std::move(folded);
  layers::PlanOptions plan;
  plan.precision = options.precision;
  plan.exact = options.exact;
  plan.threads = options.threads;
  plan.constant_parameters = true;
  plan.choices = options.choices;
  if (!quantisation.empty() && tensor::Int8Available()) {
    // The scales of quantised weights are computed from the folded weights, which must therefore be
    // up to date.
    evaluator->folded_->Update();
    evaluator->parameters_changed_ = false;
    evaluator->quantised_ = evaluator->folded_->graph();
    if (absl::Status status = layers::QuantiseGraph(
            quantisation, made.prediction, evaluator->folded_->store(), *evaluator->quantised_);
        !status.ok())
      return status;
    if (tensor::Bf16Available()) plan.precision = ElementType::kBf16;
  }
  const layers::Graph& graph =
      evaluator->quantised_ ? *evaluator->quantised_ : evaluator->folded_->graph();
  ASSIGN_OR_RETURN(
      evaluator->plan_,
      layers::Plan::Compile(graph, {{made.prediction}}, evaluator->folded_->store(), tuner, plan));
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

layers::LossSums Evaluator::SumLosses(const float* scores, const void* targets,
                                      int64_t count) const {
  const int64_t classes = network_->classes;
  const bool has_values = target_kind_ != data::TargetKind::kClass;
  const auto* const labels = static_cast<const int32_t*>(targets);
  const auto* const values = static_cast<const float*>(targets);
  if (!loss_program_.has_value()) {
    char* const data = reinterpret_cast<char*>(const_cast<float*>(scores));
    layers::LossTargets compared;
    if (has_values) {
      compared.shares = values;
    } else {
      compared.labels = labels;
    }
    return layers::SumLosses(loss_, {data, {count, classes}, {}}, compared);
  }
  double sum = 0;
  for (int64_t i = 0; i < count * classes; ++i) {
    const double target = has_values ? values[i] : labels[i / classes] == i % classes ? 1 : 0;
    sum += loss_program_->Evaluate<double>(std::vector<double>{scores[i], target})[0];
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
  const bool has_values = target_kind_ != data::TargetKind::kClass;
  if (has_values) options.targets = data::TargetFormat::kValues;
  options.target_mean = target_scale_.mean;
  options.target_deviation = target_scale_.deviation;
  ASSIGN_OR_RETURN(const auto maker, data::ViewMaker::Create(&dataset, options));
  const int64_t classes = network_->classes;
  std::vector<float> scores(batch_size_ * classes), of_all;
  std::vector<char> targets_of_all;
  int64_t right = 0;
  layers::LossSums loss;
  for (int64_t batch = 0; batch < maker->batches(); ++batch) {
    RETURN_IF_ERROR(maker->Next());
    const int64_t size = maker->size();
    std::fill(scores.begin(), scores.end(), 0.0f);
    for (const data::View& view : views) {
      if (cancelled()) return absl::CancelledError("interrupted");
      maker->Write(view.placement, images());
      const float* const result = Run();
      for (int64_t i = 0; i < size * classes; ++i) scores[i] += view.weight * result[i];
    }
    const auto* const labels = static_cast<const int32_t*>(maker->targets());
    for (int64_t i = 0; !has_values && i < size; ++i) {
      const float* const row = scores.data() + i * classes;
      if (std::max_element(row, row + classes) - row == labels[i]) ++right;
    }
    if (has_values || answers != nullptr)
      of_all.insert(of_all.end(), scores.begin(), scores.begin() + size * classes);
    if (has_values)
      targets_of_all.insert(
          targets_of_all.end(), static_cast<const char*>(maker->targets()),
          static_cast<const char*>(maker->targets()) + size * maker->target_bytes());
    const layers::LossSums of_batch = SumLosses(scores.data(), maker->targets(), size);
    loss.loss += of_batch.loss;
    loss.weight += of_batch.weight;
  }
  Result result = {static_cast<double>(right) / static_cast<double>(dataset.size()),
                   loss.weight > 0 ? loss.loss / loss.weight : 0};
  if (has_values) {
    const auto* const values = reinterpret_cast<const float*>(targets_of_all.data());
    result.score = Score(target_kind_, of_all, absl::MakeConstSpan(values, of_all.size()), classes);
  }
  if (answers != nullptr) {
    target_scale_.Restore(absl::MakeSpan(of_all));
    *answers = std::move(of_all);
  }
  return result;
}

}  // namespace cotangent::training
