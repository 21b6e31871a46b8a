// Draws an attribution (attribution.h) as a picture: which pixels raise or lower the score of a
// class.
#ifndef COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
#define COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::training::report {

// Draws the image (bytes [channels, height, width], with 1 or 3 channels) and, to its right, what
// each pixel contributes to the score of the class: `values` [channels, height, width] summed over
// the channels. Red pixels raise the score, blue ones lower it, white ones do not matter. A sum
// whose absolute value is at or above the 99th percentile of all these absolute values (or equal
// to the largest, if that percentile is 0) gets the full colour. Both pictures are enlarged by the
// largest whole factor with which the longer side has at most 256 pixels; larger images are not
// enlarged.
data::Image DrawAttribution(absl::Span<const uint8_t> image, int channels, int height, int width,
                            absl::Span<const double> values);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
