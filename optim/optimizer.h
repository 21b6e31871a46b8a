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

// One piece of the optimizer's state, for one parameter.
struct StateSlice {
  std::string name;       // the parameter's, then what it is: "conv1.weight/momentum"
  int64_t parameter = 0;  // index of the ParameterSlice; its shape is this one's too
  int64_t offset = 0;     // in State()
  int64_t size = 0;
};

// Processes that make the same steps by the same gradients.
struct OptimizerRanks {
  int ranks = 1, rank = 0;
  // Begins to overwrite `numbers` with those of rank `from`. All ranks make the same calls in the
  // same order.
  std::function<void(absl::Span<float> numbers, int from)> begin_broadcast;
  // Waits for all that have begun.
  std::function<void()> finish_broadcasts;
};

// Updates all parameters of a network, kept in one flat buffer, from their gradients, kept in
// another. The whole state (momenta, running squares, slow weights, averages) is a third flat
// buffer whose pieces have names, so that a checkpoint can hold it; steps are counted by the
// caller, so that nothing else needs saving.
//
//   auto optimizer = Optimizer::Create(recipe.optimizer(), slices, {steps_per_epoch, total_steps});
//   (*optimizer)->Initialise(parameters);            // or: fill State() from a checkpoint
//   for (int64_t step = 0; step < total_steps; ++step) {
//     ... gradients of the batch ...
//     if (!(*optimizer)->Step(parameters, gradients, step)) ... name
//     (*optimizer)->FindNonFinite(gradients) ...
//   }
class Optimizer {
 public:
  // Errors (InvalidArgument) name the field, what was found and what is allowed: a learning rate
  // that is negative or not a number, a momentum outside [0, 1), a pattern that fits no parameter
  // (with the names there are), Muon for a parameter of one dimension, slices that overlap or whose
  // size is not their shape's, lengths that do not fit the run.
  // `bf16`: Muon's long products may round to bf16 (orthogonalise.h), as the network's own do.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const OptimizerConfig& config,
                                                           absl::Span<const ParameterSlice> slices,
                                                           const RunLength& run, bool bf16 = false);
  // The errors of Create(), without the memory that the state takes.
  static absl::Status Check(const OptimizerConfig& config, absl::Span<const ParameterSlice> slices,
                            const RunLength& run);
  virtual ~Optimizer() = default;

  // Puts the state where it is before the first step; slow weights and moving averages start as
  // `parameters`.
  virtual void Initialise(const float* parameters) = 0;

  // Makes update number `step`, counted from 0, in place. Returns false, and changes nothing, when
  // the gradient of any parameter being updated is infinite or not a number. Does not allocate.
  // Results do not depend on timing; two runs with as many threads give the same bits.
  virtual bool Step(float* parameters, const float* gradients, int64_t step) = 0;

  // How much sharing out matrices would save, and cost: multiply-adds of a step's matrix updates
  // (those of Muon), and the bytes of their parameters. 0 where no rule is of matrices.
  struct MatrixWork {
    double multiply_adds = 0;
    int64_t bytes = 0;
  };
  virtual MatrixWork WorkOnMatrices() const = 0;
  // From now on Step() is called on all ranks, and each updates only matrices of its own, as equal
  // an amount of work as whole matrices allow, and gets the others' parameters from their ranks.
  // All parameters are as ever; the state of a matrix is only right on the rank that has it, until
  // GatherState().
  virtual void ShareOut(const OptimizerRanks& ranks) = 0;
  // Brings the state of all matrices to all ranks, which all call it.
  virtual void GatherState() = 0;

  // The name of the first trainable parameter with a gradient that is infinite or not a number.
  virtual std::optional<std::string> FindNonFinite(const float* gradients) const = 0;

  // The Euclidean norm of the gradient before clipping, at the last Step; only known where
  // clip_norm is set.
  virtual std::optional<double> GradientNorm() const = 0;

  // What evaluation should use: the moving average where there is one, else `parameters` itself.
  // Untrainable entries are those of `parameters`. Laid out as the parameters; good until the next
  // call of Step.
  virtual const float* EvaluationParameters(const float* parameters) = 0;

  // The state and its pieces, in order of offset. Between pieces there may be padding.
  virtual absl::Span<float> State() = 0;
  virtual absl::Span<const StateSlice> StateSlices() const = 0;

  // Group 0 holds what no Group of the recipe claims; group i + 1 is the recipe's i-th.
  virtual int GroupCount() const = 0;
  // The group's patterns, joined; "default" for group 0.
  virtual const std::string& GroupName(int group) const = 0;
  // The group of slice number `parameter`, as given to Create.
  virtual int GroupOf(int64_t parameter) const = 0;
  // The learning rate of `step`.
  virtual double LearningRate(int64_t step, int group = 0) const = 0;

  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  // The first step that does not update slice number `parameter`, nor any step after it: 0 for one
  // that is frozen or not trainable, kNever for most. Its gradient is not read from then on and
  // need not be computed.
  virtual int64_t FreezeStep(int64_t parameter) const = 0;
};

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_OPTIMIZER_H_
