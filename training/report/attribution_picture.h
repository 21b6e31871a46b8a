// Draws an attribution (attribution.h) as a picture: which pixels raise or lower the score of a
// class.
#ifndef COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
#define COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::training::report {

// Draws the image (bytes [channels, height, width]) and, to its right, what each pixel contributes
// to the score of the class: `values` [channels, height, width] summed over the channels. Red
// pixels raise the score, blue ones lower it, white ones do not matter. Colours are full from the
// 99th percentile of the absolute values on. Small images are enlarged by a whole factor to about
// 256 pixels.
data::Image DrawAttribution(absl::Span<const uint8_t> image, int channels, int height, int width,
                            absl::Span<const double> values);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
