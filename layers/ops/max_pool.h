// Max pooling; its derivative along x, which gathers; and the adjoint of that, which scatters.
#ifndef COTANGENT_LAYERS_OPS_MAX_POOL_H_
#define COTANGENT_LAYERS_OPS_MAX_POOL_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

extern const Op kMaxPool;        // x -> y, position of the maximum in its window
extern const Op kMaxPoolGather;  // x, position -> y: the elements of x at the positions
extern const Op kMaxUnpool;      // dy, position -> dx
// The attribute of all three is the PoolWindow.

// A pooling that changes nothing (each pixel a window of its own) is x itself, without positions
// (kNoTensor).
struct MaxPoolResult {
  TensorId value, position;
};
absl::StatusOr<MaxPoolResult> MaxPool(Graph& graph, absl::string_view name, TensorId x,
                                      const PoolWindow& window);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_MAX_POOL_H_
