#include "optim/checked_groups.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "optim/parameter_groups.h"

namespace cotangent::optim {
namespace {

absl::Status CheckSlices(absl::Span<const ParameterSlice> slices) {
  std::vector<const ParameterSlice*> by_offset;
  for (const ParameterSlice& slice : slices) {
    int64_t size = 1;
    for (int64_t extent : slice.shape) size *= extent;
    if (slice.size != size || slice.size <= 0 || slice.offset < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter ", slice.name, " has offset ", slice.offset, ", size ",
                       slice.size, " and shape [", absl::StrJoin(slice.shape, ", "),
                       "]: expected a size that is the product of the shape and above 0"));
    }
    by_offset.push_back(&slice);
  }
  std::sort(by_offset.begin(), by_offset.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const ParameterSlice &before = *by_offset[i - 1], &after = *by_offset[i];
    if (before.offset + before.size > after.offset) {
      return absl::InvalidArgumentError(absl::StrCat("parameters ", before.name, " and ",
                                                     after.name, " overlap in the flat buffer"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckWhole(const OptimizerConfig& config, const RunLength& run) {
  auto bad = [](absl::string_view field, double value, absl::string_view expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.", field, " is ", value, ": expected ", expected));
  };
  auto is_share = [](double x) { return x >= 0 && x < 1; };
  if (run.total_steps <= 0 || run.steps_per_epoch <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("the run has ", run.total_steps, " steps, ",
                                                   run.steps_per_epoch,
                                                   " an epoch: expected at least one of each"));
  }
  if (config.has_clip_norm() && !(config.clip_norm() > 0)) {
    return bad("clip_norm", config.clip_norm(), "a number above 0");
  }
  if (config.has_clip_value() && !(config.clip_value() > 0)) {
    return bad("clip_value", config.clip_value(), "a number above 0");
  }
  if (config.has_lookahead()) {
    const Lookahead& lookahead = config.lookahead();
    if (lookahead.every() <= 0) return bad("lookahead.every", lookahead.every(), "at least 1");
    if (!is_share(lookahead.decay())) {
      return bad("lookahead.decay", lookahead.decay(), "at least 0 and below 1");
    }
    if (!(lookahead.decay_power() >= 0 && std::isfinite(lookahead.decay_power()))) {
      return bad("lookahead.decay_power", lookahead.decay_power(), "a number from 0 upwards");
    }
  }
  if (config.has_ema()) {
    if (!is_share(config.ema().decay())) {
      return bad("ema.decay", config.ema().decay(), "at least 0 and below 1");
    }
    if (config.ema().every() <= 0) return bad("ema.every", config.ema().every(), "at least 1");
  }
  return absl::OkStatus();
}

// Makes the group that `own`, a Group of the recipe (the text that describes training), describes;
// or group 0, of the parameters that no Group matches, if `own` is null. `place` is the path of
// `own` in the recipe, for error messages.
absl::StatusOr<ParameterGroup> MakeGroup(const OptimizerConfig& config, const Group* own,
                                         const RunLength& run, const std::string& place,
                                         bool bf16) {
  ParameterGroup group;
  OptimizerConfig rule_config = config;
  if (own != nullptr) {
    ASSIGN_OR_RETURN(rule_config, RuleOfGroup(config, *own, place));
  }
  ASSIGN_OR_RETURN(group.rule, MakeRule(rule_config, place, {.bf16 = bf16}));

  const bool own_schedule = own != nullptr && own->has_schedule();
  ASSIGN_OR_RETURN(group.schedule,
                   Schedule::Create(own_schedule ? own->schedule() : config.schedule(), run,
                                    absl::StrCat(own_schedule ? place : "optimizer", ".schedule")));

  group.name = "default";
  if (own == nullptr) return group;
  group.name = own->pattern().empty() ? absl::StrCat("rank ", absl::StrJoin(own->rank(), " "))
                                      : absl::StrJoin(own->pattern(), " ");
  group.multiplier = own->learning_rate_multiplier();
  if (!(group.multiplier >= 0 && std::isfinite(group.multiplier))) {
    return absl::InvalidArgumentError(absl::StrCat(place, ".learning_rate_multiplier is ",
                                                   group.multiplier,
                                                   ": expected a number from 0 upwards"));
  }
  if (own->has_freeze_after()) {
    ASSIGN_OR_RETURN(group.freeze_step,
                     StepsOf(own->freeze_after(), run, absl::StrCat(place, ".freeze_after")));
  }
  if (own->frozen()) group.freeze_step = 0;
  return group;
}

absl::Status CheckMatrixShapes(absl::Span<const ParameterSlice> slices,
                               const std::vector<ParameterGroup>& groups,
                               const std::vector<int>& group_of) {
  for (size_t i = 0; i < slices.size(); ++i) {
    const ParameterGroup& group = groups[group_of[i]];
    if (!slices[i].trainable || group.freeze_step == 0) continue;
    if (group.rule->AsMatrixRule() == nullptr || slices[i].shape.size() >= 2) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(group.rule->name, " (group ", group.name, ") was given ", slices[i].name,
                     " of shape [", absl::StrJoin(slices[i].shape, ", "),
                     "]: it updates matrices and filters; give this parameter another rule by a "
                     "group, such as group { rank: 1 sgd {} }"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CheckedGroups> MakeGroups(const OptimizerConfig& config,
                                         absl::Span<const ParameterSlice> slices,
                                         const RunLength& run, bool bf16) {
  if (slices.empty()) {
    return absl::InvalidArgumentError("the network has no parameters: there is nothing to train");
  }
  RETURN_IF_ERROR(CheckSlices(slices));
  RETURN_IF_ERROR(CheckWhole(config, run));

  std::vector<const Group*> recipe_groups;
  for (const Group& group : config.group()) recipe_groups.push_back(&group);
  CheckedGroups made;
  ASSIGN_OR_RETURN(made.group_of, AssignGroups(slices, recipe_groups, "optimizer.group"));
  for (int g = 0; g <= config.group_size(); ++g) {
    const std::string place = g == 0 ? "optimizer" : absl::StrCat("optimizer.group[", g - 1, "]");
    ASSIGN_OR_RETURN(ParameterGroup group,
                     MakeGroup(config, g == 0 ? nullptr : &config.group(g - 1), run, place, bf16));
    made.groups.push_back(std::move(group));
  }
  RETURN_IF_ERROR(CheckMatrixShapes(slices, made.groups, made.group_of));
  return made;
}

}  // namespace cotangent::optim
