// The sizes of a tensor along its axes. Images are [batch, channels, height, width], whatever their
// layout in memory.
#ifndef COTANGENT_TENSOR_SHAPE_H_
#define COTANGENT_TENSOR_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cotangent::tensor {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;  // a scalar: rank 0, one element
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(absl::Span<const int64_t> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t operator[](int axis) const { return dims_[axis]; }
  int64_t& operator[](int axis) { return dims_[axis]; }
  absl::Span<const int64_t> dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }

  // The sizes of an image tensor. REQUIRES: rank 4.
  int64_t batch() const { return dims_[0]; }
  int64_t channels() const { return dims_[1]; }
  int64_t height() const { return dims_[2]; }
  int64_t width() const { return dims_[3]; }

  // Returns the product of the sizes. REQUIRES: Validate() is OK.
  int64_t NumElements() const;

  // Returns an error if the rank exceeds kMaxRank, a size is less than 1, or the elements times 8
  // bytes (the widest element type) overflow an int64_t.
  absl::Status Validate() const;

  // Returns "[128, 64, 32, 32]" or the like.
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }

 private:
  absl::InlinedVector<int64_t, kMaxRank> dims_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_SHAPE_H_
