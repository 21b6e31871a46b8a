// The images a network is trained with.
#ifndef COTANGENT_TRAINING_SOURCE_H_
#define COTANGENT_TRAINING_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/sources/source.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

// The size and channels that a network's input asks of pictures, and how they are fitted to it. Bad
// pictures are errors; one thread reads.
data::FitOptions FitOptionsOf(const layers::Network& network);

// The source that `text`, a --dataset, names: its pictures, if they are of any size, brought to the
// network's input as `fit` (whose shape is the network's) says; validation images set apart where
// the recipe asks for them and the source has none. An error for an input of more channels or
// pixels than pictures can have.
absl::StatusOr<std::shared_ptr<const data::Source>> OpenSource(const layers::Network& network,
                                                               const std::string& text,
                                                               const data::FitOptions& fit);

// What is evaluated while training: validation images, else test images, else training images.
data::Split WatchedSplit(const data::Source& source);

// "training", "validation" or "test".
absl::string_view NameOf(data::Split split);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_SOURCE_H_
