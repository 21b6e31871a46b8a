#ifndef COTANGENT_OPTIM_RULES_RULE_H_
#define COTANGENT_OPTIM_RULES_RULE_H_

// What an update rule is. Each rule is one file beside this one: its settings (a message of
// optimizer.proto) and their checks, the state it keeps, its loop over the parameters, and a line
//
//   COTANGENT_UPDATE_RULE(SgdRule);
//
// that makes it known. Nothing else names a rule. `sgd.cc` is the one to read first.

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
#include "google/protobuf/message.h"
#include "optim/optimizer.pb.h"

namespace cotangent::optim {

// Rules update at most this many parameters a call: what one pass leaves in the second-level cache
// (parameters, gradients and state, 32 KiB each) is still there for what follows it (slow weights,
// averages), and handing the pieces out to threads costs nothing beside the work.
constexpr int64_t kUpdateChunk = 8192;

// `size` parameters w, their gradients g, and the pieces of state that belong to them, in the order
// of UpdateRule::state_names.
struct UpdateRange {
  float* parameters;
  const float* gradients;
  float* state[3];
  int64_t size;
};

// Gradient clipping: what every loop does to a gradient first.
struct Clipping {
  float scale = 1;
  float bound = std::numeric_limits<float>::infinity();
};

// g as the rules see it: scaled, then clamped to [-bound, bound], then with decay w added.
COTANGENT_INLINE float Gradient(float g, float w, const Clipping& clipping, float decay) {
  g *= clipping.scale;
  g = g > clipping.bound ? clipping.bound : g;
  g = g < -clipping.bound ? -clipping.bound : g;
  return g + decay * w;
}

// What a rule is told of a step before it updates any parameter.
struct StepInput {
  int64_t step;          // from 0
  double learning_rate;  // after groups and schedule
  Clipping clipping;
};

// What a rule is made for.
struct RuleContext {
  InstructionSet instructions = WidestInstructionSet();
  bool bf16 = false;  // long matrix products may round to bf16
};

class MatrixRule;

// A rule with its settings. It works entry by entry and rounds after every operation, so that
// neither the instruction set nor how a buffer is cut into ranges changes a bit of the result.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  // Computes what is the same for all parameters of the step.
  virtual void BeginStep(const StepInput& input) = 0;
  // Updates a range of at most kUpdateChunk parameters. Thread-safe between calls of BeginStep.
  virtual void Update(const UpdateRange& range) const = 0;
  // This rule, if it updates whole matrices and not ranges.
  virtual const MatrixRule* AsMatrixRule() const { return nullptr; }

  std::string name;  // the field of OptimizerConfig that chooses the rule: "sgd"
  double learning_rate = 0;
  double weight_decay = 0;
  std::vector<std::string> state_names;  // of the pieces of state, at most three: "momentum"
  double initial_state = 0;              // of every state entry
};

// What a MatrixRule computes with, beside the parameters and their state.
class MatrixScratch {
 public:
  virtual ~MatrixScratch() = default;
};

// A rule that updates each parameter as one matrix [first extent of the shape, product of the
// others]. Parameters with fewer than two dimensions are refused.
class MatrixRule : public UpdateRule {
 public:
  void Update(const UpdateRange&) const final {}
  const MatrixRule* AsMatrixRule() const final { return this; }

  // Multiplications of one update: how work is shared between threads.
  virtual double Multiplications(int64_t rows, int64_t columns) const = 0;
  // For matrices whose shorter side is at most `side` and that have at most `size` entries.
  virtual std::unique_ptr<MatrixScratch> MakeScratch(int64_t side, int64_t size) const = 0;
  // Updates a whole matrix, on all threads if called outside a parallel region.
  virtual void UpdateMatrix(const UpdateRange& matrix, int64_t rows, int64_t columns,
                            MatrixScratch& scratch) const = 0;
};

// Rules that are a loop: `Coefficients` is what the loop multiplies with.
template <typename CoefficientsOfLoop>
class LoopRule : public UpdateRule {
 public:
  using Coefficients = CoefficientsOfLoop;
  void Update(const UpdateRange& range) const final { loop_(range, coefficients_); }

 protected:
  void (*loop_)(const UpdateRange&, const Coefficients&) = nullptr;
  Coefficients coefficients_;
};

// Keeps the first complaint about a rule's settings.
class SettingsChecker {
 public:
  explicit SettingsChecker(std::string place) : place_(std::move(place)) {}

  void NotNegative(double value, absl::string_view field);
  // At least 0 and below 1.
  void Fraction(double value, absl::string_view field);
  void Require(bool holds, absl::string_view field, double value, absl::string_view expected);
  const absl::Status& status() const { return status_; }

 private:
  std::string place_;
  absl::Status status_;
};

// The rule of `config` (without one: sgd {}), its settings checked; errors name the setting under
// `place`.
absl::StatusOr<std::unique_ptr<UpdateRule>> MakeRule(const OptimizerConfig& config,
                                                     absl::string_view place,
                                                     const RuleContext& context = {});

// The rule of `group` of `config`, as an optimizer's text: its own, or the optimizer's with what
// the group replaces.
absl::StatusOr<OptimizerConfig> RuleOfGroup(const OptimizerConfig& config, const Group& group,
                                            absl::string_view place);

// Makes a rule known by the message of its settings. A rule's class has a type `Settings`, that
// message, with the fields learning_rate and weight_decay, and a constructor
// (const Settings&, const RuleContext&, SettingsChecker&).
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
