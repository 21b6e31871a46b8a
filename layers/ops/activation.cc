// The built-in activations, and the layer `activation`.

#include "layers/ops/activation.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "autodiff/symbolic/parse.h"
#include "base/registered_twice.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"

namespace cotangent::layers {
namespace {

struct Activation {
  const char* formula;
  std::vector<std::string> aliases;
};

std::map<Layer::Activation::Kind, Activation>& Activations() {
  static auto& activations = *new std::map<Layer::Activation::Kind, Activation>;
  return activations;
}

// Lists aliases by which error messages suggest what to write instead if a network text names an
// activation where a layer is expected (`relu {}`: `activation`), or in another spelling than the
// kind's (`kind: Swish`: `SILU`).
std::vector<Alias> ActivationAliases() {
  std::vector<Alias> all;
  for (const auto& [kind, activation] : Activations()) {
    const std::string& name = Layer::Activation::Kind_Name(kind);
    std::vector<std::string> theirs = activation.aliases;
    theirs.push_back(name);
    for (const std::string& alias : theirs) {
      all.push_back({alias, name});
      all.push_back({alias, "activation"});
    }
  }
  return all;
}

// Returns the formula of an activation layer, where `text` is the layer's message in the network
// text (the .textproto file that describes a network): the formula in `text`, or else the one
// registered for the kind in `text`, with the numbers in `text` in place of `slope` and `alpha`.
// Returns "" if no formula is registered for the kind.
std::string FormulaOf(const Layer::Activation& text) {
  if (text.has_formula()) return text.formula();
  const char* const known = FindActivation(text.kind());
  if (known == nullptr) return "";
  return absl::StrReplaceAll(known, {{"slope", absl::StrFormat("%.17g", text.slope())},
                                     {"alpha", absl::StrFormat("%.17g", text.alpha())}});
}

absl::StatusOr<Value> ActivationLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.activation();
  const std::string& name = b.name();
  const Value& input = b.input();
  if (text.has_formula() == text.has_kind()) {
    return Error(text.has_kind()
                     ? "has both a kind and a formula; expected one of them"
                     : "has neither a kind nor a formula; expected one, such as kind: RELU");
  }
  for (double number : {text.slope(), text.alpha()}) {
    if (!std::isfinite(number)) return Error("slope or alpha is not finite; expected a number");
  }
  b.row().kind = text.has_formula()
                     ? "formula"
                     : absl::AsciiStrToLower(Layer::Activation::Kind_Name(text.kind()));
  const std::string formula = FormulaOf(text);
  if (formula.empty() && text.has_kind())
    return absl::InternalError(absl::StrCat("no formula for ", b.row().kind));
  autodiff::symbolic::Pool pool;
  autodiff::symbolic::ParseOptions options;
  options.variables = {"x"};
  const absl::StatusOr<Expr> parsed = autodiff::symbolic::Parse(formula, pool, options);
  if (!parsed.ok())
    return FormulaError(text.formula_place(), absl::StrCat("formula of layer '", name, "'"),
                        parsed.status());
  if (autodiff::symbolic::Variables(*parsed).empty())
    return Error(
        absl::StrCat("its formula \"", formula, "\" does not depend on x; expected x in it"));
  ASSIGN_OR_RETURN(const TensorId y, Formula(b.graph(), name, formula, {{"x", input.id}}));
  return Value{y, input.is_flattened, ""};
}

const RegisterLayer activation_layer(
    Layer::kActivation, ActivationLayer,
    {.field_aliases = {{"function", "kind"}, {"negative_slope", "slope"}, {"type", "kind"}}});
const RegisterAliases activation_aliases(ActivationAliases);

}  // namespace

RegisterActivation::RegisterActivation(Layer::Activation::Kind kind, const char* formula,
                                       std::vector<std::string> aliases) {
  if (!Activations().emplace(kind, Activation{formula, std::move(aliases)}).second)
    RegisteredTwice(absl::StrCat("activation ", Layer::Activation::Kind_Name(kind)));
}

const char* FindActivation(Layer::Activation::Kind kind) {
  const auto found = Activations().find(kind);
  return found == Activations().end() ? nullptr : found->second.formula;
}

namespace {

const RegisterActivation relu(Layer::Activation::RELU, "max(0, x)");
const RegisterActivation leaky_relu(Layer::Activation::LEAKY_RELU, "select(0, x, x, slope * x)");
const RegisterActivation elu(Layer::Activation::ELU, "select(0, x, x, alpha * expm1(x))");
const RegisterActivation gelu(Layer::Activation::GELU, "x * (1 + erf(x / sqrt(2))) / 2");
const RegisterActivation gelu_tanh(Layer::Activation::GELU_TANH,
                                   "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2");
const RegisterActivation silu(Layer::Activation::SILU, "x * sigmoid(x)", {"Swish"});
const RegisterActivation sigmoid(Layer::Activation::SIGMOID, "sigmoid(x)");
const RegisterActivation tanh(Layer::Activation::TANH, "tanh(x)");
const RegisterActivation softplus(Layer::Activation::SOFTPLUS, "softplus(x)");
const RegisterActivation softsign(Layer::Activation::SOFTSIGN, "x / (1 + abs(x))");
const RegisterActivation hard_sigmoid(Layer::Activation::HARD_SIGMOID, "min(max(x + 3, 0), 6) / 6");
const RegisterActivation relu6(Layer::Activation::RELU6, "min(max(x, 0), 6)");
const RegisterActivation hard_swish(Layer::Activation::HARD_SWISH, "x * min(max(x + 3, 0), 6) / 6");

}  // namespace
}  // namespace cotangent::layers
