// What convolutions of our own have in common that multiply by product_kernels.h: how sizes are
// rounded, how columns are cut into panels, and how weights lie in one.
#ifndef COTANGENT_TENSOR_PANELS_H_
#define COTANGENT_TENSOR_PANELS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/element_type.h"
#include "base/round_up.h"
#include "tensor/product_kernels.h"

namespace cotangent::tensor {

// So many bytes and some more: arrays so far apart do not fall into the same lines of a cache.
inline int64_t Spread(int64_t bytes) { return RoundUp(bytes, 128) + 64; }

// The columns of a product, in panels of as many as go through it at once; the last may have fewer
// registers.
class Panels {
 public:
  Panels(const product_kernels::Kernels& kernels, int64_t columns)
      : lanes_(kernels.lanes), vectors_(kernels.panel_vectors), columns_(columns) {}

  int64_t width() const { return vectors_ * lanes_; }
  int64_t count() const { return DivideUp(columns_, width()); }
  int64_t Vectors(int64_t panel) const {
    return std::min(vectors_, DivideUp(columns_ - panel * width(), lanes_));
  }
  // Columns a panel has room for, those of a register that is not full included.
  int64_t Columns(int64_t panel) const { return Vectors(panel) * lanes_; }

 private:
  int64_t lanes_, vectors_, columns_;
};

// The steps of a panel's product over `channels`: of each column weight(column, channel) in f32, or
// those of two channels side by side in bf16.
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
