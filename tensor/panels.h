// Memory layout of the operands of product_kernels.h, for the convolutions that use these kernels:
// how sizes are padded, how columns are divided into panels, and how the weights of a panel are
// ordered.
#ifndef COTANGENT_TENSOR_PANELS_H_
#define COTANGENT_TENSOR_PANELS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/element_type.h"
#include "base/round_up.h"
#include "tensor/product_kernels.h"

namespace cotangent::tensor {

// Rounds `bytes` up to an odd multiple of 64, so that arrays this far apart do not map to the same
// cache sets. Arrays that are a large power of two apart do, and evict each other from the cache.
inline int64_t PadAgainstCacheAliasing(int64_t bytes) { return RoundUp(bytes, 128) + 64; }

// Divides the columns of a product into panels of as many columns as the kernel computes at once:
// width(). count() is the number of panels, Vectors() the number of registers that a row of a panel
// takes. The last panel may have fewer registers than the others.
class Panels {
 public:
  Panels(const product_kernels::Kernels& kernels, int64_t columns)
      : lanes_(kernels.lanes), vectors_(kernels.panel_vectors), columns_(columns) {}

  int64_t width() const { return vectors_ * lanes_; }
  int64_t count() const { return DivideUp(columns_, width()); }
  int64_t Vectors(int64_t panel) const {
    return std::min(vectors_, DivideUp(columns_ - panel * width(), lanes_));
  }
  // Returns the number of columns that a panel occupies in memory, including the unused lanes of
  // its last register.
  int64_t Columns(int64_t panel) const { return Vectors(panel) * lanes_; }

 private:
  int64_t lanes_, vectors_, columns_;
};

// Writes a panel's weights in the order in which a product over `channels` reads them. In f32: for
// each channel c, weight(column, c) of all `columns`. In bf16: for each pair of channels, both
// weights of each column side by side; weight() must then accept c = channels if channels is odd.
template <typename Weight>
void PackSteps(bool bf16, int64_t channels, int64_t columns, Weight weight, char* to) {
  for (int64_t c = 0; c < channels; c += bf16 ? 2 : 1) {
    for (int64_t i = 0; i < columns; ++i, to += 4) {
      if (bf16) {
        const Bf16 both[2] = {Bf16(weight(i, c)), Bf16(weight(i, c + 1))};
        std::memcpy(to, both, 4);
      } else {
        const float one = weight(i, c);
        std::memcpy(to, &one, 4);
      }
    }
  }
}

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_PANELS_H_
