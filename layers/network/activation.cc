#include "layers/network/activation.h"

#include "absl/strings/str_format.h"

namespace cotangent::layers {

std::string ActivationFormula(const Layer::Activation& activation) {
  if (activation.has_formula()) return activation.formula();
  switch (activation.kind()) {
    case Layer::Activation::RELU:
      return "max(0, x)";
    case Layer::Activation::LEAKY_RELU:
      return absl::StrFormat("select(0, x, x, %.17g * x)", activation.slope());
    case Layer::Activation::ELU:
      return absl::StrFormat("select(0, x, x, %.17g * expm1(x))", activation.alpha());
    case Layer::Activation::GELU:
      return "x * (1 + erf(x / sqrt(2))) / 2";
    case Layer::Activation::GELU_TANH:
      return "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2";
    case Layer::Activation::SILU:
      return "x * sigmoid(x)";
    case Layer::Activation::SIGMOID:
      return "sigmoid(x)";
    case Layer::Activation::TANH:
      return "tanh(x)";
    case Layer::Activation::SOFTPLUS:
      return "softplus(x)";
    case Layer::Activation::SOFTSIGN:
      return "x / (1 + abs(x))";
    case Layer::Activation::HARD_SWISH:
      return "x * min(max(x + 3, 0), 6) / 6";
  }
  return "x";
}

}  // namespace cotangent::layers
