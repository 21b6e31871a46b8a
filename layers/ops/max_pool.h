// Max pooling; the operation for its Jacobian-vector product, which gathers the elements at the
// maxima; and the adjoint of that, which scatters.
#ifndef COTANGENT_LAYERS_OPS_MAX_POOL_H_
#define COTANGENT_LAYERS_OPS_MAX_POOL_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/operation.h"

namespace cotangent::layers {

extern const Op kMaxPool;  // x -> y, position: row-major index from 0 of each maximum in its window
extern const Op kMaxPoolGather;  // x, position -> y, the elements of x at these positions
extern const Op kMaxUnpool;      // dy, position -> dx: dy added at these positions, 0 elsewhere
// The attribute of all three operations is the PoolWindow (layers/graph/operation.h).

// The maxima, and the position of each (see kMaxPool). If every window is a single pixel, pooling
// changes nothing; then `value` is x itself and `position` is kNoTensor.
struct MaxPoolResult {
  TensorId value, position;
};
absl::StatusOr<MaxPoolResult> MaxPool(Graph& graph, absl::string_view name, TensorId x,
                                      const PoolWindow& window);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_MAX_POOL_H_
