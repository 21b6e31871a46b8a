// Compares plans (graphs compiled for this machine, plan.h) with the reference evaluator
// (layers/graph/reference.h), for tests.
//
//   Graph graph;
//   const TensorId x = graph.Input("x", {2, 3, 8, 8});
//   ... y ...
//   ExpectPlanAgrees(graph, y);
//
// All leaves (inputs, parameters, states) get random values that depend only on the seed. y gets a
// random cotangent, unless it is a scalar.
#ifndef COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_
#define COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_

#include <cstdint>
#include <set>
#include <string>

#include "base/element_type.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The random generator SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", 2014). Equal seeds give equal numbers on every machine.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(limit));
  }
  // Returns a number that is uniform in [-1, 1): a multiple of 2^-23, so exactly representable in
  // f32.
  double Uniform() { return static_cast<double>(Next() >> 40) / (1 << 23) - 1; }

 private:
  uint64_t state_;
};

struct AgreementOptions {
  ElementType precision = ElementType::kF32;
  bool exact = true;
  int threads = 1;
  uint64_t seed = 1;
  bool derivatives = true;
  // How the error of a tensor is measured: as the largest deviation, relative to the largest
  // magnitude in the tensor; if `by_norm`, as the Euclidean norm of the deviations, relative to the
  // norm of the tensor. A magnitude or norm below 1e-3 counts as 1e-3.
  bool by_norm = false;
  double forward_tolerance = 1e-5;
  double gradient_tolerance = 1e-4;  // of the gradient that a plan computes
  double hessian_tolerance = 1e-3;   // of the Hessian-vector product that a plan computes
  double rule_tolerance = 1e-10;     // of derivative graphs, in double
  bool second_derivatives = true;
  // If > 0, allows for ill-conditioned results. Let D be the largest change of a result over
  // several random disturbances, each of which changes every leaf and every intermediate value by
  // this relative amount (or by a tiny part of it; the change of the result then counts in
  // proportion). The result may then deviate by kShakes D more than the tolerance.
  double shake = 0;
};
inline constexpr double kShakes = 16;

// Fails the running test unless all of this holds:
//   * y and the new values of states, computed by a plan, agree with the reference in double.
//   * If options.derivatives: the derivative graphs agree with the reference's own differentiation
//     (forward over reverse mode) when the reference computes them in double: the gradient built by
//     vjp.h, the derivative of y along a random direction built by jvp.h, and, if
//     options.second_derivatives, the derivative of the gradient along it, which is the
//     Hessian-vector product.
//   * The same derivative graphs, computed by a plan, agree with the reference's own
//     differentiation too.
// ExpectPlanAgrees() adds the operations of the derivatives to the graph.
void ExpectPlanAgrees(Graph& graph, TensorId y, const AgreementOptions& options = {});

// Returns the names of all operations that ExpectPlanAgrees() has checked so far in this program.
const std::set<std::string>& CheckedOperations();

// Returns options for a plan in bf16: with larger tolerances and without second derivatives. Errors
// are measured by norm, because rounding to bf16 may move a window's maximum to another element.
AgreementOptions InBf16();

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_
