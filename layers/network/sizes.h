// Reads and checks sizes in a network text, the .textproto file that describes a network. A size
// may be one number or several.
#ifndef COTANGENT_LAYERS_NETWORK_SIZES_H_
#define COTANGENT_LAYERS_NETWORK_SIZES_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "google/protobuf/repeated_field.h"
#include "layers/graph/operation.h"
#include "layers/network/limits.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

inline absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// Returns a * b * ..., or limit + 1 if the product exceeds `limit`. REQUIRES: no factor is
// negative.
int64_t Product(std::initializer_list<int64_t> factors, int64_t limit);
// Returns the shape without the batch axis, as text: "[3, 32, 32]".
std::string OfOneImage(const Shape& shape);

struct Pair {
  int64_t height, width;
};
// Returns the pair as text: "3x5".
std::string Times(Pair pair);

using Numbers = google::protobuf::RepeatedField<int64_t>;
// Returns an error that names `field` unless least <= value <= most.
absl::Status CheckSize(absl::string_view field, int64_t value, int64_t least, int64_t most);
// Returns the height and width that a field gives: two numbers, or one for both; `otherwise` if it
// gives none. Each must be from `least` to kLargestExtent (limits.h).
absl::StatusOr<Pair> PairOf(absl::string_view field, const Numbers& values, Pair otherwise,
                            int64_t least);
absl::StatusOr<Pair> KernelOf(const Numbers& values);
// Returns the padding that the field `pad` gives: one number for all sides; two, for top and bottom
// and for left and right; or four, for top, bottom, left, right. Without any, the padding is 0.
// Each must be from `least` to kLargestExtent.
absl::StatusOr<Padding> PadOf(const Numbers& values, int64_t least);
bool HasPadding(const Padding& padding);
// Returns the padding before and after an axis of `size` pixels with which the number of windows of
// `extent` pixels is ceil(size / stride).
std::pair<int64_t, int64_t> SamePadding(int64_t size, int64_t extent, int64_t stride);

// The geometry of a window that slides over an image. `out` is the number of windows along each
// axis.
struct Window {
  Pair extent, stride;  // in pixels; `extent` includes the gaps of a dilated kernel
  Padding padding;
  Pair out;
};

template <typename Text>  // Text: Convolution or a pooling
absl::StatusOr<Window> WindowOf(const Text& text, const Shape& in, Pair extent, Pair stride) {
  Window window = {extent, stride, {}, {}};
  if (text.padding() == Layer::SAME) {
    if (!text.pad().empty())
      return Error("both padding: SAME and pad are given; expected one of them");
    std::tie(window.padding.top, window.padding.bottom) =
        SamePadding(in.height(), extent.height, stride.height);
    std::tie(window.padding.left, window.padding.right) =
        SamePadding(in.width(), extent.width, stride.width);
  } else {
    ASSIGN_OR_RETURN(window.padding, PadOf(text.pad(), 0));
  }
  const Pair padded = {in.height() + window.padding.top + window.padding.bottom,
                       in.width() + window.padding.left + window.padding.right};
  if (extent.height > padded.height || extent.width > padded.width) {
    const bool has_padding = padded.height != in.height() || padded.width != in.width();
    return Error(absl::StrCat("its kernel ", Times(extent), " is larger than its input ",
                              Times({in.height(), in.width()}),
                              has_padding ? absl::StrCat(" (padded: ", Times(padded), ")") : "",
                              "; use a smaller kernel, more padding, or less pooling before it"));
  }
  window.out = {(padded.height - extent.height) / stride.height + 1,
                (padded.width - extent.width) / stride.width + 1};
  return window;
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_SIZES_H_
