// Checks the training settings ("recipe") of a network text, the .textproto file that describes a
// network, before any training.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include "absl/status/status.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Checks the numbers in the field `train` except those of the optimizer: sizes, augmentation,
// evaluation, normalisation.
absl::Status CheckRecipe(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
