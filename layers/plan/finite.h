// Finds numbers in a network's weights that are not finite.
#ifndef COTANGENT_LAYERS_PLAN_FINITE_H_
#define COTANGENT_LAYERS_PLAN_FINITE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "layers/plan/parameters.h"

namespace cotangent::layers {

// Returns InvalidArgument if a parameter or state has a number that is NaN or infinite. The message
// begins with `source`, where the numbers come from, and names tensor and place.
absl::Status CheckFinite(const ParameterStore& store, absl::string_view source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_FINITE_H_
