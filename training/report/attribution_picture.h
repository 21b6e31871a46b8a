// An attribution as a picture.
#ifndef COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
#define COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_

#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::training::report {

// The image (its bytes [channels, height, width]) and, to its right, what each pixel adds to the
// score, summed over the channels: red what speaks for the class, blue what speaks against it,
// white what does not matter; full colour at the 99th percentile of the sizes. Small images are
// enlarged by whole numbers to about 256 pixels.
data::Image DrawAttribution(absl::Span<const uint8_t> image, int channels, int height, int width,
                            absl::Span<const double> values);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_ATTRIBUTION_PICTURE_H_
