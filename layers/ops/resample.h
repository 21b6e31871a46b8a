// Resamples images, that is, changes their size: each output pixel is a weighted sum of input
// pixels. Resizing, adaptive average pooling, and average pooling that counts padding and has
// windows that reach beyond the padding are made from this.
#ifndef COTANGENT_LAYERS_OPS_RESAMPLE_H_
#define COTANGENT_LAYERS_OPS_RESAMPLE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// The weights for one axis: a sparse matrix [to, from] that maps `from` input pixels to `to` output
// pixels, stored by rows. A Term is one element of a row: input pixel number `from` (from 0) has
// this weight.
struct AxisWeights {
  struct Term {
    int64_t from;
    double weight;
  };
  int64_t from = 0;                      // number of input pixels
  std::vector<std::vector<Term>> terms;  // terms[i]: the row of output pixel i, from 0

  AxisWeights Transposed() const;
};

// Return the weights of PyTorch's interpolate() with align_corners=False. Nearest: output pixel i
// (from 0) is input pixel floor(i from / to). Bilinear: it interpolates between the two input
// pixels nearest to the position (i + 1/2) from / to - 1/2; a position before the first or after
// the last pixel takes that pixel.
AxisWeights NearestWeights(int64_t from, int64_t to);
AxisWeights BilinearWeights(int64_t from, int64_t to);
// Returns the weights of adaptive average pooling: output pixel i is the mean of the input pixels
// [floor(i from / to), ceil((i + 1) from / to)).
AxisWeights AdaptiveWeights(int64_t from, int64_t to);
// Returns the weights of average pooling: output pixel i is the mean over a window of `extent`
// pixels that begins at position i stride - before, where input pixel p has position p. Zeros of
// the padding count in the mean: `before` pixels at the beginning and `after` at the end. The part
// of a window from position from + after on does not count.
AxisWeights WindowWeights(int64_t from, int64_t to, int64_t extent, int64_t stride, int64_t before,
                          int64_t after);

// The attributes of the operation `resample`: the weights along the height and along the width.
struct ResampleAttributes {
  AxisWeights rows, columns;
};

// Adds the resampling [N, C, H, W] -> [N, C, H', W'] with y_ij = sum_ab rows_ia columns_jb x_ab in
// every channel.
absl::StatusOr<TensorId> Resample(Graph& graph, absl::string_view name, TensorId x,
                                  AxisWeights rows, AxisWeights columns);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_RESAMPLE_H_
