// Reads the loss in a network text, the .textproto file that describes a network (network.proto).
#ifndef COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "layers/network/network.pb.h"
#include "layers/ops/loss.h"

namespace cotangent::layers {

// Says with what a loss compares the prediction for an image.
enum class TargetKind {
  kClass,    // one of several classes
  kLabels,   // several labels at once: 1 for each that applies, 0 for the others
  kNumbers,  // arbitrary numbers
};
TargetKind TargetKindOf(const Loss& text);
// Returns the word for messages: "classes", "labels" or "numbers".
const char* TargetNames(TargetKind kind);
// Returns whether training mixes the images of a batch (and so their targets) with each other.
bool MixesImages(const Network& network);

// Reads the loss and checks its settings; the class weights, if there are any, must be `classes`
// many. If the loss is given by a formula, its expression, in a0 (the prediction) and a1 (the
// target), is created in `pool`.
absl::StatusOr<LossAttributes> ParseLoss(const Loss& text, int64_t classes,
                                         autodiff::symbolic::Pool& pool);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_
