// What a recipe asks of an optimizer, checked: its groups of parameters, each with a rule and a
// schedule of its own.
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
  double multiplier = 1;  // of the learning rate
  Schedule schedule;
  int64_t freeze_step = Optimizer::kNever;  // the first that does not update it
};

struct CheckedGroups {
  std::vector<ParameterGroup> groups;  // the first holds what no Group of the recipe claims
  std::vector<int> group_of;           // by slice
};

// Errors name the field of the recipe, or the parameter, that is wrong. bf16: as Optimizer::Create
// has it.
absl::StatusOr<CheckedGroups> MakeGroups(const OptimizerConfig& config,
                                         absl::Span<const ParameterSlice> slices,
                                         const RunLength& run, bool bf16);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_CHECKED_GROUPS_H_
