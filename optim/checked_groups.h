// Checks the optimizer's part of a recipe (a text file that describes a training run), and divides
// the network's parameters into groups, each with its own update rule and schedule.
#ifndef COTANGENT_OPTIM_CHECKED_GROUPS_H_
#define COTANGENT_OPTIM_CHECKED_GROUPS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/optimizer.h"
#include "optim/rules/rule.h"
#include "optim/schedule.h"

namespace cotangent::optim {

struct ParameterGroup {
  std::string name;
  std::unique_ptr<UpdateRule> rule;
  double multiplier = 1;  // the learning rate of rule and schedule is multiplied by this
  Schedule schedule;
  int64_t freeze_step = Optimizer::kNever;  // the first step (from 0) without an update
};

struct CheckedGroups {
  std::vector<ParameterGroup> groups;  // groups[0]: parameters that no Group of the recipe matches
  std::vector<int> group_of;           // for each parameter (of `slices`): an index into `groups`
};

// Makes the groups that `config` describes. An error names the field of the recipe or the parameter
// that is wrong. `bf16` allows rules for matrices (rules/rule.h) to round the factors of their
// largest matrix products to bf16.
absl::StatusOr<CheckedGroups> MakeGroups(const OptimizerConfig& config,
                                         absl::Span<const ParameterSlice> slices,
                                         const RunLength& run, bool bf16);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_CHECKED_GROUPS_H_
