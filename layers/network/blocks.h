// Reads a network text (the .textproto file that describes a network, network.proto) and expands
// its blocks. A block is a group of layers that is defined once and inserted by its name.
#ifndef COTANGENT_LAYERS_NETWORK_BLOCKS_H_
#define COTANGENT_LAYERS_NETWORK_BLOCKS_H_

#include "absl/status/statusor.h"
#include "layers/network/network.pb.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// Parses the text and replaces every `use` of a block by a sequence of the block's layers.
absl::StatusOr<Network> ReadNetwork(const Source& source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BLOCKS_H_
