// Holds compiled plans against the reference evaluator, for tests.
//
//   Graph graph;
//   const TensorId x = graph.Input("x", {2, 3, 8, 8});
//   ... y ...
//   ExpectPlanAgrees(graph, y);
//
// All leaves get fixed random values; y gets a random cotangent, unless it is a scalar.
#ifndef COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_
#define COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_

#include <cstdint>
#include <set>
#include <string>

#include "base/element_type.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): numbers
// a test can count on.
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
  // In [-1, 1): a multiple of 2^-23, so exact in f32.
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
  // Errors are the largest relative to the largest magnitude of the tensor or, with `by_norm`, the
  // Euclidean norm of all relative to that of the tensor.
  bool by_norm = false;
  double forward_tolerance = 1e-5;
  double gradient_tolerance = 1e-4;  // of the plan's
  double hessian_tolerance = 1e-3;   // of the plan's Hessian-vector product
  double rule_tolerance = 1e-10;     // of the rules of vjp.h and jvp.h, in double
  bool second_derivatives = true;
  // Where > 0: what changes by D when every leaf and every intermediate value changes at random by
  // this, relative to itself, may be off by kShakes D besides. What is ill-conditioned is not judged
  // by what only luck could give.
  double shake = 0;
};
inline constexpr double kShakes = 16;

// Fails the running test where one of these does not hold:
//   * y and the new values of states, computed by a plan, are those of the reference in double;
//   * the gradient that vjp.h builds, y's derivative along a random direction that jvp.h builds and
//     the gradient's, which is the Hessian-vector product, computed by the reference in double, are
//     those of the reference's own forward over reverse mode;
//   * the same computed by a plan are so too.
// Adds the derivatives' operations to the graph.
void ExpectPlanAgrees(Graph& graph, TensorId y, const AgreementOptions& options = {});

// The names of all operations that ExpectPlanAgrees() has checked in this program.
const std::set<std::string>& CheckedOperations();

// The same in bf16, to bf16's accuracy: by norm, since rounding makes other elements the largest of
// their window.
AgreementOptions InBf16();

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PLAN_TESTING_H_
