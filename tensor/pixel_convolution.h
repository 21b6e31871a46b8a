// What the convolutions share that multiply pixels by weights in AVX2 (pixel_product.cc,
// pixel_correlation.cc), in f32 and NHWC: where the inputs of a result lie, and how channels are
// cut into panels.
//
// The results along an axis are numbered 0, 1, ...; by a tap (a cell of the kernel), result i reads
// index i * Axis::step + offset of the source, where the offset belongs to the tap. Taps that are
// neighbours in a line of the source can form one segment: the floats that a result reads by them
// lie one after the other. Each float of a segment is a step of the sum that makes the result.
#ifndef COTANGENT_TENSOR_PIXEL_CONVOLUTION_H_
#define COTANGENT_TENSOR_PIXEL_CONVOLUTION_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/cpu.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "tensor/convolution.h"
#include "tensor/own_kernels.h"
#include "tensor/pixel_kernels.h"

namespace cotangent::tensor {

// Returns whether these kernels suit the convolution: `type` is f32, this processor has AVX2 and no
// AVX-512 (for which the kernels are not made), the convolution is not a linear layer, and the
// groups, if there is more than one, have enough channels.
inline bool SuitsPixelKernels(const ConvolutionShape& shape, ElementType type) {
  constexpr int64_t kLeastChannels = 4;  // of a group, if there is more than one
  return type == ElementType::kF32 && HaveOwnKernels(type) && !HasAvx512() && !shape.IsLinear() &&
         (shape.groups == 1 ||
          std::min(shape.in_channels, shape.out_channels) / shape.groups >= kLeastChannels);
}

// Returns the shape with all its images as one, if it has a kernel of 1x1, a stride of 1 and no
// padding; otherwise the shape itself. The pixels, their neighbours and their order in memory stay
// the same.
inline ConvolutionShape AsOneImage(ConvolutionShape shape) {
  const bool by_pixel = shape.kernel_height * shape.kernel_width == 1 &&
                        shape.stride_height * shape.stride_width == 1 &&
                        shape.pad_top + shape.pad_bottom + shape.pad_left + shape.pad_right == 0;
  if (by_pixel) shape.in_height *= shape.batch, shape.batch = 1;
  return shape;
}

// Columns [first, first + count) of a matrix, in `vectors` registers.
struct Panel {
  int64_t first, count, vectors;
  int64_t width() const { return vectors * pixel_kernels::kLanes; }
};

// Cuts columns into panels of three registers; a rest of four, two or one registers becomes two
// panels of two, or one panel of two or one.
inline std::vector<Panel> PanelsOf(int64_t columns) {
  std::vector<Panel> panels;
  int64_t vectors = DivideUp(columns, pixel_kernels::kLanes);
  for (int64_t first = 0; vectors > 0;) {
    // Two panels of two registers are faster than one of three and one of one.
    const int64_t count = vectors == 4 ? 2 : std::min(vectors, pixel_kernels::kMostVectors);
    panels.push_back({first, std::min(count * pixel_kernels::kLanes, columns - first), count});
    first += count * pixel_kernels::kLanes, vectors -= count;
  }
  return panels;
}

// Steps (floats) [first, first + depth) of each of the segments [segment, segment + count).
struct Piece {
  int64_t segment, count, first, depth;
  int64_t steps() const { return count * depth; }
};

// Cuts `segments` segments of `depth` steps each into pieces of at most `most` steps: several whole
// segments, or a part of one.
inline std::vector<Piece> PiecesOf(int64_t segments, int64_t depth, int64_t most) {
  std::vector<Piece> pieces;
  const int64_t parts = DivideUp(depth, most),
                at_once = parts > 1 ? 1 : std::max<int64_t>(1, most / std::max<int64_t>(1, depth));
  for (int64_t s = 0; s < segments; s += at_once) {
    for (int64_t part = 0; part < parts; ++part) {
      const auto [begin, end] = PartOf(depth, part, parts);
      pieces.push_back({s, std::min(at_once, segments - s), begin, end - begin});
    }
  }
  return pieces;
}

// The lines of images from which results are computed, with zeros around them where results read
// outside of the images. If no result reads outside, and a pixel takes as many floats as it has
// channels, the images themselves are read; otherwise a copy of some lines.
class SourceLines {
 public:
  struct Axis {
    int64_t size;       // of the source
    int64_t results;    // along this axis
    int64_t step;       // of the source, from one result to the next
    int64_t low, high;  // the least and the largest offset of a tap
  };

  // `pixel` is how many floats a pixel of the copy takes, at least `channels`.
  SourceLines(const Axis& vertical, const Axis& horizontal, int64_t channels, int64_t pixel)
      : vertical_(vertical), horizontal_(horizontal), channels_(channels), pixel_(pixel) {
    const auto leaves = [](const Axis& a) {
      return a.low < 0 || (a.results - 1) * a.step + a.high >= a.size;
    };
    copies_ = leaves(vertical) || leaves(horizontal) || pixel != channels;
  }

  bool copies() const { return copies_; }
  // Returns the floats that the copy for `results` lines of results takes; 0 if nothing is copied.
  int64_t CopyFloats(int64_t results) const {
    return copies_ ? RoundUp(Lines(results) * width() * pixel_, 16) : 0;
  }
  // Returns how many floats of the source, or of its copy, `results` lines of results read.
  int64_t FloatsRead(int64_t results) const { return Lines(results) * width() * pixel_; }
  int64_t pixel() const { return pixel_; }
  int64_t line() const { return (copies_ ? width() : horizontal_.size) * pixel_; }
  // Returns the distance in floats from the address that Read() returns to where result (i, j)
  // reads by the tap with offsets (y, x); i is counted from the `first` line of Read().
  int64_t At(int64_t i, int64_t j, int64_t y, int64_t x) const {
    return (i * vertical_.step + y - vertical_.low) * line() +
           (j * horizontal_.step + x - horizontal_.low) * pixel_;
  }
  // Makes readable what lines [first, first + count) of the results of an image read, if need be by
  // copying it to `copy`. Returns the address from which At() counts.
  const float* Read(const float* image, int64_t first, int64_t count, float* copy) const {
    const int64_t top = first * vertical_.step + vertical_.low, row = horizontal_.size * channels_;
    if (!copies_) return image + top * row + horizontal_.low * channels_;
    float* to = copy;
    for (int64_t y = top; y < top + Lines(count); ++y, to += line()) {
      if (y >= 0 && y < vertical_.size) {
        CopyLine(image + y * row, to);
      } else {
        std::memset(to, 0, line() * 4);
      }
    }
    return copy;
  }

 private:
  int64_t Lines(int64_t results) const {
    return (results - 1) * vertical_.step + vertical_.high - vertical_.low + 1;
  }
  int64_t width() const {
    return (horizontal_.results - 1) * horizontal_.step + horizontal_.high - horizontal_.low + 1;
  }
  void CopyLine(const float* from, float* to) const {
    const int64_t before = std::clamp<int64_t>(-horizontal_.low, 0, width()),
                  first = std::max<int64_t>(horizontal_.low, 0),
                  count = std::clamp<int64_t>(horizontal_.size - first, 0, width() - before),
                  after = width() - before - count;
    std::memset(to, 0, before * pixel_ * 4);
    to += before * pixel_, from += first * channels_;
    if (pixel_ == channels_) {
      std::memcpy(to, from, count * channels_ * 4);
    } else {
      for (int64_t x = 0; x < count; ++x)
        std::memcpy(to + x * pixel_, from + x * channels_, channels_ * 4);
    }
    std::memset(to + count * pixel_, 0, after * pixel_ * 4);
  }

  const Axis vertical_, horizontal_;
  const int64_t channels_, pixel_;
  bool copies_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_PIXEL_CONVOLUTION_H_
