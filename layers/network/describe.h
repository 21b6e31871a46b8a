// Prints a network as a table of its layers, for `train --describe`.
#ifndef COTANGENT_LAYERS_NETWORK_DESCRIBE_H_
#define COTANGENT_LAYERS_NETWORK_DESCRIBE_H_

#include <string>

#include "layers/network/build.h"

namespace cotangent::layers {

// Returns the network as a table of aligned text: for each layer its name, kind, shape of the
// result for one image, number of parameters, multiply-adds per image in the forward computation,
// and the memory of its result for the whole batch in f32. The last row has the totals. A training
// step needs less memory for these results than the total, because results share memory and fused
// layers store none.
std::string Describe(const BuiltNetwork& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_DESCRIBE_H_
