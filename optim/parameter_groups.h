#ifndef COTANGENT_OPTIM_PARAMETER_GROUPS_H_
#define COTANGENT_OPTIM_PARAMETER_GROUPS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "optim/optimizer.pb.h"
#include "optim/parameter_slice.h"

namespace cotangent::optim {

// Returns the group of each parameter: 1 + the index of the first of `groups` that matches it, or 0
// if none does. A group matches by name patterns, by rank (number of dimensions), or by both.
// Errors: a group with neither; a pattern or a group that matches no parameter; a group whose
// parameters all belong to earlier groups. `place` is the path of the groups' field in the recipe
// (the text that describes training), for errors.
absl::StatusOr<std::vector<int>> AssignGroups(absl::Span<const ParameterSlice> slices,
                                              absl::Span<const Group* const> groups,
                                              absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_PARAMETER_GROUPS_H_
