// Batch normalisation: Ioffe and Szegedy, "Batch normalization" (2015).
#ifndef COTANGENT_LAYERS_OPS_BATCH_NORM_H_
#define COTANGENT_LAYERS_OPS_BATCH_NORM_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

struct BatchNormOptions {
  TensorId scale = kNoTensor, shift = kNoTensor;  // parameters [C] (C channels); kNoTensor: none
  TensorId running_mean = kNoTensor, running_variance = kNoTensor;  // states [C]
  double epsilon = 1e-5;
  // The share of the batch in the update of the running statistics: running = (1 - momentum)
  // running + momentum batch, with the unbiased variance of the batch, as in PyTorch. (The result
  // is normalised by the biased variance.)
  double momentum = 0.1;
  bool training = true;  // false: normalise by the running statistics, which stay fixed
  // If true, training normalises by the statistics of the images of all `ranks` processes together
  // (layers/ops/over_ranks.h).
  bool synchronised = false;
  int ranks = 1;
};
absl::StatusOr<TensorId> BatchNorm(Graph& graph, absl::string_view name, TensorId x,
                                   const BatchNormOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_BATCH_NORM_H_
