// Checks the training settings ("recipe") of a network text, the .textproto file that describes a
// network, before any training.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include "absl/status/status.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Returns an error unless these fields of `train` are possible: batch_size, epochs, accumulate,
// augmentation.crop, augmentation.cutout, evaluation.every_epochs, evaluation.validation,
// normalisation and stop.patience. The others, such as those of the optimizer, are not checked
// here.
absl::Status CheckRecipe(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
