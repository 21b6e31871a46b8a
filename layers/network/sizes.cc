#include "layers/network/sizes.h"

#include <algorithm>

namespace cotangent::layers {

int64_t Product(std::initializer_list<int64_t> factors, int64_t limit) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product) || product > limit) return limit + 1;
  }
  return product;
}

std::string OfOneImage(const Shape& shape) { return Shape(shape.dims().subspan(1)).ToString(); }

std::string Times(Pair pair) { return absl::StrCat(pair.height, "x", pair.width); }

absl::Status CheckSize(absl::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Error(absl::StrCat(field, " is ", value, "; expected ", least, " to ", most));
}

absl::StatusOr<Pair> PairOf(absl::string_view field, const Numbers& values, Pair otherwise,
                            int64_t least) {
  if (values.size() > 2)
    return Error(absl::StrCat(field, " has ", values.size(),
                              " numbers; expected one, or two: height and width"));
  for (int64_t value : values) RETURN_IF_ERROR(CheckSize(field, value, least, kLargestExtent));
  if (values.empty()) return otherwise;
  return Pair{values[0], values[values.size() - 1]};
}

absl::StatusOr<Pair> KernelOf(const Numbers& values) {
  if (values.empty()) return Error("kernel is missing; expected its size, such as kernel: 3");
  return PairOf("kernel", values, {1, 1}, 1);
}

absl::StatusOr<Padding> PadOf(const Numbers& values, int64_t least) {
  for (int64_t value : values) RETURN_IF_ERROR(CheckSize("pad", value, least, kLargestExtent));
  switch (values.size()) {
    case 0:
      return Padding();
    case 1:
      return Padding{values[0], values[0], values[0], values[0]};
    case 2:
      return Padding{values[0], values[0], values[1], values[1]};
    case 4:
      return Padding{values[0], values[1], values[2], values[3]};
  }
  return Error(absl::StrCat("pad has ", values.size(),
                            " numbers; expected one, two (top and bottom, left and right) or four "
                            "(top, bottom, left, right)"));
}

std::pair<int64_t, int64_t> SamePadding(int64_t size, int64_t extent, int64_t stride) {
  const int64_t windows = (size + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (windows - 1) * stride + extent - size);
  return {total / 2, total - total / 2};
}

bool HasPadding(const Padding& padding) {
  return padding.top != 0 || padding.bottom != 0 || padding.left != 0 || padding.right != 0;
}

}  // namespace cotangent::layers
