// Convolution and pooling as plain loops over any scalar type, with which tests compare the
// kernels.
//
// Tensors here are row-major [batch, channels, height, width], weights [out, in / groups, height,
// width]. In double, these functions check the kernels' results; with dual numbers or reverse-mode
// variables as scalars, their derivatives check the gradient kernels. A scalar type needs a
// constructor from double, + and *; for max pooling also <.
#ifndef COTANGENT_TENSOR_REFERENCE_H_
#define COTANGENT_TENSOR_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "tensor/convolution.h"
#include "tensor/pool.h"

namespace cotangent::tensor::reference {

// Calls visit(in_index, weight_index, out_index) for every multiply-add of the convolution, except
// those on the padding.
template <typename Visit>
void ForEachMultiplyAdd(const ConvolutionShape& s, Visit visit) {
  const int64_t in_share = s.in_channels / s.groups, out_share = s.out_channels / s.groups;
  const int64_t out_height = s.out_height(), out_width = s.out_width();
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t o = 0; o < s.out_channels; ++o)
      for (int64_t i = 0; i < in_share; ++i)
        for (int64_t ky = 0; ky < s.kernel_height; ++ky)
          for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
            const int64_t channel = o / out_share * in_share + i;
            const int64_t weight =
                ((o * in_share + i) * s.kernel_height + ky) * s.kernel_width + kx;
            for (int64_t y = 0; y < out_height; ++y) {
              const int64_t in_y = y * s.stride_height + ky * s.dilation_height - s.pad_top;
              if (in_y < 0 || in_y >= s.in_height) continue;
              for (int64_t x = 0; x < out_width; ++x) {
                const int64_t in_x = x * s.stride_width + kx * s.dilation_width - s.pad_left;
                if (in_x < 0 || in_x >= s.in_width) continue;
                visit(((n * s.in_channels + channel) * s.in_height + in_y) * s.in_width + in_x,
                      weight, ((n * s.out_channels + o) * out_height + y) * out_width + x);
              }
            }
          }
}

// Computes a convolution. `bias` has out_channels elements, or is empty if there is no bias.
template <typename T>
std::vector<T> ConvolutionForward(const ConvolutionShape& shape, const std::vector<T>& in,
                                  const std::vector<T>& weights, const std::vector<T>& bias = {}) {
  std::vector<T> out(shape.out().NumElements(), T(0.0));
  if (!bias.empty()) {
    const int64_t pixels = shape.out_height() * shape.out_width();
    for (size_t i = 0; i < out.size(); ++i) out[i] = bias[i / pixels % shape.out_channels];
  }
  ForEachMultiplyAdd(
      shape, [&](int64_t i, int64_t w, int64_t o) { out[o] = out[o] + in[i] * weights[w]; });
  return out;
}

template <typename T>
std::vector<T> ConvolutionInputGradient(const ConvolutionShape& shape,
                                        const std::vector<T>& out_gradient,
                                        const std::vector<T>& weights) {
  std::vector<T> gradient(shape.in().NumElements(), T(0.0));
  ForEachMultiplyAdd(shape, [&](int64_t i, int64_t w, int64_t o) {
    gradient[i] = gradient[i] + out_gradient[o] * weights[w];
  });
  return gradient;
}

template <typename T>
std::vector<T> ConvolutionWeightGradient(const ConvolutionShape& shape, const std::vector<T>& in,
                                         const std::vector<T>& out_gradient) {
  std::vector<T> gradient(shape.weights().NumElements(), T(0.0));
  ForEachMultiplyAdd(shape, [&](int64_t i, int64_t w, int64_t o) {
    gradient[w] = gradient[w] + out_gradient[o] * in[i];
  });
  return gradient;
}

template <typename T>
std::vector<T> ConvolutionBiasGradient(const ConvolutionShape& shape,
                                       const std::vector<T>& out_gradient) {
  std::vector<T> gradient(shape.out_channels, T(0.0));
  const int64_t pixels = shape.out_height() * shape.out_width();
  for (size_t i = 0; i < out_gradient.size(); ++i) {
    const int64_t channel = i / pixels % shape.out_channels;
    gradient[channel] = gradient[channel] + out_gradient[i];
  }
  return gradient;
}

// Calls visit(in_index, out_index, first) for every pixel of every window, in row-major order,
// except padding. `first` is true for the first pixel of a window.
template <typename Visit>
void ForEachWindowPixel(const PoolShape& s, Visit visit) {
  const int64_t out_height = s.out_height(), out_width = s.out_width();
  for (int64_t image = 0; image < s.batch * s.channels; ++image)
    for (int64_t y = 0; y < out_height; ++y)
      for (int64_t x = 0; x < out_width; ++x) {
        bool first = true;
        for (int64_t ky = 0; ky < s.window_height; ++ky)
          for (int64_t kx = 0; kx < s.window_width; ++kx) {
            const int64_t in_y = y * s.stride_height + ky - s.pad_top,
                          in_x = x * s.stride_width + kx - s.pad_left;
            if (in_y < 0 || in_y >= s.in_height || in_x < 0 || in_x >= s.in_width) continue;
            visit((image * s.in_height + in_y) * s.in_width + in_x,
                  (image * out_height + y) * out_width + x, first);
            first = false;
          }
      }
}

template <typename T>
std::vector<T> MaxPoolForward(const PoolShape& shape, const std::vector<T>& in) {
  std::vector<T> out(shape.out().NumElements(), T(0.0));
  ForEachWindowPixel(shape, [&](int64_t i, int64_t o, bool first) {
    if (first || out[o] < in[i]) out[o] = in[i];
  });
  return out;
}

template <typename T>
std::vector<T> AveragePoolForward(const PoolShape& shape, bool count_include_pad,
                                  const std::vector<T>& in) {
  const int64_t out_elements = shape.out().NumElements();
  std::vector<int64_t> cells(out_elements,
                             count_include_pad ? shape.window_height * shape.window_width : 0);
  if (!count_include_pad) ForEachWindowPixel(shape, [&](int64_t, int64_t o, bool) { ++cells[o]; });
  std::vector<T> out(out_elements, T(0.0));
  ForEachWindowPixel(shape, [&](int64_t i, int64_t o, bool) {
    out[o] = out[o] + in[i] * T(1.0 / static_cast<double>(cells[o]));
  });
  return out;
}

}  // namespace cotangent::tensor::reference

#endif  // COTANGENT_TENSOR_REFERENCE_H_
