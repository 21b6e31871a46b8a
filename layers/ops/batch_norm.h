// Ioffe and Szegedy, "Batch normalization" (2015).
#ifndef COTANGENT_LAYERS_OPS_BATCH_NORM_H_
#define COTANGENT_LAYERS_OPS_BATCH_NORM_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

struct BatchNormOptions {
  TensorId scale = kNoTensor, shift = kNoTensor;                    // [C] parameters, each optional
  TensorId running_mean = kNoTensor, running_variance = kNoTensor;  // [C] state
  double epsilon = 1e-5;
  // running = (1 - momentum) running + momentum batch (PyTorch's convention; unbiased variance)
  double momentum = 0.1;
  bool training = true;  // else the running statistics are used
  // Normalises by the statistics of the images of all ranks together (over_ranks.h), however many.
  bool synchronised = false;
  int ranks = 1;
};
absl::StatusOr<TensorId> BatchNorm(Graph& graph, absl::string_view name, TensorId x,
                                   const BatchNormOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_BATCH_NORM_H_
