// The loss that a network text asks for.
#ifndef COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "layers/network/network.pb.h"
#include "layers/ops/loss.h"

namespace cotangent::layers {

// What a loss compares an image's prediction with.
enum class TargetKind {
  kClass,    // one class of several
  kLabels,   // of several labels those that are there: 1, else 0
  kNumbers,  // numbers
};
TargetKind TargetKindOf(const Loss& text);
// "classes", "labels", "numbers".
const char* TargetNames(TargetKind kind);
// Whether the recipe mixes images of a batch, and so their targets.
bool MixesImages(const Network& network);

// Checked against the number of classes; a formula lies in `pool`.
absl::StatusOr<LossAttributes> ParseLoss(const Loss& text, int64_t classes,
                                         autodiff::symbolic::Pool& pool);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_LOSS_TEXT_H_
