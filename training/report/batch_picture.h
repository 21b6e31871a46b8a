// A batch as the network sees it.
#ifndef COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_
#define COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_

#include <cstdint>

#include "data/dataset.h"
#include "data/image.h"

namespace cotangent::training::report {

inline constexpr int64_t kMostImagesOfPicture = 64;

// The first `count` images of `images` [count, channels, height, width], kMostImagesOfPicture at
// most, side by side in rows of about as many as there are rows, two pixels apart. Normalisation is
// undone, and what lies outside the range of a byte is cut off. One channel is shown grey.
data::Image DrawBatch(const float* images, int64_t count, int64_t channels, int64_t height,
                      int64_t width, const data::Normalization& normalization);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_BATCH_PICTURE_H_
