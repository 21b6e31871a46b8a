#include "training/report/batch_picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/pipeline.h"
#include "training/targets.h"

namespace cotangent::training::report {
namespace {

constexpr int64_t kGap = 2;  // pixels between two images

// Returns what an image of a batch shows, in the order of images.classes: "cat"; "0.70 cat + 0.30
// dog" if images are mixed; "cat + dog" for several labels, "none" without any; "age 1.20 + weight
// -0.40" for numbers, scaled as the network learns them (WriteTargetScale() in training/targets.h).
std::string TargetText(const data::Dataset& images, data::TargetFormat format, const char* target) {
  if (format == data::TargetFormat::kClassNumbers) {
    int32_t label = 0;
    std::memcpy(&label, target, sizeof(label));
    return images.classes[label];
  }
  std::vector<std::string> parts;
  for (size_t k = 0; k < images.classes.size(); ++k) {
    float value = 0;
    std::memcpy(&value, target + k * sizeof(value), sizeof(value));
    if (images.target_kind == TargetKind::kNumbers) {
      parts.push_back(absl::StrFormat("%s %.2f", images.classes[k], value));
    } else if (value != 0) {
      parts.push_back(value == 1 ? images.classes[k]
                                 : absl::StrFormat("%.2f %s", value, images.classes[k]));
    }
  }
  return parts.empty() ? "none" : absl::StrJoin(parts, " + ");
}

}  // namespace

data::Image DrawBatch(const float* images, int64_t count, int64_t channels, int64_t height,
                      int64_t width, const data::Normalisation& normalisation) {
  const int64_t shown = std::clamp<int64_t>(count, 1, kMostImagesOfPicture);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  const int64_t rows = (shown + columns - 1) / columns;
  data::Image picture;
  picture.width = static_cast<int>(columns * (width + kGap) - kGap);
  picture.height = static_cast<int>(rows * (height + kGap) - kGap);
  picture.rgb.assign(int64_t{3} * picture.width * picture.height, 128);
  const int64_t plane = height * width;
  for (int64_t i = 0; i < std::min(shown, count); ++i) {
    const int64_t top = i / columns * (height + kGap), left = i % columns * (width + kGap);
    for (int64_t at = 0; at < plane * 3; ++at) {
      const int64_t colour = at % 3, c = channels == 3 ? colour : 0, pixel = at / 3;
      const double value = images[(i * channels + c) * plane + pixel];
      const double byte = 255 * (value * normalisation.deviation[c] + normalisation.mean[c]);
      const int64_t y = top + pixel / width, x = left + pixel % width;
      // A value that is not a number is drawn black.
      picture.rgb[(y * picture.width + x) * 3 + colour] =
          byte > 0 ? static_cast<uint8_t>(std::lround(std::min(byte, 255.0))) : 0;
    }
  }
  return picture;
}

absl::StatusOr<BatchPicture> DrawFirstBatch(const layers::Network& network, const RunData& data) {
  ASSIGN_OR_RETURN(const data::Dataset images, data.load(data::Split::kTrain));
  ASSIGN_OR_RETURN(const data::Normalisation normalisation, NormalisationOf(network, data, images));
  layers::Network scaled = network;
  WriteTargetScale(images, scaled);
  ASSIGN_OR_RETURN(const data::PipelineOptions batches, PipelineOptionsOf(scaled, normalisation));
  ASSIGN_OR_RETURN(data::BatchMaker maker, data::BatchMaker::Create(&images, batches));
  std::vector<float> batch(maker.image_bytes() / sizeof(float));
  std::vector<char> targets(maker.target_bytes());
  RETURN_IF_ERROR(maker.MakeBatch(0, 0, batch.data(), targets.data()));
  BatchPicture picture;
  picture.image = DrawBatch(batch.data(), maker.SizeOf(0), images.channels, images.height,
                            images.width, normalisation);
  const int64_t columns = (picture.image.width + kGap) / (images.width + kGap);
  const int64_t shown = std::min<int64_t>(maker.SizeOf(0), kMostImagesOfPicture);
  for (int64_t i = 0; i < shown; ++i) {
    absl::StrAppend(
        &picture.targets,
        TargetText(images, batches.targets, targets.data() + i * maker.bytes_of_target()),
        (i + 1) % columns == 0 || i + 1 == shown ? "\n" : ", ");
  }
  return picture;
}

}  // namespace cotangent::training::report
