#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

absl::StatusOr<Expr> AbsoluteError(const Loss&, const Expr& x, const Expr& t) {
  return autodiff::symbolic::Abs(x - t);
}

const RegisterLoss absolute_error(Loss::kAbsoluteError, TargetKind::kNumbers, AbsoluteError);

}  // namespace
}  // namespace cotangent::layers
