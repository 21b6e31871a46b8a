#ifndef COTANGENT_LAYERS_NETWORK_DESCRIBE_H_
#define COTANGENT_LAYERS_NETWORK_DESCRIBE_H_

#include <string>

#include "layers/network/build.h"

namespace cotangent::layers {

// A network as a table of aligned text: of each layer its name, kind, result for one image, number
// of parameters, multiply-adds of one image forward, and the memory of its result for the batch in
// f32; then the totals. What the training step really keeps is less: results share memory and fused
// layers have none.
std::string Describe(const BuiltNetwork& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_DESCRIBE_H_
