// From a network text to the graph of its operations.
#ifndef COTANGENT_LAYERS_NETWORK_BUILD_H_
#define COTANGENT_LAYERS_NETWORK_BUILD_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "layers/network/built_network.h"
#include "layers/network/limits.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// The graph of a network that ParseNetwork() read. Every error is an InvalidArgument and names the
// place in the text, the layer, what was found and what was expected: sizes that are negative, zero
// or absurd, shapes that do not fit, a kernel larger than its input, an input that names nothing, a
// cycle, two layers of one name, a result nobody reads, a formula with an error, a recipe that
// makes no sense.
absl::StatusOr<BuiltNetwork> Build(const Network& network, const BuildOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILD_H_
