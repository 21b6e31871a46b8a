#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/parse.h"
#include "layers/ops/layer.h"
#include "layers/ops/losses/loss_kind.h"

namespace cotangent::layers {
namespace {

namespace symbolic = autodiff::symbolic;

// A formula of the network text in `prediction` and `target`.
absl::StatusOr<Expr> LossFormula(const Loss& text, const Expr& x, const Expr& t) {
  if (!text.formula().has_text())
    return Error(
        "loss.formula.text is missing; expected a formula, such as "
        "\"abs(prediction - target)\"");
  symbolic::Pool& pool = x.pool();
  symbolic::ParseOptions options;
  options.variables = {"prediction", "target"};
  const absl::StatusOr<Expr> formula = symbolic::Parse(text.formula().text(), pool, options);
  if (!formula.ok())
    return FormulaError(text.formula().place(), "formula of the loss", formula.status());
  const Expr prediction = pool.Variable("prediction"), target = pool.Variable("target");
  if (!symbolic::Contains(*formula, prediction)) {
    return Error(absl::StrCat("loss.formula.text is \"", text.formula().text(),
                              "\", which does not depend on prediction; expected that in it, such "
                              "as \"abs(prediction - target)\""));
  }
  return symbolic::Substitute(*formula, {{prediction, x}, {target, t}});
}

const RegisterLoss formula(Loss::kFormula, TargetKind::kClass, LossFormula);

}  // namespace
}  // namespace cotangent::layers
