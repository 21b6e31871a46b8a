// Builds the graph of operations that a network text (the .textproto file that describes a network,
// network.proto) stands for.
#ifndef COTANGENT_LAYERS_NETWORK_BUILD_H_
#define COTANGENT_LAYERS_NETWORK_BUILD_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "layers/network/built_network.h"
#include "layers/network/limits.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Builds the graph of a network that ParseNetwork() has read. An error about a layer names the
// layer, its place in the text (file:line:column), what was found and what was expected; an error
// about a field names the field. Examples of errors (InvalidArgument): sizes that are zero,
// negative or beyond the limits of limits.h, shapes that do not fit, a kernel larger than its
// input, the name of an input that does not exist, a cycle, two layers of the same name, a result
// that nothing reads, an error in a formula, or training settings that make no sense.
absl::StatusOr<BuiltNetwork> Build(const Network& network, const BuildOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILD_H_
