// Checks the training settings of a network text before any training.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include "absl/status/status.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Checks the numbers in `train` except those of the optimizer: sizes, augmentation, normalisation.
absl::Status CheckRecipe(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
