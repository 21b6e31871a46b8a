#include <cmath>

#include "absl/strings/str_cat.h"
#include "layers/network/sizes.h"
#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

// The Huber loss of d = x - t: d^2 / 2 up to |d| = delta, and linear beyond.
absl::StatusOr<Expr> Huber(const Loss& text, const Expr& x, const Expr& t) {
  using autodiff::symbolic::Abs;
  const double delta = text.huber().delta();
  if (!(delta > 0) || !std::isfinite(delta))
    return Error(absl::StrCat("loss.huber.delta is ", delta, "; expected more than 0"));
  const Expr d = x - t;
  return autodiff::symbolic::Select(Abs(d), d.pool().Constant(delta), d * d * 0.5,
                                    delta * (Abs(d) - delta / 2));
}

const RegisterLoss huber(Loss::kHuber, TargetKind::kNumbers, Huber);

}  // namespace
}  // namespace cotangent::layers
