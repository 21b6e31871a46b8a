// Images of another size, each pixel a weighted sum of pixels: what resizing, adaptive pooling and
// poolings whose windows are uneven have in common.
#ifndef COTANGENT_LAYERS_OPS_RESAMPLE_H_
#define COTANGENT_LAYERS_OPS_RESAMPLE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// A sparse matrix [to, from] over the pixels of one axis, by rows.
struct AxisWeights {
  struct Term {
    int64_t from;
    double weight;
  };
  int64_t from = 0;                      // pixels before
  std::vector<std::vector<Term>> terms;  // by pixel after

  AxisWeights Transposed() const;
};

// As PyTorch's interpolate with align_corners=False: pixel i shows what lies at floor(i from / to),
// or is a mean of the two nearest of (i + 1/2) from / to - 1/2.
AxisWeights NearestWeights(int64_t from, int64_t to);
AxisWeights BilinearWeights(int64_t from, int64_t to);
// Means over [floor(i from / to), ceil((i + 1) from / to)).
AxisWeights AdaptiveWeights(int64_t from, int64_t to);
// Means over windows of `extent` in steps of `stride` from -`before` on, of which only what lies
// before from + `before` counts, zeros in the padding included.
AxisWeights WindowWeights(int64_t from, int64_t to, int64_t extent, int64_t stride, int64_t before);

// The attributes of resample.
struct ResampleAttributes {
  AxisWeights rows, columns;
};

// [N, C, H, W] -> [N, C, H', W']: y_ij = sum_ab rows_ia columns_jb x_ab.
absl::StatusOr<TensorId> Resample(Graph& graph, absl::string_view name, TensorId x,
                                  AxisWeights rows, AxisWeights columns);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_RESAMPLE_H_
