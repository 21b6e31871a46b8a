#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

absl::StatusOr<Expr> SquaredError(const Loss&, const Expr& x, const Expr& t) {
  return (x - t) * (x - t);
}

const RegisterLoss squared_error(Loss::kSquaredError, TargetKind::kNumbers, SquaredError);

}  // namespace
}  // namespace cotangent::layers
