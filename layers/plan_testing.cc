#include "layers/plan_testing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/reverse/gradient.h"
#include "gtest/gtest.h"
#include "layers/parameters.h"
#include "layers/plan.h"
#include "layers/reference.h"
#include "layers/tuner.h"
#include "layers/vjp.h"
#include "tensor/cpu.h"

namespace cotangent::layers {
namespace {

using autodiff::reverse::Tape;
using autodiff::reverse::Var;
using Values = std::vector<double>;

bool IsLabels(const Graph& graph, TensorId t) { return graph.producer(t).op == Op::kInput && graph.shape(t).rank() == 1; }

// What is given from outside: by tensor.
struct Leaves {
  absl::flat_hash_map<TensorId, Values> values;
  absl::flat_hash_map<TensorId, std::vector<int64_t>> labels;
};

Leaves RandomLeaves(const Graph& graph, TensorId prediction, uint64_t seed) {
  SplitMix random(seed);
  Leaves leaves;
  const int64_t classes = prediction == kNoTensor ? 1 : graph.shape(prediction)[1];
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kInput && node.op != Op::kParameter && node.op != Op::kState) continue;
    const TensorId t = node.outputs[0];
    const int64_t count = graph.shape(t).NumElements();
    if (IsLabels(graph, t)) {
      for (int64_t i = 0; i < count; ++i) leaves.labels[t].push_back(random.Below(classes));
      continue;
    }
    // States are running means and variances: positive.
    Values& values = leaves.values[t];
    for (int64_t i = 0; i < count; ++i) values.push_back(node.op == Op::kState ? 1.5 + 0.5 * random.Uniform() : random.Uniform());
  }
  return leaves;
}

template <class T>
void GiveAll(const Leaves& leaves, ReferenceEvaluator<T>& reference) {
  for (const auto& [t, values] : leaves.values) reference.Give(t, std::vector<T>(values.begin(), values.end()));
  for (const auto& [t, labels] : leaves.labels) reference.GiveLabels(t, labels);
}

void ExpectNear(const std::string& what, const Values& found, const Values& expected, double tolerance, bool by_norm = false) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double largest = 0, worst = 0, squares = 0, error_squares = 0;
  size_t at = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - expected[i]);
    largest = std::max(largest, std::abs(expected[i]));
    squares += expected[i] * expected[i], error_squares += error * error;
    if (!(error <= worst)) worst = error, at = i;
  }
  const double scale = by_norm ? std::sqrt(squares) : largest, error = by_norm ? std::sqrt(error_squares) : worst;
  // What is zero but for rounding has no scale of its own.
  EXPECT_TRUE(error <= tolerance * std::max(scale, 1e-3)) << what << ": relative error " << error / scale << ", allowed " << tolerance << "; element " << at << " of "
                                                          << found.size() << " is " << found[at] << ", expected " << expected[at];
}

std::string NameOf(const Graph& graph, TensorId t) { return absl::StrCat("%", t, " ", graph.tensor(t).name, " ", graph.shape(t).ToString()); }

// By the reference's own reverse mode: the derivative of <cotangent, y> by each of `with_respect_to`.
std::vector<Values> GradientByTape(const Graph& graph, const Leaves& leaves, TensorId y, TensorId cotangent, const std::vector<TensorId>& with_respect_to) {
  Tape tape;
  Tape::Scope recording(tape);
  ReferenceEvaluator<Var> reference(graph);
  GiveAll(leaves, reference);
  std::vector<std::vector<Var>> inputs;
  for (TensorId t : with_respect_to) {
    std::vector<Var> variables;
    for (double value : leaves.values.at(t)) variables.push_back(tape.Input(value));
    inputs.push_back(variables);
    reference.Give(t, variables);
  }
  const absl::Status status = reference.Compute({y});
  EXPECT_TRUE(status.ok()) << status;
  tape.ClearAdjoints();
  for (size_t i = 0; i < reference.values(y).size(); ++i) tape.AddAdjoint(reference.values(y)[i], cotangent == kNoTensor ? 1 : leaves.values.at(cotangent)[i]);
  tape.Sweep();
  std::vector<Values> gradients;
  for (const std::vector<Var>& variables : inputs) {
    Values gradient;
    for (const Var& variable : variables) gradient.push_back(tape.Adjoint(variable));
    gradients.push_back(gradient);
  }
  return gradients;
}

// What a plan computes, by tensor, and the states it leaves, by name.
struct PlanValues {
  absl::flat_hash_map<TensorId, Values> results;
  absl::flat_hash_map<std::string, Values> states;
};

PlanValues RunPlan(const Graph& graph, const Leaves& leaves, const std::vector<TensorId>& results, const AgreementOptions& options) {
  PlanValues found;
  tensor::SetThreads(options.threads);
  // What one test has measured another need not.
  static auto& tuners = *new std::map<int, Tuner>();
  Tuner& tuner = tuners.try_emplace(options.threads, options.threads).first->second;
  absl::StatusOr<std::unique_ptr<ParameterStore>> store = ParameterStore::Create(graph);
  EXPECT_TRUE(store.ok()) << store.status();
  // Every other result has a destination.
  std::vector<std::vector<float>> destinations;
  std::vector<PlanResult> wanted;
  for (TensorId t : results) destinations.emplace_back(graph.shape(t).NumElements(), NAN);
  for (size_t i = 0; i < results.size(); ++i) wanted.push_back({results[i], i % 2 == 1 ? destinations[i].data() : nullptr});
  PlanOptions plan_options{.precision = options.precision, .exact = options.exact, .threads = options.threads, .seed = options.seed};
  absl::StatusOr<std::unique_ptr<Plan>> plan = Plan::Compile(graph, wanted, **store, tuner, plan_options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return found;
  // Run twice: nothing may be left over from the first run.
  for (int run = 0; run < 2; ++run) {
    for (const auto& [t, values] : leaves.values) {
      const Op op = graph.producer(t).op;
      const std::string& name = graph.tensor(t).name;
      float* to = op == Op::kInput      ? static_cast<float*>((*plan)->input(t))
                  : op == Op::kParameter ? (*store)->values() + (*store)->FindParameter(name)->offset
                                         : (*store)->state_values() + (*store)->FindState(name)->offset;
      for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<float>(run == 0 ? -values[i] : values[i]);
    }
    for (const auto& [t, labels] : leaves.labels) std::copy(labels.begin(), labels.end(), static_cast<int32_t*>((*plan)->input(t)));
    (*plan)->Run(run);
  }
  for (TensorId t : results) {
    const float* from = (*plan)->result(t);
    found.results[t].assign(from, from + graph.shape(t).NumElements());
  }
  for (const ParameterStore::Slot& slot : (*store)->states()) {
    const float* from = (*store)->state_values() + slot.offset;
    found.states[slot.name].assign(from, from + slot.size);
  }
  return found;
}

// y's own leaf: what kind of labels there are is told by the loss that reads them.
TensorId PredictionOfLoss(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::kLoss) return node.inputs[0];
  }
  return kNoTensor;
}

}  // namespace

AgreementOptions InBf16() {
  return {.precision = tensor::ElementType::kBf16, .by_norm = true, .forward_tolerance = 0.02, .gradient_tolerance = 0.05};
}

void ExpectPlanAgrees(Graph& graph, TensorId y, const AgreementOptions& options) {
  std::vector<TensorId> with_respect_to;
  for (const Node& node : graph.nodes()) {
    const TensorId t = node.outputs.empty() ? kNoTensor : node.outputs[0];
    if (node.op == Op::kParameter || (node.op == Op::kInput && !IsLabels(graph, t))) with_respect_to.push_back(t);
  }
  TensorId cotangent = kNoTensor;
  std::vector<TensorId> gradients;
  if (options.derivatives) {
    const bool is_scalar = graph.shape(y).rank() == 0;
    if (!is_scalar) cotangent = graph.Input("cotangent", graph.shape(y));
    const absl::StatusOr<std::vector<TensorId>> built =
        is_scalar ? Gradient(graph, y, with_respect_to) : VectorJacobianProduct(graph, {y}, {cotangent}, with_respect_to);
    ASSERT_TRUE(built.ok()) << built.status();
    gradients = *built;
  }

  // A plan's dropout masks are the reference's.
  std::vector<TensorId> results = {y};
  for (TensorId t : gradients) {
    if (t != kNoTensor) results.push_back(t);
  }
  const size_t checked = results.size();
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::kDropoutMask) results.push_back(node.outputs[0]);
  }
  Leaves leaves = RandomLeaves(graph, PredictionOfLoss(graph), options.seed);
  const PlanValues found = RunPlan(graph, leaves, results, options);
  if (found.results.empty()) return;
  for (size_t i = checked; i < results.size(); ++i) leaves.values[results[i]] = found.results.at(results[i]);

  ReferenceEvaluator<double> reference(graph);
  GiveAll(leaves, reference);
  results.resize(checked);
  for (const StateUpdate& update : graph.state_updates()) results.push_back(update.value);
  const absl::Status status = reference.Compute(results);
  ASSERT_TRUE(status.ok()) << status;
  ExpectNear(absl::StrCat("plan, forward ", NameOf(graph, y)), found.results.at(y), reference.values(y), options.forward_tolerance, options.by_norm);
  for (const StateUpdate& update : graph.state_updates()) {
    ExpectNear(absl::StrCat("plan, state ", NameOf(graph, update.state)), found.states.at(graph.tensor(update.state).name), reference.values(update.value),
               options.forward_tolerance, options.by_norm);
  }
  if (!options.derivatives) return;
  const std::vector<Values> truth = GradientByTape(graph, leaves, y, cotangent, with_respect_to);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const std::string what = NameOf(graph, with_respect_to[i]);
    if (gradients[i] == kNoTensor) {
      EXPECT_TRUE(std::all_of(truth[i].begin(), truth[i].end(), [](double g) { return g == 0; })) << what << ": no gradient was built";
      continue;
    }
    ExpectNear(absl::StrCat("gradient's rules, ", what), reference.values(gradients[i]), truth[i], options.rule_tolerance);
    ExpectNear(absl::StrCat("plan, gradient by ", what), found.results.at(gradients[i]), truth[i], options.gradient_tolerance, options.by_norm);
  }
}

}  // namespace cotangent::layers
