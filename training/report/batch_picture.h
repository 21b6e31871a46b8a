// Draws a batch of images as the network receives it.
#ifndef COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_
#define COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/image.h"
#include "layers/network/network.pb.h"
#include "training/recipe.h"

namespace cotangent::training::report {

inline constexpr int64_t kMostImagesOfPicture = 64;

// Draws the first `count` images, at most kMostImagesOfPicture, of `images` [count, channels,
// height, width] in rows, two pixels apart; a row has as many images as the square root of their
// number, rounded up. The normalisation is undone; values outside 0 to 255 are clipped. Images of
// one channel are drawn in grey.
data::Image DrawBatch(const float* images, int64_t count, int64_t channels, int64_t height,
                      int64_t width, const data::Normalisation& normalisation);

struct BatchPicture {
  data::Image image;
  // What the images show: a line for each row of the picture, with the targets of its images from
  // left to right, such as "cat, ship\n".
  std::string targets;
};
// Makes the first batch of training images, augmented and mixed as the recipe (the fields below
// `train` of the text that describes the network) says, and draws it. Returns the errors of reading
// the images and of the recipe.
absl::StatusOr<BatchPicture> DrawFirstBatch(const layers::Network& network, const RunData& data);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_
