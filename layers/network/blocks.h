// Reads a network text and expands its blocks: parts that are defined once and used by name.
#ifndef COTANGENT_LAYERS_NETWORK_BLOCKS_H_
#define COTANGENT_LAYERS_NETWORK_BLOCKS_H_

#include "absl/status/statusor.h"
#include "layers/network/network.pb.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// Parses the text; every `use` of a block is replaced by a sequence of the block's layers.
absl::StatusOr<Network> ReadNetwork(const Source& source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BLOCKS_H_
