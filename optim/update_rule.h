#ifndef COTANGENT_OPTIM_UPDATE_RULE_H_
#define COTANGENT_OPTIM_UPDATE_RULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "optim/optimizer.pb.h"
#include "optim/update_kernels.h"

namespace cotangent::optim {

// One of the rules of optimizer.proto with its settings checked: which loop over the parameters it
// is, what state it keeps, and what its loop multiplies with at a given step.
struct UpdateRule {
  // Reads the rule of `config` (without one: sgd {}); errors name the setting under `place`.
  static absl::StatusOr<UpdateRule> Create(const OptimizerConfig& config, absl::string_view place);

  // Muon's loop only makes the direction, which then has to be orthogonalised tensor by tensor.
  bool IsMuon() const { return kind == OptimizerConfig::kMuon; }

  // The loop over entries of this rule.
  UpdateKernels::Update Loop(const UpdateKernels& kernels) const;

  // What the loop multiplies with at `step` (from 0) when the learning rate is `rate` (after groups
  // and schedule).
  UpdateCoefficients Coefficients(int64_t step, double rate) const;

  OptimizerConfig::KindCase kind = OptimizerConfig::kSgd;
  double learning_rate = 0;
  double weight_decay = 0;
  bool decoupled = false;  // the decay shrinks the weights instead of joining the gradient
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  double first_decay = 0;   // Adam's beta1; RMSProp's smoothing of the mean gradient
  double second_decay = 0;  // Adam's beta2; RMSProp's smoothing of the squares
  double epsilon = 0;
  bool largest_second = false;
  bool centered = false;
  double learning_rate_decay = 0;
  double initial_state = 0;  // of every state entry
  Muon muon;

  // What each piece of state is called: "momentum", "second_moment".
  std::vector<std::string> state_names;
};

// The rule of `group` of `config`, as an optimizer's text: its own, or the optimizer's with what
// the group replaces.
absl::StatusOr<OptimizerConfig> RuleOfGroup(const OptimizerConfig& config, const Group& group,
                                            absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_UPDATE_RULE_H_
