#ifndef COTANGENT_OPTIM_RULES_RULE_H_
#define COTANGENT_OPTIM_RULES_RULE_H_

// Update rules. Each has a file in this folder (Adam and AdamW share one), which checks the rule's
// settings (a message of optimizer.proto) and defines the state it keeps and its loop over the
// parameters. A line
//
//   COTANGENT_UPDATE_RULE(SgdRule);
//
// registers the rule SgdRule; no other code names a rule, except that sgd is the default. Read
// sgd.cc first.

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/dispatch.h"
#include "base/settings_checker.h"
#include "google/protobuf/message.h"
#include "optim/optimizer.pb.h"

namespace cotangent::optim {

// The largest number of parameters per call of UpdateRule::Update(). Parameters, gradients and
// state (32 KiB each) then stay in the second-level cache for what follows (the update of
// Lookahead's slow weights and of moving averages), and handing out ranges to threads costs little
// compared with the work.
constexpr int64_t kUpdateChunk = 8192;

// A range of `size` parameters, with their gradients and their pieces of the optimizer's state, one
// for each name in UpdateRule::state_names, in the same order.
struct UpdateRange {
  float* parameters;
  const float* gradients;
  float* state[3];
  int64_t size;
};

// How gradients are clipped: multiplied by `scale`, then clamped to [-bound, bound]. Each rule's
// loop does this first.
struct Clipping {
  float scale = 1;
  float bound = std::numeric_limits<float>::infinity();
};

// Returns the gradient that a rule uses for a parameter w with gradient g: g is scaled, clamped to
// [-bound, bound], and decay * w is added.
COTANGENT_INLINE float Gradient(float g, float w, const Clipping& clipping, float decay) {
  g *= clipping.scale;
  g = g > clipping.bound ? clipping.bound : g;
  g = g < -clipping.bound ? -clipping.bound : g;
  return g + decay * w;
}

// What the optimizer passes to a rule at the beginning of a step: the number of updates before it,
// the learning rate and how gradients are clipped.
struct StepInput {
  // The number of updates made before this one. That is the number of the step, from 0, plus
  // RunLength::updates_ahead.
  int64_t step;
  double learning_rate;  // of the group at this step, by its schedule and multiplier
  Clipping clipping;
};

// The instruction set and the precision for which a rule is made.
struct RuleContext {
  InstructionSet instructions = WidestInstructionSet();
  bool bf16 = false;  // MatrixRule: large products may round to bf16
};

class MatrixRule;

// An update rule with its settings. Rules that update entry by entry round the result of every
// operation, so that neither the instruction set nor the cutting of a buffer into ranges changes
// any bit.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  // Prepares a step: computes the numbers that are the same for all parameters.
  virtual void BeginStep(const StepInput& input) = 0;
  // Updates a range of at most kUpdateChunk parameters. Several threads may call it after
  // BeginStep().
  virtual void Update(const UpdateRange& range) const = 0;
  // Returns this rule if it updates whole matrices, null if it updates ranges.
  virtual const MatrixRule* AsMatrixRule() const { return nullptr; }

  std::string name;  // the field of OptimizerConfig that chooses this rule: "sgd"
  double learning_rate = 0;
  double weight_decay = 0;
  std::vector<std::string> state_names;  // kinds of state kept, at most three: "momentum"
  double initial_state = 0;              // value of every state entry before the first step
};

// Working memory that a MatrixRule needs in addition to parameters and state.
class MatrixScratch {
 public:
  virtual ~MatrixScratch() = default;
};

// A rule that updates each parameter as one matrix [first dimension, product of the others]. The
// optimizer refuses to use it for parameters with fewer than two dimensions.
class MatrixRule : public UpdateRule {
 public:
  void Update(const UpdateRange&) const final {}
  const MatrixRule* AsMatrixRule() const final { return this; }

  // Returns the number of multiplications of one update of a matrix [rows, columns]; the optimizer
  // divides work among threads and ranks by this number.
  virtual double Multiplications(int64_t rows, int64_t columns) const = 0;
  // Makes working memory for matrices whose shorter side is at most `side` and that have at most
  // `size` entries.
  virtual std::unique_ptr<MatrixScratch> MakeScratch(int64_t side, int64_t size) const = 0;
  // Updates a whole matrix; uses all threads unless it is called inside a ParallelFor().
  virtual void UpdateMatrix(const UpdateRange& matrix, int64_t rows, int64_t columns,
                            MatrixScratch& scratch) const = 0;
};

// Base of rules that update all parameters by one loop, the function loop_. The rule's BeginStep()
// sets coefficients_, which the loop reads.
template <typename CoefficientsOfLoop>
class LoopRule : public UpdateRule {
 public:
  using Coefficients = CoefficientsOfLoop;
  void Update(const UpdateRange& range) const final { loop_(range, coefficients_); }

 protected:
  void (*loop_)(const UpdateRange&, const Coefficients&) = nullptr;
  Coefficients coefficients_;
};

// Makes the rule that `config` chooses (sgd {} if none) and checks its settings. Errors name the
// setting by its path in the recipe (the text that describes training), which begins with `place`.
absl::StatusOr<std::unique_ptr<UpdateRule>> MakeRule(const OptimizerConfig& config,
                                                     absl::string_view place,
                                                     const RuleContext& context = {});

// Returns an OptimizerConfig with the rule of `group`: the group's own rule or, if it has none, the
// rule of `config` with the group's learning_rate and weight_decay where these are set. Error: the
// group has a rule of its own and also one of these two fields; `place` is its path in the recipe.
absl::StatusOr<OptimizerConfig> RuleOfGroup(const OptimizerConfig& config, const Group& group,
                                            absl::string_view place);

// Registers a rule under the message of its settings. The rule's class must have a type `Settings`
// (that message, with fields learning_rate and weight_decay) and a constructor (const Settings&,
// const RuleContext&, SettingsChecker&).
class RuleRegistration {
 public:
  using Make = std::unique_ptr<UpdateRule> (*)(const google::protobuf::Message& settings,
                                               const RuleContext& context, SettingsChecker& check);
  RuleRegistration(const google::protobuf::Descriptor* (*settings)(), Make make);
};

template <typename Rule>
std::unique_ptr<UpdateRule> MakeRegisteredRule(const google::protobuf::Message& message,
                                               const RuleContext& context, SettingsChecker& check) {
  const auto& settings = static_cast<const typename Rule::Settings&>(message);
  check.NotNegative(settings.learning_rate(), "learning_rate");
  check.NotNegative(settings.weight_decay(), "weight_decay");
  auto rule = std::make_unique<Rule>(settings, context, check);
  rule->learning_rate = settings.learning_rate();
  rule->weight_decay = settings.weight_decay();
  return rule;
}

#define COTANGENT_UPDATE_RULE(Rule)                               \
  const ::cotangent::optim::RuleRegistration k##Rule##Registered( \
      Rule::Settings::descriptor, ::cotangent::optim::MakeRegisteredRule<Rule>)

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RULES_RULE_H_
