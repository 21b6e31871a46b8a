#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/parse.h"
#include "layers/ops/layer.h"
#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// A formula of the network text in `prediction` and `target`.
absl::StatusOr<Expr> LossFormula(const Loss& text, const Expr& x, const Expr& t) {
  symbolic::Pool& pool = x.pool();
  symbolic::ParseOptions options;
  options.variables = {"prediction", "target"};
  const absl::StatusOr<Expr> formula = symbolic::Parse(text.formula().text(), pool, options);
  if (!formula.ok())
    return FormulaError(text.formula().place(), "formula of the loss", formula.status());
  const Expr prediction = pool.Variable("prediction"), target = pool.Variable("target");
  if (!symbolic::Contains(*formula, prediction)) {
    return Error(absl::StrCat("the loss \"", text.formula().text(),
                              "\" does not depend on prediction; expected that in it"));
  }
  return symbolic::Substitute(*formula, {{prediction, x}, {target, t}});
}

const RegisterLoss formula(Loss::kFormula, TargetKind::kClass, LossFormula);

}  // namespace
}  // namespace cotangent::layers
