// The layers `multiply` and `elementwise`, which combine several inputs.

#include "layers/ops/combine.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "layers/ops/average_pool.h"
#include "layers/ops/elementwise.h"

namespace cotangent::layers {

absl::StatusOr<TensorId> Spread(Graph& graph, absl::string_view name, TensorId x, int64_t height,
                                int64_t width) {
  if (height == 1 && width == 1) return x;
  ASSIGN_OR_RETURN(const TensorId shares, SpreadEvenly(graph, name, x, height, width));
  return Elementwise(graph, name, graph.Operand(0) * static_cast<double>(height * width), {shares});
}

absl::StatusOr<std::vector<TensorId>> BroadcastInputs(LayerBuilder& b) {
  std::vector<TensorId> made;
  const Shape* largest = &b.shape(b.input());
  bool flat = true;
  for (const Value& input : b.inputs()) {
    const Shape& s = b.shape(input);
    if (s.NumElements() > largest->NumElements()) largest = &s;
    flat = flat && (input.is_flattened || s.rank() != 4);
  }
  const Shape result = *largest;
  for (const Value& input : b.inputs()) {
    const Shape s = b.shape(input);
    if (flat && b.Seen(input) == b.Seen(b.input())) {
      ASSIGN_OR_RETURN(made.emplace_back(), b.Flat(input));
      continue;
    }
    const bool is_image = !flat && !input.is_flattened && s.rank() == 4 && result.rank() == 4;
    if (is_image && s == result) {
      made.push_back(input.id);
    } else if (is_image && s[1] == result[1] && s[2] == 1 && s[3] == 1) {
      ASSIGN_OR_RETURN(made.emplace_back(),
                       Spread(b.graph(), b.name(), input.id, result[2], result[3]));
    } else {
      return Error(absl::StrCat("its inputs do not fit each other: ", b.ListShapes(),
                                "; expected one shape, or [C, 1, 1] beside [C, H, W] with the same "
                                "C: a 1x1 convolution changes the channels"));
    }
  }
  return made;
}

namespace {

absl::StatusOr<Value> MultiplyLayer(const Layer&, LayerBuilder& b) {
  RETURN_IF_ERROR(b.NeedSeveral());
  ASSIGN_OR_RETURN(const std::vector<TensorId> factors, BroadcastInputs(b));
  std::vector<Expr> operands;
  for (size_t i = 0; i < factors.size(); ++i)
    operands.push_back(b.graph().Operand(static_cast<int>(i)));
  return b.Made(Elementwise(b.graph(), b.name(), autodiff::symbolic::Mul(operands), factors));
}

// The names of the variables in an elementwise layer's formula: the first input is a, the second b,
// and so on. The letter e is left out because it is Euler's number in formulas.
constexpr char kVariables[] = "abcdfghijklmn";

absl::StatusOr<Value> ElementwiseLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.elementwise();
  if (!text.has_formula())
    return Error("has no formula; expected one, such as formula: \"a * sigmoid(b)\"");
  if (b.inputs().size() > sizeof(kVariables) - 1)
    return Error(absl::StrCat("has ", b.inputs().size(), " inputs; expected at most ",
                              sizeof(kVariables) - 1));
  ASSIGN_OR_RETURN(const std::vector<TensorId> inputs, BroadcastInputs(b));
  std::vector<std::pair<std::string, TensorId>> operands;
  autodiff::symbolic::ParseOptions options;
  options.variables.emplace();
  for (size_t i = 0; i < inputs.size(); ++i) {
    operands.emplace_back(std::string(1, kVariables[i]), inputs[i]);
    options.variables->push_back(operands.back().first);
  }
  autodiff::symbolic::Pool pool;
  const absl::StatusOr<Expr> parsed = autodiff::symbolic::Parse(text.formula(), pool, options);
  if (!parsed.ok())
    return FormulaError(text.formula_place(), absl::StrCat("formula of layer '", b.name(), "'"),
                        parsed.status());
  for (size_t i = 0; i < operands.size(); ++i) {
    const std::string& variable = operands[i].first;
    if (autodiff::symbolic::Contains(*parsed, pool.Variable(variable))) continue;
    return Error(absl::StrCat("its formula \"", text.formula(), "\" does not depend on ", variable,
                              ", its input '", b.inputs()[i].maker,
                              "'; expected every input in it"));
  }
  return b.Made(Formula(b.graph(), b.name(), text.formula(), operands));
}

const RegisterLayer multiply_layer(Layer::kMultiply, MultiplyLayer,
                                   {.reads_several = true,
                                    .aliases = {"Gate", "mul", "prod", "Product", "SE", "SEBlock",
                                                "SqueezeExcitation", "SqueezeExcite"}});
const RegisterLayer elementwise_layer(Layer::kElementwise, ElementwiseLayer,
                                      {.reads_several = true, .aliases = {"Eltwise"}});

}  // namespace
}  // namespace cotangent::layers
