#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/expression.h"
#include "base/status_macros.h"
#include "inference/onnx/onnx_formula.h"
#include "inference/onnx/rules/quantise.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using autodiff::symbolic::Expr;
using layers::Node;
using layers::TensorId;

// Adds no operator: OnnxNetwork::Constant() knows the value.
absl::Status Constant(const Node&, OnnxNetwork&) { return absl::OkStatus(); }

absl::Status Elementwise(const Node& node, OnnxNetwork& network) {
  const layers::Graph& graph = network.graph();
  const TensorId y = node.outputs[0];
  if (!network.Constant(y).empty()) return absl::OkStatus();
  if (ScaleOf(graph, node.inputs[0]).has_value()) {  // dequantises
    network.Set(y, Dequantised(node.inputs[0], network));
    return absl::OkStatus();
  }
  const Expr formula = node.as<Expr>();
  FormulaOperands operands;
  std::vector<Expr> constants;
  std::vector<std::vector<float>> values;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorId t = node.inputs[i];
    const Expr variable = graph.Operand(static_cast<int>(i));
    std::vector<float> constant = network.Constant(t);
    if (constant.empty()) {
      operands.computed[variable] = network.Value(t);
    } else {
      constants.push_back(variable);
      values.push_back(std::move(constant));
    }
  }
  operands.constant = [&](const Expr& e) -> absl::StatusOr<std::string> {
    if (e.IsConstant()) return network.onnx().Number(static_cast<float>(e.number().ToDouble()));
    std::vector<std::vector<float>> used;
    std::vector<Expr> variables;
    for (size_t i = 0; i < constants.size(); ++i) {
      if (!autodiff::symbolic::Contains(e, constants[i])) continue;
      variables.push_back(constants[i]);
      used.push_back(values[i]);
    }
    const std::vector<float> result = EvaluateByChannel(e, variables, used);
    return network.ChannelTensor(network.onnx().Unique(absl::StrCat(node.name, ".constant")),
                                 result, network.shape(y).rank());
  };
  ASSIGN_OR_RETURN(std::string value, AddFormula(formula, operands, network.onnx()));
  network.Set(y, std::move(value));
  return absl::OkStatus();
}

const RegisterOnnxRule constant("constant", Constant), elementwise("elementwise", Elementwise);

// onnx_cases.cc adds a case for each kind of activation.
const RegisterOnnxCases cases{
    {"leaky_relu_slope", "layer { activation { kind: LEAKY_RELU slope: 0.2 } }"},
    {"elu_alpha", "layer { activation { kind: ELU alpha: 1.5 } }"},
    {"residual",
     "layer { name: \"c\" convolution { channels: 3 kernel: 3 pad: 1 } } "
     "layer { input: \"c\" input: \"input\" add {} } layer { activation { kind: RELU } }"},
    {"gate",
     "layer { name: \"c\" convolution { channels: 4 kernel: 3 } } "
     "layer { name: \"g\" global_average_pool {} } "
     "layer { input: \"c\" input: \"g\" elementwise { formula: \"a * sigmoid(b)\" } } "
     "layer { prelu {} } layer { scale {} }"},
    {"formula_powers", "layer { activation { formula: \"(1 + x^2)^-0.5 - x^3 / 7 + 2^x\" } }"},
    {"formula_functions",
     "layer { activation { formula: \"sin(x) * cos(x) + tan(x / 4) + asin(x / 9) + acos(x / 9) + "
     "atan(x)\" } }"},
    {"formula_hyperbolic",
     "layer { activation { formula: \"sinh(x) / cosh(x) + asinh(x) + atanh(x / 9) + acosh(2 + "
     "x^2)\" } }"},
    {"formula_logarithms",
     "layer { activation { formula: \"ln(2 + abs(x)) + log2(1 + x^2) + log10(3 + x^2) + "
     "log1p(x^2)\" } }"},
    {"formula_rounding",
     "layer { activation { formula: \"round(3 * x + 0.2) + floor(x) - sign(x) + mod(x, 0.7)\" } }"},
    {"formula_others",
     "layer { activation { formula: \"hypot(x, 2) + cbrt(x) + erfc(x) + exp(-x) + expm1(x / 2)\" } "
     "}"},
    {"formula_activations",
     "layer { activation { formula: \"softsign(x) - gelu_tanh(x) * silu(x) + mish(x) + "
     "softplus(x)\" } }"},
    {"formula_branches",
     "layer { activation { formula: \"select(x, 0.5, min(x, 0), max(x, 1)) / (2 + sqrt(abs(x)))\" "
     "} }"},
};

}  // namespace
}  // namespace cotangent::inference
