// Blocks of a network text: noted, and put where they are used.
#ifndef COTANGENT_LAYERS_NETWORK_BLOCKS_H_
#define COTANGENT_LAYERS_NETWORK_BLOCKS_H_

#include "absl/status/statusor.h"
#include "layers/network/network.pb.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// The network of a text, every `use` of a block replaced by the sequence it stands for.
absl::StatusOr<Network> ReadNetwork(const Source& source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BLOCKS_H_
