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
  evaluator->ranks_ = options.ranks;
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
    // The scales of quantised weights are computed from the weights into which batch normalisation
    // has been folded, so these weights must be up to date.
    evaluator->folded_->Update();
    evaluator->parameters_changed_ = false;
    evaluator->quantised_ = evaluator->folded_->graph();
    RETURN_IF_ERROR(
        layers::QuantiseGraph(quantisation, made.prediction, evaluator->folded_->store(),
                              layers::QuantisedFor::kThisProcessor, *evaluator->quantised_));
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

void Evaluator::AnswersOf(const float* results, absl::Span<double> answers) const {
  std::copy_n(results, answers.size(), answers.begin());
  switch (target_kind_) {
    case TargetKind::kClass:
      if (!gives_probabilities()) Softmax(answers);
      return;
    case TargetKind::kLabels:
      std::transform(answers.begin(), answers.end(), answers.begin(), Sigmoid);
      return;
    case TargetKind::kNumbers:
      target_scale_.Restore(answers);
      return;
  }
}

layers::LossSums Evaluator::SumLosses(const float* scores, const void* targets,
                                      int64_t count) const {
  char* const data = reinterpret_cast<char*>(const_cast<float*>(scores));
  layers::LossTargets compared;
  if (target_kind_ != TargetKind::kClass) {
    compared.shares = static_cast<const float*>(targets);
  } else {
    compared.labels = static_cast<const int32_t*>(targets);
  }
  return layers::SumLosses(loss_, {data, {count, network_->classes}, {}}, compared);
}

// What Evaluate() has found about each batch. Every rank (process that takes part) fills in the
// batches that it evaluates; the entries of other batches are 0 until AddOverRanks(). Conclude()
// adds up sums in the order of the batches, whichever rank has computed them, so that the bits of
// the result do not depend on the number of ranks.
struct Evaluator::Findings {
  struct Batch {
    // `right`: the number of images whose highest score is that of their class (only if the targets
    // are classes). `loss` and `weight`: the two sums of layers::LossSums.
    double right = 0, loss = 0, weight = 0;
  };
  static_assert(sizeof(Batch) == 3 * sizeof(double));

  Findings(int64_t batches, int64_t floats_of_batch, bool keeps_answers, bool keeps_targets)
      : batches(batches),
        floats(floats_of_batch),
        answers(keeps_answers ? batches * floats : 0),
        targets(keeps_targets ? batches * floats : 0) {}

  void AddOverRanks(distributed::Communicator& ranks) {
    if (batches.empty()) return;
    ranks.Sum({&batches[0].right, 3 * batches.size()});
    for (std::vector<float>* numbers : {&answers, &targets}) {
      for (size_t begin = 0, batch = 0; begin < numbers->size(); begin += floats, ++batch) {
        ranks.BeginBroadcast({numbers->data() + begin, static_cast<size_t>(floats)},
                             static_cast<int>(batch % ranks.ranks()));
      }
    }
    ranks.FinishBroadcasts();
  }

  std::vector<Batch> batches;
  int64_t floats;                       // floats of a full batch: images * classes
  std::vector<float> answers, targets;  // [batches, images of a batch, classes], or empty
};

// Records in `findings` how good the network's results for batch number `batch` are. `scores` are
// these results and `targets` the targets of the batch's `size` images.
void Evaluator::EvaluateBatch(const float* scores, const void* targets, int64_t size, int64_t batch,
                              Findings& findings) const {
  const int64_t classes = network_->classes;
  Findings::Batch& found = findings.batches[batch];
  if (target_kind_ == TargetKind::kClass) {
    const auto* const labels = static_cast<const int32_t*>(targets);
    for (int64_t i = 0; i < size; ++i) {
      const float* const row = scores + i * classes;
      if (std::max_element(row, row + classes) - row == labels[i]) found.right += 1;
    }
  }
  const int64_t begin = batch * findings.floats;
  if (!findings.answers.empty())
    std::copy_n(scores, size * classes, findings.answers.begin() + begin);
  if (!findings.targets.empty()) {
    std::copy_n(static_cast<const float*>(targets), size * classes,
                findings.targets.begin() + begin);
  }
  const layers::LossSums loss = SumLosses(scores, targets, size);
  found.loss = loss.loss;
  found.weight = loss.weight;
}

Evaluator::Result Evaluator::Conclude(const Findings& findings, int64_t images) const {
  Findings::Batch sum;
  for (const Findings::Batch& batch : findings.batches) {
    sum.right += batch.right;
    sum.loss += batch.loss;
    sum.weight += batch.weight;
  }
  Result result = {sum.right / static_cast<double>(images),
                   sum.weight > 0 ? sum.loss / sum.weight : 0};
  if (target_kind_ != TargetKind::kClass) {
    const size_t count = images * network_->classes;
    result.score = Score(target_kind_, {findings.answers.data(), count},
                         {findings.targets.data(), count}, network_->classes);
  }
  return result;
}

absl::StatusOr<Evaluator::Result> Evaluator::Evaluate(const data::Dataset& dataset,
                                                      const data::Normalisation& normalisation,
                                                      const std::vector<data::View>& views,
                                                      const std::function<bool()>& cancelled,
                                                      std::vector<float>* answers) {
  data::PipelineOptions options = data::EvaluationOptions(
      static_cast<int>(batch_size_), normalisation, data::BatchFormat::kF32Nchw);
  options.workers = threads_;
  const bool has_values = target_kind_ != TargetKind::kClass;
  if (has_values) options.targets = data::TargetFormat::kValues;
  options.target_mean = target_scale_.mean;
  options.target_deviation = target_scale_.deviation;
  const int64_t rank = ranks_->rank(), ranks = ranks_->ranks(), classes = network_->classes;
  ASSIGN_OR_RETURN(const auto maker, data::ViewMaker::Create(&dataset, options, rank, ranks));
  std::vector<float> scores(batch_size_ * classes);
  Findings findings(maker->batches(), batch_size_ * classes, has_values || answers != nullptr,
                    has_values);
  absl::Status status;
  // In each round every rank (process) evaluates one batch; in the last round, some ranks may have
  // none.
  for (int64_t first = 0; first < maker->batches(); first += ranks) {
    const bool has_batch = first + rank < maker->batches();
    if (has_batch) status = maker->Next();
    const int64_t size = has_batch ? maker->size() : 0;
    std::fill(scores.begin(), scores.end(), 0.0f);
    for (const data::View& view : views) {
      if (status.ok() && cancelled()) status = absl::CancelledError("interrupted");
      if (distributed::Any(*ranks_, !status.ok())) return distributed::Agree(*ranks_, status);
      if (!has_batch) continue;
      maker->Write(view.placement, images());
      const float* const result = Run();
      for (int64_t i = 0; i < size * classes; ++i) scores[i] += view.weight * result[i];
    }
    if (has_batch) EvaluateBatch(scores.data(), maker->targets(), size, first + rank, findings);
  }
  findings.AddOverRanks(*ranks_);
  const Result result = Conclude(findings, dataset.size());
  if (answers != nullptr) {
    findings.answers.resize(dataset.size() * classes);
    *answers = std::move(findings.answers);
    std::vector<double> of_image(classes);
    for (auto row = answers->begin(); has_values && row != answers->end(); row += classes) {
      AnswersOf(&*row, absl::MakeSpan(of_image));
      std::copy(of_image.begin(), of_image.end(), row);
    }
  }
  return result;
}

}  // namespace cotangent::training
