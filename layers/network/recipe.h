// Checks the training settings ("recipe") of a network text, the .textproto file that describes a
// network, before any training; and numbers in any part of it.
#ifndef COTANGENT_LAYERS_NETWORK_RECIPE_H_
#define COTANGENT_LAYERS_NETWORK_RECIPE_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Returns an error unless these fields of `train` are possible: batch_size, epochs, accumulate,
// augmentation.crop, augmentation.cutout, evaluation.every_epochs, evaluation.validation,
// normalisation and stop.patience; and unless the numbers of all other fields of `train` and `loss`
// lie in the range of 32-bit floats. Nothing else is checked here of the others, such as those of
// the optimizer.
absl::Status CheckRecipe(const Network& network);

// Returns an error unless evaluation.validation is from 0 to less than 1.
absl::Status CheckValidationShare(const Network& network);

// Returns an error that names the field unless every floating-point number in the fields of
// `message` is a normal f32, 0, or not finite (which numbers must be finite, other checks know).
// `path` is the path of the message in the text, empty or with a dot at its end. Layers within the
// message are left out.
absl::Status CheckFloats(const google::protobuf::Message& message, const std::string& path);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_RECIPE_H_
