// Channels one after the other, and taken apart again.
#ifndef COTANGENT_LAYERS_OPS_CONCAT_H_
#define COTANGENT_LAYERS_OPS_CONCAT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kConcat;

// x0, x1, ... that may differ in axis 1 only -> joined along axis 1; vectors, along their only one.
absl::StatusOr<TensorId> Concat(Graph& graph, absl::string_view name, std::vector<TensorId> xs);
// Channels [begin, begin + size) of axis 1, or of a vector's only one.
absl::StatusOr<TensorId> Slice(Graph& graph, absl::string_view name, TensorId x, int64_t begin,
                               int64_t size);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_CONCAT_H_
