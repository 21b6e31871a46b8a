#include "inference/server/occlusion.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "data/image_file.h"

namespace cotangent::inference {
namespace {

constexpr int kCells = 7;  // along each side
// Larger pictures are first shrunk to this many pixels along their longer side, to save time and
// memory; few networks take larger images.
constexpr int kLargestSide = 256;

data::Image Shrunk(const data::Image& image) {
  const int side = std::max(image.width, image.height);
  if (side <= kLargestSide) return image;
  const auto scaled = [&](int extent) {
    return std::max(1, static_cast<int>(int64_t{extent} * kLargestSide / side));
  };
  return data::Resize(image, scaled(image.width), scaled(image.height));
}

}  // namespace

absl::StatusOr<Occlusion> Occlude(Classifier& classifier, const data::Image& image) {
  const data::Image small = Shrunk(image);
  Occlusion result;
  result.rows = std::min(kCells, small.height);
  result.columns = std::min(kCells, small.width);
  const size_t pixels = size_t(small.width) * small.height;
  int64_t sums[3] = {};
  for (size_t i = 0; i < 3 * pixels; ++i) sums[i % 3] += small.rgb[i];

  // `covered` holds the picture itself, then copies of it, each with one cell covered.
  std::vector<data::Image> covered(1 + size_t(result.rows) * result.columns, small);
  for (int row = 0; row < result.rows; ++row) {
    for (int column = 0; column < result.columns; ++column) {
      data::Image& copy = covered[1 + row * result.columns + column];
      for (int y = small.height * row / result.rows; y < small.height * (row + 1) / result.rows;
           ++y) {
        for (int x = small.width * column / result.columns;
             x < small.width * (column + 1) / result.columns; ++x) {
          for (int c = 0; c < 3; ++c)
            copy.rgb[3 * (size_t(y) * small.width + x) + c] =
                static_cast<uint8_t>(sums[c] / static_cast<int64_t>(pixels));
        }
      }
    }
  }
  std::vector<Picture> pictures;
  for (const data::Image& copy : covered)
    pictures.push_back({copy.rgb.data(), copy.width, copy.height});
  const size_t classes = classifier.classes().size();
  std::vector<float> p(pictures.size() * classes);
  RETURN_IF_ERROR(classifier.ClassifyBatch(pictures, absl::MakeSpan(p)));
  if (classifier.answers() != TargetKind::kNumbers)
    result.top = static_cast<int>(
        std::max_element(p.begin(), p.begin() + static_cast<ptrdiff_t>(classes)) - p.begin());
  for (size_t i = 1; i < pictures.size(); ++i)
    result.drop.push_back(p[result.top] - p[i * classes + result.top]);
  return result;
}

}  // namespace cotangent::inference
