#ifndef COTANGENT_OPTIM_PARAMETER_GROUPS_H_
#define COTANGENT_OPTIM_PARAMETER_GROUPS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "optim/optimizer.pb.h"
#include "optim/parameter_slice.h"

namespace cotangent::optim {

// The group of each parameter: 0, or 1 + the index of the first of `groups` that it fits. Errors: a
// pattern or a rank that fits no parameter, a group that no parameter is left for. `place` is the
// path of the groups' field.
absl::StatusOr<std::vector<int>> AssignGroups(absl::Span<const ParameterSlice> slices,
                                              absl::Span<const Group* const> groups,
                                              absl::string_view place);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_PARAMETER_GROUPS_H_
