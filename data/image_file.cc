#include "data/image_file.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "data/file.h"
#include "data/jpeg_file.h"
#include "data/png_file.h"
#include "data/pnm_file.h"

namespace cotangent::data {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

// The input pixels that one output pixel averages, and their weights, which sum to 1.
struct Tap {
  int first;
  std::vector<float> weights;
};

std::vector<Tap> TriangleFilter(int from, int to) {
  const double step = static_cast<double>(from) / to;
  const double radius = std::max(step, 1.0);
  std::vector<Tap> taps;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step;
    const int first = std::max(0, static_cast<int>(centre - radius + 0.5));
    const int end = std::min(from, static_cast<int>(centre + radius + 0.5));
    Tap tap = {first, {}};
    double sum = 0;
    for (int x = first; x < end; ++x) {
      const double weight = std::max(0.0, 1 - std::abs((x + 0.5 - centre) / radius));
      tap.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : tap.weights) weight = static_cast<float>(weight / sum);
    taps.push_back(std::move(tap));
  }
  return taps;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(absl::Span<const uint8_t> bytes, absl::string_view source) {
  if (IsPng(bytes)) return DecodePng(bytes, source);
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) {
    return DecodeJpeg(bytes, source);
  }
  if (IsPnm(bytes)) return DecodePnm(bytes, source);
  return absl::InvalidArgumentError(absl::StrCat(
      source, bytes.empty() ? ": the file is empty" : ": neither a PNG nor a JPEG nor a binary PNM",
      "; pictures of these kinds can be read"));
}

absl::StatusOr<Image> ReadImage(const std::string& path) {
  absl::StatusOr<std::string> contents = ReadFile(path, kMaxFileBytes);
  if (!contents.ok()) {
    return absl::Status(contents.status().code(),
                        absl::StrCat(contents.status().message(), "; expected a PNG or JPEG file"));
  }
  return DecodeImage(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(contents->data()), contents->size()),
      path);
}

Image Resize(const Image& image, int width, int height) {
  // Rows first, [image.height, width, 3], then columns.
  const std::vector<Tap> across = TriangleFilter(image.width, width);
  const std::vector<Tap> down = TriangleFilter(image.height, height);
  std::vector<float> narrow(size_t{3} * image.height * width);
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.rgb.data() + size_t{3} * y * image.width;
    for (int x = 0; x < width; ++x) {
      float* sum = &narrow[3 * (size_t(y) * width + x)];
      const uint8_t* pixel = row + 3 * across[x].first;
      for (float weight : across[x].weights) {
        for (int c = 0; c < 3; ++c) sum[c] += weight * *pixel++;
      }
    }
  }
  Image result = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  std::vector<float> sum(3 * width);
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.5f);  // For rounding.
    const float* row = &narrow[size_t{3} * down[y].first * width];
    for (float weight : down[y].weights) {
      for (float& value : sum) value += weight * *row++;
    }
    for (int i = 0; i < 3 * width; ++i) {
      result.rgb[size_t{3} * y * width + i] = static_cast<uint8_t>(std::min(sum[i], 255.0f));
    }
  }
  return result;
}

std::vector<uint8_t> ToPlanar(const Image& image) {
  const size_t plane = size_t(image.width) * image.height;
  std::vector<uint8_t> planar(3 * plane);
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) planar[c * plane + i] = image.rgb[3 * i + c];
  }
  return planar;
}

Image FromPlanar(absl::Span<const uint8_t> planar, int width, int height) {
  const size_t plane = size_t(width) * height;
  Image image = {width, height, std::vector<uint8_t>(3 * plane)};
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb[3 * i + c] = planar[c * plane + i];
  }
  return image;
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  if (absl::Status status = CheckImageSize(image.width, image.height, "the PNG to write");
      !status.ok())
    return status;
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  png.width = image.width;
  png.height = image.height;
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string encoded(bytes, '\0');
  if (!png_image_write_to_memory(&png, encoded.data(), &bytes, /*convert_to_8bit=*/0,
                                 image.rgb.data(),
                                 /*row_stride=*/0, nullptr)) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG: ", png.message));
  }
  encoded.resize(bytes);
  return encoded;
}

absl::Status WritePng(const std::string& path, const Image& image) {
  absl::StatusOr<std::string> encoded = EncodePng(image);
  if (!encoded.ok()) return encoded.status();
  return WriteFileAtomically(path, *encoded);
}

}  // namespace cotangent::data
