#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

// -t ln p - (1 - t) ln(1 - p) with p = sigmoid(x), written so that it does not overflow.
absl::StatusOr<Expr> BinaryCrossEntropy(const Loss&, const Expr& x, const Expr& t) {
  return autodiff::symbolic::Softplus(x) - t * x;
}

const RegisterLoss binary_cross_entropy(Loss::kBinaryCrossEntropy, TargetKind::kLabels,
                                        BinaryCrossEntropy);

}  // namespace
}  // namespace cotangent::layers
