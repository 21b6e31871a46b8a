// Whether a recipe of training makes sense, before anything is trained by it.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include "absl/status/status.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// The numbers of `train` other than the optimizer's: sizes, augmentation, normalisation.
absl::Status CheckRecipe(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
