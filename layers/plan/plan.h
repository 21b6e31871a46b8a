// A graph compiled for this machine. All decisions are made before the first batch; running only
// executes them.
//
// Compile() moves poolings into the convolutions that can do them (pooling.h), fuses the rest of
// the graph into passes (loops over memory that compute several operations, fusion.h), measures the
// candidates for each convolution (tuner.h), and picks the implementations and memory layouts that
// are fastest together (assign.h). It then compiles the passes, places all tensors in one block of
// memory (the arena) according to their lifetimes, and fixes every address. Run() allocates
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
  bool exact = false;                         // true: no Winograd convolutions (less accurate)
  int threads = 1;
  uint64_t seed = 0;  // seed of dropout masks
  PlanRanks ranks;
  // True, for inference: the parameters do not change unless the caller says so by
  // ParametersChanged(). Only the first Run(), and the first one after ParametersChanged(), packs
  // weights that are parameters, that is, copies them into the order in which the implementation
  // reads them.
  bool constant_parameters = false;
  // If true, an input that only convolutions read, such as images, has the layout and element type
  // that the first of them reads, provided that these are NCHW or NHWC in f32 or bf16; the caller
  // must ask for Plan::input_format(). All other inputs, or all if false, are written as input()
  // says.
  bool inputs_as_read = false;
  // Which forward results are recomputed for the gradients instead of kept (recompute.h; without
  // effect if the graph has no gradients), and the largest size of the arena in bytes (0: no
  // limit).
  Recompute recompute = Recompute::kNever;
  int64_t most_arena_bytes = 0;
  // Implementations chosen before, by layer and direction ("conv1 forward" ->
  // ConvolutionChoice::ToString()). A convolution named here is not measured, unless the
  // implementation does not exist on this machine.
  absl::flat_hash_map<std::string, std::string> choices;
};

// A tensor whose value can be read after Run(). If `destination` is not null, the value is written
// there as row-major f32; otherwise the arena keeps the value.
struct PlanResult {
  TensorId tensor;
  float* destination = nullptr;
};

class Plan {
 public:
  // Describes an operation of the plan, for `--explain` and traces.
  struct Description {
    std::string name;  // names of the layers that it belongs to
    std::string kind;  // "convolution forward", "pass", ...
    std::string implementation;
    std::string formats;  // "nhwc/bf16 -> nChw16c/bf16"
    double flops = 0;     // floating-point operations of one run; 0 except for convolutions
    double bytes = 0;     // that one run reads and writes, approximately
  };

  // Compiles a copy of the graph. `store` must outlive the plan; it must contain the parameters and
  // states of the graph, by name. At the end of each Run() the plan carries out the graph's state
  // updates. Returns OutOfRange if the arena cannot be made as small as most_arena_bytes; the
  // message names the smallest size that was found and the operation that needs most. Returns
  // Cancelled if the tuner is cancelled (TunerWatch::cancelled).
  static absl::StatusOr<std::unique_ptr<Plan>> Compile(const Graph& graph,
                                                       const std::vector<PlanResult>& results,
                                                       ParameterStore& store, Tuner& tuner,
                                                       const PlanOptions& options);
  virtual ~Plan() = default;

  // Returns the address to which the caller must write an input before Run(): images and other
  // numbers as f32, row-major (images in NCHW), or, with PlanOptions::inputs_as_read, in
  // input_format(); labels as int32. An input has memory even if no result depends on it.
  virtual void* input(TensorId input) = 0;
  virtual Format input_format(TensorId input) const = 0;
  // Runs the whole plan. `step`, the number of the training step, seeds the dropout masks.
  virtual void Run(int64_t step) = 0;
  // Sets a function that Run() calls after each operation, with the operation's index in
  // Describe(). The function lets callers use a result before the run has ended, for example to
  // send gradients to other ranks (the processes that share each batch).
  virtual void CallAfterOperations(std::function<void(size_t operation)> call) = 0;
  // Returns the index in Describe() of the last operation that writes or reads a result with a
  // destination (of the plan's last operation for any other tensor). After that operation, the
  // destination holds the final value, and the caller may change it.
  virtual size_t LastOperationOf(TensorId result) const = 0;
  // Returns the address of a result, valid after Run(); row-major f32.
  virtual const float* result(TensorId tensor) const = 0;
  // Must be called when parameters change although constant_parameters is true. The next Run() then
  // packs the weights again.
  virtual void ParametersChanged() = 0;

  virtual int64_t arena_bytes() const = 0;
  virtual std::vector<Description> Describe() const = 0;
  // After EnableTiming(), Run() measures how long each operation takes. seconds() returns the times
  // of the last Run() in seconds, in the order of Describe(); it is empty before EnableTiming().
  virtual void EnableTiming() = 0;
  virtual const std::vector<double>& seconds() const = 0;
  // Runs the single operation with this index in Describe(), as if in step 0, to time it alone. The
  // operation works on whatever the last Run() left in memory.
  virtual void RunAlone(size_t operation) = 0;
  // Returns the implementations of convolutions in use, by layer and direction. They can be stored
  // with a checkpoint and passed to a later plan as PlanOptions::choices.
  virtual absl::flat_hash_map<std::string, std::string> choices() const = 0;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PLAN_H_
