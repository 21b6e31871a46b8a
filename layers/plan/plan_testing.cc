// Compares plans (graphs compiled for this machine) and derivative graphs with the reference
// evaluator (plain loops, layers/graph/reference.h); see plan_testing.h. "Shaking" means changing
// all numbers by small random amounts to see how sensitive a result is to rounding.

#include "layers/plan/plan_testing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/forward/dual.h"
#include "autodiff/forward/functions.h"
#include "autodiff/reverse/gradient.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "layers/graph/jvp.h"
#include "layers/graph/operation.h"
#include "layers/graph/reference.h"
#include "layers/graph/uses.h"
#include "layers/graph/vjp.h"
#include "layers/ops/dropout.h"
#include "layers/ops/loss.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {
namespace {

using Var = Tape::Var;
using Values = std::vector<double>;

bool IsLabels(const Graph& graph, TensorId t) {
  return graph.producer(t).op == kInput && graph.shape(t).rank() == 1;
}

// The values of the tensors that are given from outside, by tensor.
struct Leaves {
  absl::flat_hash_map<TensorId, Values> values;
  absl::flat_hash_map<TensorId, std::vector<int64_t>> labels;
};

Leaves RandomLeaves(const Graph& graph, TensorId prediction, uint64_t seed) {
  SplitMix random(seed);
  Leaves leaves;
  const int64_t classes = prediction == kNoTensor ? 1 : graph.shape(prediction)[1];
  for (const Node& node : graph.nodes()) {
    if (node.op != kInput && node.op != kParameter && node.op != kState) continue;
    const TensorId t = node.outputs[0];
    const int64_t count = graph.shape(t).NumElements();
    if (IsLabels(graph, t)) {
      for (int64_t i = 0; i < count; ++i) leaves.labels[t].push_back(random.Below(classes));
      continue;
    }
    // States, such as running variances, are drawn from [1, 2), so that variances are valid; all
    // other numbers from [-1, 1).
    Values& values = leaves.values[t];
    for (int64_t i = 0; i < count; ++i)
      values.push_back(node.op == kState ? 1.5 + 0.5 * random.Uniform() : random.Uniform());
  }
  return leaves;
}

template <class T>
void GiveAll(const Leaves& leaves, ReferenceEvaluator<T>& reference) {
  for (const auto& [t, values] : leaves.values)
    reference.Give(t, std::vector<T>(values.begin(), values.end()));
  for (const auto& [t, labels] : leaves.labels) reference.GiveLabels(t, labels);
}

// The factor that turns the allowance for rounding errors of a result in f32
// (Conditioning::Allowance()) into the allowance for the same result in double.
constexpr double kDoubleOfShake = 1e-6;
// The number of random disturbances by which a result's sensitivity to rounding is measured.
constexpr uint64_t kShakings = 24;
// Each disturbance is tried in full and reduced by this factor, and the effect of the reduced one
// is multiplied by the factor. The full disturbance alone can hide how ill-conditioned a result is:
// if a constant image is normalised, its disturbed variance exceeds epsilon, and everything behind
// it is then amplified far less than the undisturbed image is.
constexpr double kReduced = 1 << 20;
// A result that nearly cancels to zero has no scale of its own. If options.shake > 0, a derivative
// is therefore allowed an additional error: this share of the tolerance times the largest magnitude
// (or norm) among the derivatives of the same kind; in double, kDoubleOfShake times that.
constexpr double kLeastScale = 0.3;

// Fails the test if the error of `found` (its largest deviation from `expected`; if `by_norm`, the
// norm of the deviations) exceeds `tolerance` times the scale of `expected` (its largest magnitude;
// if `by_norm`, its norm; at least 1e-3). `allowance` returns an additional absolute error that is
// accepted; it is called only if the error exceeds that product.
void ExpectNear(
    const std::string& what, const Values& found, const Values& expected, double tolerance,
    bool by_norm = false, const std::function<double()>& allowance = [] { return 0.0; }) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double largest = 0, worst = 0, squares = 0, error_squares = 0;
  size_t at = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - expected[i]);
    largest = std::max(largest, std::abs(expected[i]));
    squares += expected[i] * expected[i], error_squares += error * error;
    if (!(error <= worst)) worst = error, at = i;
  }
  const double scale = by_norm ? std::sqrt(squares) : largest,
               error = by_norm ? std::sqrt(error_squares) : worst;
  // A tensor that is zero apart from rounding errors has no scale of its own, so its scale is taken
  // to be 1e-3 at least.
  double allowed = tolerance * std::max(scale, 1e-3);
  if (error <= allowed) return;
  allowed += allowance();
  EXPECT_TRUE(error <= allowed) << what << ": error " << error << ", allowed " << allowed
                                << ", of values up to " << scale << "; element " << at << " of "
                                << found.size() << " is " << found[at] << ", expected "
                                << expected[at];
}

// Returns the distance between two values of a tensor: the norm of their difference or the largest
// difference, as ExpectNear() measures it.
double DistanceOf(const Values& a, const Values& b, bool by_norm) {
  double largest = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
    squares += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return by_norm ? std::sqrt(squares) : largest;
}

double LargestOf(const std::vector<Values>& all, bool by_norm) {
  double largest = 0;
  for (const Values& values : all)
    largest = std::max(largest, DistanceOf(values, Values(values.size(), 0.0), by_norm));
  return largest;
}

void Shake(double relative, SplitMix& random, Values& values) {
  for (double& value : values) value *= 1 + (random.Uniform() < 0 ? -relative : relative);
}

// Measures how sensitive each result is to rounding: disturbs every leaf and every intermediate
// value in its computation by the factor 1 + options.shake or 1 - options.shake, at random (and by
// less, see kReduced), and takes the largest change of the result over several such disturbances. A
// test allows a result an error of kShakes (plan_testing.h) times that change, which is large if
// the result is ill-conditioned. Measures when Allowance() is first called; `undisturbed` holds the
// results without disturbances.
class Conditioning {
 public:
  Conditioning(const Graph& graph, const Leaves& leaves, std::vector<TensorId> results,
               const ReferenceEvaluator<double>& undisturbed, const AgreementOptions& options)
      : graph_(graph),
        leaves_(leaves),
        results_(std::move(results)),
        undisturbed_(undisturbed),
        options_(options) {}

  // Returns the additional error that result t is allowed because of rounding; 0 if options.shake
  // is 0.
  double Allowance(TensorId t) {
    if (options_.shake == 0) return 0;
    if (allowances_.empty()) Measure();
    return allowances_.at(t);
  }

 private:
  void Measure() {
    const Uses uses(graph_, results_, [&](const Node& node) {
      return leaves_.values.contains(node.outputs[0]) || leaves_.labels.contains(node.outputs[0]);
    });
    for (uint64_t k = 0; k < kShakings; ++k) {
      for (const double divisor : {1.0, kReduced}) MeasureOnce(uses, options_.seed + k, divisor);
    }
  }

  // Disturbs everything by options_.shake / divisor, and multiplies the effect by the divisor.
  void MeasureOnce(const Uses& uses, uint64_t seed, double divisor) {
    const double relative = options_.shake / divisor;
    SplitMix random(seed);
    Leaves leaves = leaves_;
    for (auto& [t, values] : leaves.values) Shake(relative, random, values);
    ReferenceEvaluator<double> shaken(graph_);
    GiveAll(leaves, shaken);
    for (int i = 0; i < static_cast<int>(graph_.nodes().size()); ++i) {
      if (!uses.IsNeeded(i)) continue;
      const std::vector<TensorId>& outputs = graph_.node(i).outputs;
      EXPECT_TRUE(shaken.Compute(outputs).ok());
      for (TensorId t : outputs) {
        Values values = shaken.values(t);
        Shake(relative, random, values);
        shaken.Give(t, std::move(values));
      }
    }
    for (TensorId t : results_) {
      const double distance =
          DistanceOf(undisturbed_.values(t), shaken.values(t), options_.by_norm);
      allowances_[t] = std::max(allowances_[t], kShakes * divisor * distance);
    }
  }

  const Graph& graph_;
  const Leaves& leaves_;
  const std::vector<TensorId> results_;
  const ReferenceEvaluator<double>& undisturbed_;
  const AgreementOptions& options_;
  absl::flat_hash_map<TensorId, double> allowances_;
};

std::string NameOf(const Graph& graph, TensorId t) {
  return absl::StrCat("%", t, " ", graph.tensor(t).name, " ", graph.shape(t).ToString());
}

// The derivatives of y that the derivative rules of the graph's operations build, as tensors of the
// graph; kNoTensor if a derivative is zero. `along`, `gradients` and `products` correspond to the
// fields `tangent`, `gradient` and `hessian_product` of Derivatives, below.
struct BuiltDerivatives {
  std::vector<TensorId> with_respect_to;  // parameters, and inputs that are no labels
  TensorId cotangent = kNoTensor;         // of y; kNoTensor if y is a scalar
  std::vector<TensorId> tangents;         // of these
  std::vector<TensorId> gradients, along, products;
};

std::vector<TensorId> Built(absl::StatusOr<std::vector<TensorId>> derivatives) {
  EXPECT_TRUE(derivatives.ok()) << derivatives.status();
  return derivatives.value();
}

// Adds the derivatives that the options ask for to the graph.
BuiltDerivatives BuildDerivatives(Graph& graph, TensorId y, const AgreementOptions& options) {
  BuiltDerivatives built;
  for (const Node& node : graph.nodes()) {
    const TensorId t = node.outputs.empty() ? kNoTensor : node.outputs[0];
    if (node.op == kParameter || (node.op == kInput && !IsLabels(graph, t)))
      built.with_respect_to.push_back(t);
  }
  if (!options.derivatives) return built;
  const std::vector<TensorId>& leaves = built.with_respect_to;
  const bool is_scalar = graph.shape(y).rank() == 0;
  if (!is_scalar) built.cotangent = graph.Input("cotangent", graph.shape(y));
  built.gradients = Built(is_scalar ? Gradient(graph, y, leaves)
                                    : VectorJacobianProduct(graph, {y}, {built.cotangent}, leaves));
  for (TensorId t : leaves) {
    // A one-dimensional input would be taken for labels, so the tangents of leaves that are no
    // inputs are states.
    const std::string name = absl::StrCat("tangent ", t, " of ", graph.tensor(t).name);
    built.tangents.push_back(graph.producer(t).op == kInput ? graph.Input(name, graph.shape(t))
                                                            : graph.State(name, graph.shape(t)));
  }
  built.along = Built(JacobianVectorProduct(graph, {y}, leaves, built.tangents));
  if (options.second_derivatives)
    built.products = Built(JacobianVectorProduct(graph, built.gradients, leaves, built.tangents));
  return built;
}

// The derivatives of y: `tangent`, its derivative along the tangents of the leaves; `gradient`, the
// gradient of <cotangent, y> by each tensor in `with_respect_to`; and `hessian_product`, the
// derivative of this gradient along the tangents.
struct Derivatives {
  Values tangent;
  std::vector<Values> gradient, hessian_product;
};

// Computes the derivatives with the reference's own differentiation, forward over reverse mode.
Derivatives DerivativesByTape(const Graph& graph, const Leaves& leaves, TensorId y,
                              TensorId cotangent, const std::vector<TensorId>& with_respect_to,
                              const std::vector<TensorId>& tangents) {
  Tape tape;
  Tape::Scope recording(tape);
  ReferenceEvaluator<Var> reference(graph);
  GiveAll(leaves, reference);
  std::vector<std::vector<Var>> inputs;
  for (size_t k = 0; k < with_respect_to.size(); ++k) {
    const Values &values = leaves.values.at(with_respect_to[k]),
                 &tangent = leaves.values.at(tangents[k]);
    std::vector<Var> variables;
    for (size_t i = 0; i < values.size(); ++i) {
      Dual value = values[i];
      value.tangent[0] = tangent[i];
      variables.push_back(tape.Input(value));
    }
    inputs.push_back(variables);
    reference.Give(with_respect_to[k], variables);
  }
  const absl::Status status = reference.Compute({y});
  EXPECT_TRUE(status.ok()) << status;
  Derivatives found;
  tape.ClearAdjoints();
  for (size_t i = 0; i < reference.values(y).size(); ++i) {
    found.tangent.push_back(reference.values(y)[i].Value().tangent[0]);
    tape.AddAdjoint(reference.values(y)[i],
                    cotangent == kNoTensor ? 1 : leaves.values.at(cotangent)[i]);
  }
  tape.Sweep();
  for (const std::vector<Var>& variables : inputs) {
    Values gradient, product;
    for (const Var& variable : variables) {
      gradient.push_back(tape.Adjoint(variable).value);
      product.push_back(tape.Adjoint(variable).tangent[0]);
    }
    found.gradient.push_back(gradient);
    found.hessian_product.push_back(product);
  }
  return found;
}

// The results that a plan computes, by tensor, and its final states, by name.
struct PlanValues {
  absl::flat_hash_map<TensorId, Values> results;
  absl::flat_hash_map<std::string, Values> states;
};

PlanValues RunPlan(const Graph& graph, const Leaves& leaves, const std::vector<TensorId>& results,
                   const AgreementOptions& options) {
  PlanValues found;
  SetThreads(options.threads);
  // Tests with the same number of threads share a tuner, which times the implementations of each
  // convolution to choose the fastest (layers/plan/tuner.h), so that the process times each
  // convolution only once for each number of threads.
  static auto& tuners = *new std::map<int, Tuner>();
  Tuner& tuner = tuners.try_emplace(options.threads, options.threads).first->second;
  absl::StatusOr<std::unique_ptr<ParameterStore>> store = ParameterStore::Create(graph);
  EXPECT_TRUE(store.ok()) << store.status();
  // Gives every second result a destination, so that results with and without one are tested.
  std::vector<std::vector<float>> destinations;
  std::vector<PlanResult> wanted;
  for (TensorId t : results) destinations.emplace_back(graph.shape(t).NumElements(), NAN);
  for (size_t i = 0; i < results.size(); ++i)
    wanted.push_back({results[i], i % 2 == 1 ? destinations[i].data() : nullptr});
  PlanOptions plan_options{.precision = options.precision,
                           .exact = options.exact,
                           .threads = options.threads,
                           .seed = options.seed};
  absl::StatusOr<std::unique_ptr<Plan>> plan =
      Plan::Compile(graph, wanted, **store, tuner, plan_options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return found;
  // The plan runs twice, the first time with other values, to show that nothing is left over from
  // the first run.
  for (int run = 0; run < 2; ++run) {
    for (const auto& [t, values] : leaves.values) {
      const Op op = graph.producer(t).op;
      const std::string& name = graph.tensor(t).name;
      float* to = op == kInput       ? static_cast<float*>((*plan)->input(t))
                  : op == kParameter ? (*store)->values() + (*store)->FindParameter(name)->offset
                                     : (*store)->state_values() + (*store)->FindState(name)->offset;
      for (size_t i = 0; i < values.size(); ++i)
        to[i] = static_cast<float>(run == 0 ? -values[i] : values[i]);
    }
    for (const auto& [t, labels] : leaves.labels)
      std::copy(labels.begin(), labels.end(), static_cast<int32_t*>((*plan)->input(t)));
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

std::set<std::string>& Checked() {
  static std::set<std::string>& checked = *new std::set<std::string>();
  return checked;
}

// Returns the prediction that the graph's loss reads, whose number of classes bounds the labels;
// kNoTensor if the graph has no loss.
TensorId PredictionOfLoss(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.op == kLoss) return node.inputs[0];
  }
  return kNoTensor;
}

// Compares the built derivatives, as the reference and as the plan computed them, with those of
// DerivativesByTape().
void ExpectDerivativesAgree(const Graph& graph, const Leaves& leaves, TensorId y,
                            const BuiltDerivatives& built, const PlanValues& found,
                            const ReferenceEvaluator<double>& reference, Conditioning& conditioning,
                            const AgreementOptions& options) {
  const Derivatives truth =
      DerivativesByTape(graph, leaves, y, built.cotangent, built.with_respect_to, built.tangents);
  const auto expect = [&](const std::string& kind, const std::string& what, TensorId derivative,
                          const Values& expected, double rule_tolerance, double tolerance,
                          double largest) {
    if (derivative == kNoTensor) {
      EXPECT_TRUE(std::all_of(expected.begin(), expected.end(), [](double g) { return g == 0; }))
          << kind << " of " << what << ": none was built";
      return;
    }
    const double least = options.shake > 0 ? kLeastScale * tolerance * largest : 0;
    ExpectNear(absl::StrCat("rules, ", kind, " of ", what), reference.values(derivative), expected,
               rule_tolerance, false,
               [&] { return kDoubleOfShake * (conditioning.Allowance(derivative) + least); });
    ExpectNear(absl::StrCat("plan, ", kind, " of ", what), found.results.at(derivative), expected,
               tolerance, options.by_norm,
               [&] { return conditioning.Allowance(derivative) + least; });
  };
  expect("tangent", NameOf(graph, y), built.along[0], truth.tangent, options.rule_tolerance,
         options.gradient_tolerance, LargestOf({truth.tangent}, options.by_norm));
  for (size_t i = 0; i < built.with_respect_to.size(); ++i) {
    const std::string what = NameOf(graph, built.with_respect_to[i]);
    expect("gradient", what, built.gradients[i], truth.gradient[i], options.rule_tolerance,
           options.gradient_tolerance, LargestOf(truth.gradient, options.by_norm));
    if (!options.second_derivatives) continue;
    // The terms of a Hessian product are larger and cancel, so its tolerance is larger.
    expect("Hessian product", what, built.products[i], truth.hessian_product[i],
           10 * options.rule_tolerance, options.hessian_tolerance,
           LargestOf(truth.hessian_product, options.by_norm));
  }
}

}  // namespace

const std::set<std::string>& CheckedOperations() { return Checked(); }

AgreementOptions InBf16() {
  return {.precision = ElementType::kBf16,
          .by_norm = true,
          .forward_tolerance = 0.02,
          .gradient_tolerance = 0.05,
          .second_derivatives = false};
}

void ExpectPlanAgrees(Graph& graph, TensorId y, const AgreementOptions& options) {
  const BuiltDerivatives built = BuildDerivatives(graph, y, options);
  // The reference cannot draw dropout masks, so it gets the masks that the plan has drawn.
  std::vector<TensorId> results = {y};
  for (const auto* derivatives : {&built.gradients, &built.along, &built.products}) {
    std::copy_if(derivatives->begin(), derivatives->end(), std::back_inserter(results),
                 [](TensorId t) { return t != kNoTensor; });
  }
  const size_t checked = results.size();
  for (const Node& node : graph.nodes()) {
    if (node.op == kDropoutMask) results.push_back(node.outputs[0]);
  }
  Leaves leaves = RandomLeaves(graph, PredictionOfLoss(graph), options.seed);
  const PlanValues found = RunPlan(graph, leaves, results, options);
  if (found.results.empty()) return;
  for (size_t i = checked; i < results.size(); ++i)
    leaves.values[results[i]] = found.results.at(results[i]);

  ReferenceEvaluator<double> reference(graph);
  GiveAll(leaves, reference);
  results.resize(checked);
  for (const StateUpdate& update : graph.state_updates()) results.push_back(update.value);
  const absl::Status status = reference.Compute(results);
  ASSERT_TRUE(status.ok()) << status;
  Conditioning conditioning(graph, leaves, results, reference, options);
  for (const Node& node : graph.nodes()) Checked().insert(node.op->name());
  ExpectNear(absl::StrCat("plan, forward ", NameOf(graph, y)), found.results.at(y),
             reference.values(y), options.forward_tolerance, options.by_norm,
             [&] { return conditioning.Allowance(y); });
  for (const StateUpdate& update : graph.state_updates()) {
    ExpectNear(absl::StrCat("plan, state ", NameOf(graph, update.state)),
               found.states.at(graph.tensor(update.state).name), reference.values(update.value),
               options.forward_tolerance, options.by_norm,
               [&] { return conditioning.Allowance(update.value); });
  }
  if (options.derivatives)
    ExpectDerivativesAgree(graph, leaves, y, built, found, reference, conditioning, options);
}

}  // namespace cotangent::layers
