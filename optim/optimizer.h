#ifndef COTANGENT_OPTIM_OPTIMIZER_H_
#define COTANGENT_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/optimizer.pb.h"
#include "optim/parameter_slice.h"
#include "optim/run_length.h"

namespace cotangent::optim {

// One piece of the optimizer's state, such as the momentum of one parameter.
struct StateSlice {
  std::string name;       // the parameter's name and the kind of state: "conv1.weight/momentum"
  int64_t parameter = 0;  // index of the ParameterSlice given to Create()
  int64_t offset = 0;     // in State(), in floats
  int64_t size = 0;
};

// The ranks that train one network together: processes that all make the same steps from the same
// gradients.
struct OptimizerRanks {
  int ranks = 1, rank = 0;
  // Begins to replace `numbers` on this rank by the `numbers` of rank `from`. All ranks make the
  // same calls in the same order.
  std::function<void(absl::Span<float> numbers, int from)> begin_broadcast;
  // Waits until all broadcasts that have begun are complete.
  std::function<void()> finish_broadcasts;
};

// Updates all parameters of a network from their gradients. Parameters lie in one flat buffer,
// gradients in another of the same layout. The optimizer's state is a third flat buffer: momenta;
// running sums or means of squared gradients; the slow weights of Lookahead, a second copy of the
// parameters that follows them every few steps; moving averages of the parameters. Its pieces have
// names, so that a checkpoint can hold it. The caller counts the steps, so nothing else needs
// saving.
//
//   auto optimizer = Optimizer::Create(recipe.optimizer(), slices, {steps_per_epoch, total_steps});
//   (*optimizer)->Initialise(parameters);            // or: fill State() from a checkpoint
//   for (int64_t step = 0; step < total_steps; ++step) {
//     ... gradients of the batch ...
//     if (!(*optimizer)->Step(parameters, gradients, step)) {
//       ... report (*optimizer)->FindNonFinite(gradients) ...
//     }
//   }
class Optimizer {
 public:
  // Makes the optimizer that `config`, called the recipe below, describes. Errors (InvalidArgument)
  // name the field, what was found and what is allowed. Examples: a learning rate that is negative
  // or not a number; a momentum outside [0, 1); a pattern that matches no parameter (the message
  // lists their names); a rule for matrices (rules/rule.h) for a parameter of fewer than two
  // dimensions; slices that overlap or whose size is not that of their shape; lengths that do not
  // fit the run. `bf16` allows the largest matrix products of such rules to round to bf16, as the
  // network's own products do.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const OptimizerConfig& config,
                                                           absl::Span<const ParameterSlice> slices,
                                                           const RunLength& run, bool bf16 = false);
  // Returns the error that Create() would return, except for a lack of memory, without allocating
  // the state.
  static absl::Status Check(const OptimizerConfig& config, absl::Span<const ParameterSlice> slices,
                            const RunLength& run);
  virtual ~Optimizer() = default;

  // Sets the state to what it is before the first step. Slow weights and moving averages start as
  // `parameters`.
  virtual void Initialise(const float* parameters) = 0;

  // Updates `parameters` in place; `step` counts from 0. If a gradient of any parameter being
  // updated is infinite or NaN, changes nothing and returns false. Allocates nothing. Results do
  // not depend on timing: two runs with the same number of threads give the same bits.
  virtual bool Step(float* parameters, const float* gradients, int64_t step) = 0;

  // The work that ShareOut() can divide among ranks, and what dividing it costs: the multiply-adds
  // of all updates by rules for matrices in a step, and the bytes of the parameters that the ranks
  // then send each other. Both are 0 if no rule updates matrices.
  struct MatrixWork {
    double multiply_adds = 0;
    int64_t bytes = 0;
  };
  virtual MatrixWork WorkOnMatrices() const = 0;
  // Divides the matrices (the parameters that rules for matrices update) among ranks, each as a
  // whole, so that all ranks have about the same work. From then on all ranks must call Step();
  // each updates only its own matrices and receives the other matrices' parameters from their
  // ranks. All parameters are the same as without the division, but until GatherState() the state
  // of a matrix is only right on the rank that updates it.
  virtual void ShareOut(const OptimizerRanks& ranks) = 0;
  // Sends the state of every matrix from the rank that updates it to all other ranks. All ranks
  // must call it.
  virtual void GatherState() = 0;

  // Returns the name of the first parameter, in the order of the slices given to Create(), whose
  // gradient has an infinity or a NaN. Ignores parameters that are frozen from the start or not
  // trainable. Returns nullopt if there is none.
  virtual std::optional<std::string> FindNonFinite(const float* gradients) const = 0;

  // Returns the Euclidean norm, before clipping, of the gradient of all parameters that the last
  // Step() was to update. Returns nullopt unless the recipe sets clip_norm, and before the first
  // Step().
  virtual std::optional<double> GradientNorm() const = 0;

  // Returns the parameters that evaluation should use: their moving average if there is one,
  // otherwise `parameters`. Parameters that are never trained are those of `parameters`. Valid
  // until the next Step().
  virtual const float* EvaluationParameters(const float* parameters) = 0;

  // State() returns the flat buffer of the optimizer's state, StateSlices() its pieces in order of
  // offset. There may be padding between pieces.
  virtual absl::Span<float> State() = 0;
  virtual absl::Span<const StateSlice> StateSlices() const = 0;

  // Returns the number of groups of parameters. Group 0 has the parameters that no Group of the
  // recipe matches; group i + 1 belongs to the recipe's Group number i, counted from 0.
  virtual int GroupCount() const = 0;
  // Returns the group's patterns, separated by spaces; "rank" and its numbers of dimensions if it
  // has no pattern; "default" for group 0.
  virtual const std::string& GroupName(int group) const = 0;
  // Returns the group of the ParameterSlice with index `parameter` (from 0) among those given to
  // Create().
  virtual int GroupOf(int64_t parameter) const = 0;
  // Returns the learning rate of a group at `step`; 0 once the group is frozen.
  virtual double LearningRate(int64_t step, int group = 0) const = 0;

  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  // Returns the first step from which on the ParameterSlice with index `parameter` is not updated:
  // 0 if it is frozen from the start or not trainable, kNever for most. From that step on its
  // gradient is not read and need not be computed.
  virtual int64_t FreezeStep(int64_t parameter) const = 0;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_OPTIMIZER_H_
