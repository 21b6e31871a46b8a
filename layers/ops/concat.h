// Concatenates tensors along the channel axis, and takes channels out of a tensor.
#ifndef COTANGENT_LAYERS_OPS_CONCAT_H_
#define COTANGENT_LAYERS_OPS_CONCAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kConcat;

// Joins x0, x1, ... along axis 1; their shapes may differ only there. Tensors of rank 1 are joined
// along their only axis.
absl::StatusOr<TensorId> Concat(Graph& graph, absl::string_view name, std::vector<TensorId> xs);
// Returns the channels [begin, begin + size), counted from 0, of axis 1, or of the only axis of a
// tensor of rank 1.
absl::StatusOr<TensorId> Slice(Graph& graph, absl::string_view name, TensorId x, int64_t begin,
                               int64_t size);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CONCAT_H_
