// Reads the precision (f32 or bf16) of a program's computation from flags and from the recipe, and
// tells the user if the processor does not have it.
#ifndef COTANGENT_TOOLS_PRECISION_H_
#define COTANGENT_TOOLS_PRECISION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/element_type.h"
#include "layers/network/network.pb.h"

namespace cotangent::tools {

// Returns the element type that --FLAG=VALUE names: f32 or bf16.
absl::StatusOr<ElementType> ParsePrecision(absl::string_view flag, const std::string& value);

// Writes the value of --precision into the recipe (the network text's settings of the training).
// Returns an error if it is neither f32 nor bf16.
absl::Status SetPrecision(const std::string& value, layers::Network& network);

// Returns the precision that the recipe names, or f32 if that is bf16 and the processor has no bf16
// arithmetic (training::PrecisionOf()); the latter case is reported on standard error.
ElementType PrecisionToUse(const layers::Network& network);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_PRECISION_H_
