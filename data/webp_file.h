#ifndef COTANGENT_DATA_WEBP_FILE_H_
#define COTANGENT_DATA_WEBP_FILE_H_

// WebP pictures, with loss and without; animations are refused.

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/image.h"

namespace cotangent::data {

bool IsWebp(absl::Span<const uint8_t> bytes);

// See DecodeImage().
absl::StatusOr<Image> DecodeWebp(absl::Span<const uint8_t> bytes, int64_t most_pixels,
                                 absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_WEBP_FILE_H_
