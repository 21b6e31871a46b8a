#include "layers/network/loss_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/parse.h"
#include "base/status_macros.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {

namespace {

// Returns the Huber loss of d = prediction - target: d^2 / 2 up to |d| = delta, and linear beyond.
Expr HuberFormula(const Expr& d, double delta, autodiff::symbolic::Pool& pool) {
  using autodiff::symbolic::Abs;
  return autodiff::symbolic::Select(Abs(d), pool.Constant(delta), d * d * 0.5,
                                    delta * (Abs(d) - delta / 2));
}

absl::StatusOr<LossAttributes> ParseSoftmaxCrossEntropy(const Loss::SoftmaxCrossEntropy& text,
                                                        int64_t classes) {
  LossAttributes attributes;
  attributes.kind = LossKind::kSoftmaxCrossEntropy;
  attributes.label_smoothing = text.label_smoothing();
  attributes.class_weights.assign(text.class_weight().begin(), text.class_weight().end());
  if (!(attributes.label_smoothing >= 0 && attributes.label_smoothing <= 1)) {
    return Error(absl::StrCat("loss.softmax_cross_entropy.label_smoothing is ",
                              attributes.label_smoothing, "; expected 0 to 1"));
  }
  if (!attributes.class_weights.empty() &&
      static_cast<int64_t>(attributes.class_weights.size()) != classes) {
    return Error(absl::StrCat("loss.softmax_cross_entropy.class_weight has ",
                              attributes.class_weights.size(), " numbers for ", classes,
                              " classes; expected one for each"));
  }
  for (double weight : attributes.class_weights) {
    if (!(weight >= 0) || !std::isfinite(weight))
      return Error(absl::StrCat("loss.softmax_cross_entropy.class_weight holds ", weight,
                                "; expected 0 or more"));
  }
  const std::vector<double>& weights = attributes.class_weights;
  if (!weights.empty() && *std::max_element(weights.begin(), weights.end()) == 0)
    return Error(
        "loss.softmax_cross_entropy.class_weight is 0 for all classes; expected one above 0");
  return attributes;
}

// Returns the formula of the loss in the operands a0 (the prediction) and a1 (the target).
absl::StatusOr<Expr> ParseFormula(const Loss::Formula& text, autodiff::symbolic::Pool& pool) {
  autodiff::symbolic::ParseOptions options;
  options.variables = {"prediction", "target"};
  const absl::StatusOr<Expr> formula = autodiff::symbolic::Parse(text.text(), pool, options);
  if (!formula.ok()) return FormulaError(text.place(), "formula of the loss", formula.status());
  const Expr prediction = pool.Variable("prediction"), target = pool.Variable("target");
  if (!autodiff::symbolic::Contains(*formula, prediction)) {
    return Error(absl::StrCat("the loss \"", text.text(),
                              "\" does not depend on prediction; expected that in it"));
  }
  return autodiff::symbolic::Substitute(
      *formula, {{prediction, pool.Variable("a0")}, {target, pool.Variable("a1")}});
}

}  // namespace

TargetKind TargetKindOf(const Loss& text) {
  switch (text.kind_case()) {
    case Loss::kBinaryCrossEntropy:
      return TargetKind::kLabels;
    case Loss::kSquaredError:
    case Loss::kAbsoluteError:
    case Loss::kHuber:
      return TargetKind::kNumbers;
    case Loss::kSoftmaxCrossEntropy:
    case Loss::kHinge:
    case Loss::kMeanSquaredError:
    case Loss::kFocal:
    case Loss::kFormula:
    case Loss::KIND_NOT_SET:
      break;
  }
  return TargetKind::kClass;
}

const char* TargetNames(TargetKind kind) {
  return kind == TargetKind::kClass    ? "classes"
         : kind == TargetKind::kLabels ? "labels"
                                       : "numbers";
}

bool MixesImages(const Network& network) {
  const Train::Augmentation& augmentation = network.train().augmentation();
  return augmentation.has_mixup() || augmentation.has_cutmix();
}

absl::StatusOr<LossAttributes> ParseLoss(const Loss& text, int64_t classes,
                                         autodiff::symbolic::Pool& pool) {
  LossAttributes attributes;
  const Expr x = pool.Variable("a0"), t = pool.Variable("a1");
  const auto by_formula = [&](const Expr& formula) {
    attributes.kind = LossKind::kFormula;
    attributes.formula = formula;
  };
  switch (text.kind_case()) {
    case Loss::KIND_NOT_SET:
    case Loss::kSoftmaxCrossEntropy:
      return ParseSoftmaxCrossEntropy(text.softmax_cross_entropy(), classes);
    case Loss::kHinge:
      attributes.kind = LossKind::kHinge;
      attributes.margin = text.hinge().margin();
      if (!(attributes.margin >= 0) || !std::isfinite(attributes.margin))
        return Error(
            absl::StrCat("loss.hinge.margin is ", attributes.margin, "; expected 0 or more"));
      break;
    case Loss::kMeanSquaredError:
      attributes.kind = LossKind::kMeanSquaredError;
      break;
    case Loss::kFocal:
      attributes.kind = LossKind::kFocal;
      attributes.gamma = text.focal().gamma();
      if (!(attributes.gamma >= 0) || !std::isfinite(attributes.gamma))
        return Error(
            absl::StrCat("loss.focal.gamma is ", attributes.gamma, "; expected 0 or more"));
      break;
    case Loss::kBinaryCrossEntropy:
      by_formula(autodiff::symbolic::Softplus(x) - t * x);
      break;
    case Loss::kSquaredError:
      by_formula((x - t) * (x - t));
      break;
    case Loss::kAbsoluteError:
      by_formula(autodiff::symbolic::Abs(x - t));
      break;
    case Loss::kHuber: {
      const double delta = text.huber().delta();
      if (!(delta > 0) || !std::isfinite(delta))
        return Error(absl::StrCat("loss.huber.delta is ", delta, "; expected more than 0"));
      by_formula(HuberFormula(x - t, delta, pool));
      break;
    }
    case Loss::kFormula: {
      ASSIGN_OR_RETURN(const Expr formula, ParseFormula(text.formula(), pool));
      by_formula(formula);
      break;
    }
  }
  return attributes;
}

}  // namespace cotangent::layers
