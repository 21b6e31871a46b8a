// A graph planned for this machine: every decision is made before the first batch; running only
// executes.
//
// Compile() gives poolings to the convolutions that do them at once (pooling.h), fuses the rest of
// the graph (fusion.h), measures the candidates for each convolution (tuner.h) and picks the
// choices and memory layouts that are fastest as a whole, compiles the fused passes, lays all
// tensors out in one arena by their lifetimes, and binds every address. Run() then allocates
// nothing.
#ifndef COTANGENT_LAYERS_PLAN_PLAN_H_
#define COTANGENT_LAYERS_PLAN_PLAN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"
#include "layers/plan/parameters.h"
#include "layers/plan/ranks.h"
#include "layers/plan/recompute.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {

struct PlanOptions {
  ElementType precision = ElementType::kF32;  // of activations and their gradients: kF32 or kBf16
  bool exact = false;                         // no Winograd
  int threads = 1;
  uint64_t seed = 0;  // of dropout masks
  PlanRanks ranks;
  bool constant_parameters = false;  // inference: weights are packed once, by the first Run()
  // Of a graph with gradients: what is computed again instead of being kept, and bytes that the
  // arena may have (0: no limit).
  Recompute recompute = Recompute::kNever;
  int64_t most_arena_bytes = 0;
  // Choices made before, by layer and direction ("conv1 forward" -> ConvolutionChoice::ToString());
  // taken instead of measuring wherever they name an implementation that exists here.
  absl::flat_hash_map<std::string, std::string> choices;
};

// A tensor whose value is to be had after Run(): kept in `destination` if that is not null (f32,
// plain), else in the arena.
struct PlanResult {
  TensorId tensor;
  float* destination = nullptr;
};

class Plan {
 public:
  // What an operation of the plan is, for `--explain` and traces.
  struct Description {
    std::string name;  // the layers it came from
    std::string kind;  // "convolution forward", "pass", ...
    std::string implementation;
    std::string formats;  // "nhwc/bf16 -> nChw16c/bf16"
    double flops = 0;
    double bytes = 0;
  };

  // Errors: OutOfRange where most_arena_bytes cannot be met, naming what can and the operation that
  // needs most.
  //
  // The graph must outlive the plan, and so must the store, which holds at least the graph's
  // parameters and states by name. State updates of the graph are carried out at the end of each
  // Run().
  static absl::StatusOr<std::unique_ptr<Plan>> Compile(const Graph& graph,
                                                       const std::vector<PlanResult>& results,
                                                       ParameterStore& store, Tuner& tuner,
                                                       const PlanOptions& options);
  virtual ~Plan() = default;

  // Where an input is to be put before Run(): images f32 NCHW, labels int32. Null where no result
  // needs it.
  virtual void* input(TensorId input) = 0;
  // Runs everything. `step` seeds the dropout masks.
  virtual void Run(int64_t step) = 0;
  // Called by Run() after each operation, with its number in Describe(): for what others may do with
  // results that are there before the plan has ended.
  virtual void CallAfterOperations(std::function<void(size_t operation)> call) = 0;
  // The last operation that writes or reads a result which has a destination. After it the numbers
  // there are the result, and may be changed.
  virtual size_t LastOperationOf(TensorId result) const = 0;
  // Where a result lies after Run(); f32, plain.
  virtual const float* result(TensorId tensor) const = 0;
  // What was put aside for constant parameters is made anew by the next Run().
  virtual void ParametersChanged() = 0;

  virtual int64_t arena_bytes() const = 0;
  virtual std::vector<Description> Describe() const = 0;
  // Seconds each operation took in the last Run() after EnableTiming(), in the order of Describe().
  virtual void EnableTiming() = 0;
  virtual const std::vector<double>& seconds() const = 0;
  // Runs one operation of Describe() by itself, on whatever the last Run() left in memory: to time
  // it alone.
  virtual void RunAlone(size_t operation) = 0;
  // The choices in use, to be stored with a checkpoint and given back as PlanOptions::choices.
  virtual absl::flat_hash_map<std::string, std::string> choices() const = 0;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PLAN_H_
