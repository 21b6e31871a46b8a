#ifndef COTANGENT_DATA_IMAGE_H_
#define COTANGENT_DATA_IMAGE_H_

// A picture in memory, and what all decoders of picture files share.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "data/resample.h"

namespace cotangent::data {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

// A function that is called with the height and width of a picture and returns the part of it, in
// pixels, that is wanted; no value stands for the whole picture.
using ChoosePart = std::function<std::optional<Rectangle>(int height, int width)>;
// A decoded picture, or part of one. If `part` has a value, it is the position within `image` of
// the part that was wanted, and `image` may show more. Without a value, `image` is the whole
// picture.
struct DecodedPart {
  Image image;
  std::optional<Rectangle> part;
};

// The most pixels of a picture; larger ones are refused before memory is allocated for them.
inline constexpr int64_t kMaxPixels = 100'000'000;

// The functions below return errors that begin with `source`, the name of the picture.
//
// CheckImageSize() returns kInvalidArgument if there is no pixel, and kOutOfRange if there are more
// than `most_pixels`.
absl::Status CheckImageSize(int64_t width, int64_t height, int64_t most_pixels,
                            absl::string_view source);
// Returns kInvalidArgument if a file of `bytes` bytes is too short for its number of pixels. One
// byte of a file of this kind (such as "JPEG") stands for at most `most_pixels_of_byte` pixels.
absl::Status CheckFileLength(int64_t width, int64_t height, int64_t bytes,
                             int64_t most_pixels_of_byte, absl::string_view kind,
                             absl::string_view source);
// Returns kInvalidArgument with "SOURCE: not a sound KIND: FINDING; save or copy the picture
// again".
absl::Status UnsoundFile(absl::string_view kind, absl::string_view finding,
                         absl::string_view source);

// Blends pixels of red, green, blue and alpha with white: round(alpha value + (1 - alpha) 255).
void LayOverWhite(const uint8_t* rgba, size_t pixels, uint8_t* rgb);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_H_
