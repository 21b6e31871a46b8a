// Checks the training settings ("recipe") of a network text, the .textproto file that describes a
// network, before any training.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include "absl/status/status.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Returns an error unless the numbers in the field `train` are possible: sizes, augmentation,
// evaluation, normalisation, stop. Those of the optimizer are not checked here.
absl::Status CheckRecipe(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
