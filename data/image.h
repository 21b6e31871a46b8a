#ifndef COTANGENT_DATA_IMAGE_H_
#define COTANGENT_DATA_IMAGE_H_

// A picture in memory, and what is refused of one in a file.

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

// Which part of a picture of a height and a width is wanted; nothing: all of it.
using ChoosePart = std::function<std::optional<Rectangle>(int height, int width)>;
// A part of a picture, and perhaps more of it: `image` holds the part at `part`, or is all of the
// picture, as that was wanted.
struct DecodedPart {
  Image image;
  std::optional<Rectangle> part;
};

// Pictures of more pixels are refused before memory for them is asked for.
inline constexpr int64_t kMaxPixels = 100'000'000;

// Errors of decoders, kInvalidArgument; `source` names the bytes.
//
// An error unless there is at least one pixel, and at most so many: OutOfRange for more.
absl::Status CheckImageSize(int64_t width, int64_t height, int64_t most_pixels,
                            absl::string_view source);
// An error where so few bytes cannot hold so many pixels: the file is cut short.
// `most_pixels_of_byte` is how many pixels a byte of this kind of file stands for at most.
absl::Status CheckFileLength(int64_t width, int64_t height, int64_t bytes,
                             int64_t most_pixels_of_byte, absl::string_view kind,
                             absl::string_view source);
// "SOURCE: not a sound KIND: FINDING; save or copy the picture again".
absl::Status UnsoundFile(absl::string_view kind, absl::string_view finding,
                         absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_H_
