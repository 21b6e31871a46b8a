#include "inference/onnx/onnx_formula.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/print.h"
#include "base/status_macros.h"

namespace cotangent::inference {
namespace {

using autodiff::symbolic::Expr;
using autodiff::symbolic::Op;

class Formula {
 public:
  Formula(const FormulaOperands& operands, OnnxGraph& graph) : operands_(operands), graph_(graph) {}

  absl::StatusOr<std::string> Run(const Expr& formula) {
    for (const Expr& e : autodiff::symbolic::TopologicalOrder({formula})) {
      bool varies = operands_.computed.contains(e);
      for (const Expr& argument : e.args()) varies |= varies_.at(argument);
      varies_[e] = varies;
    }
    return Value(formula);
  }

 private:
  using Name = std::string;

  // Returns the name of the ONNX value of an expression. Equal expressions share one value. The
  // recursion is as deep as the formula's parentheses nest, and the parser of formulas limits that
  // depth.
  absl::StatusOr<Name> Value(const Expr& e) {
    if (const auto found = values_.find(e); found != values_.end()) return found->second;
    if (const auto found = operands_.computed.find(e); found != operands_.computed.end())
      return found->second;
    ASSIGN_OR_RETURN(Name value, varies_.at(e) ? Make(e) : operands_.constant(e));
    values_[e] = value;
    return value;
  }

  // Returns whether `e`, a factor of a product, has the form u^-n with a number n > 0; the product
  // is then divided by u^n.
  static bool IsDivisor(const Expr& e) {
    return e.op() == Op::kPow && e.arg(1).IsConstant() && e.arg(1).number().ToDouble() < 0;
  }

  Name Add(absl::string_view op, std::vector<Name> inputs) {
    return graph_.Add(op, std::move(inputs));
  }
  Name Number(double value) { return graph_.Number(static_cast<float>(value)); }
  Name Power(const Name& base, double exponent) {
    if (exponent == 1) return base;
    if (exponent == 2) return Add("Mul", {base, base});
    if (exponent == 0.5) return Add("Sqrt", {base});
    if (exponent < 0) return Add("Reciprocal", {Power(base, -exponent)});
    return Add("Pow", {base, Number(exponent)});
  }

  // Combines the constant arguments of a sum or product into one expression; returns null if no
  // argument is constant.
  Expr ConstantPart(const Expr& e) const {
    std::vector<Expr> constant;
    for (const Expr& argument : e.args()) {
      if (!varies_.at(argument)) constant.push_back(argument);
    }
    if (constant.empty()) return Expr();
    return e.op() == Op::kAdd ? autodiff::symbolic::Add(constant)
                              : autodiff::symbolic::Mul(constant);
  }

  absl::StatusOr<Name> Product(const Expr& e) {
    Name product, divisor;
    for (const Expr& factor : e.args()) {
      if (!varies_.at(factor)) continue;
      const bool divides = IsDivisor(factor);
      ASSIGN_OR_RETURN(Name value, Value(divides ? factor.arg(0) : factor));
      if (divides) value = Power(value, -factor.arg(1).number().ToDouble());
      Name& side = divides ? divisor : product;
      side = side.empty() ? value : Add("Mul", {side, value});
    }
    if (const Expr constant = ConstantPart(e);
        constant && constant.IsNumber(-1) && !product.empty()) {
      product = Add("Neg", {product});
    } else if (constant) {
      ASSIGN_OR_RETURN(const Name factor, operands_.constant(constant));
      product = product.empty() ? factor : Add("Mul", {product, factor});
    }
    if (divisor.empty()) return product;
    return product.empty() ? Add("Reciprocal", {divisor}) : Add("Div", {product, divisor});
  }

  absl::StatusOr<Name> Sum(const Expr& e) {
    Name sum;
    for (const Expr& term : e.args()) {
      if (!varies_.at(term)) continue;
      ASSIGN_OR_RETURN(const Name value, Value(term));
      sum = sum.empty() ? value : Add("Add", {sum, value});
    }
    if (const Expr constant = ConstantPart(e)) {
      ASSIGN_OR_RETURN(const Name value, operands_.constant(constant));
      sum = Add("Add", {sum, value});
    }
    return sum;
  }

  absl::StatusOr<Name> Make(const Expr& e);

  const FormulaOperands& operands_;
  OnnxGraph& graph_;
  absl::flat_hash_map<Expr, bool> varies_;
  absl::flat_hash_map<Expr, Name> values_;
};

// Returns the name of the ONNX operator that computes this function, or null if there is none.
const char* OperatorOf(Op op) {
  switch (op) {
    case Op::kExp:
      return "Exp";
    case Op::kLn:
      return "Log";
    case Op::kSigmoid:
      return "Sigmoid";
    case Op::kSoftplus:
      return "Softplus";
    case Op::kSoftsign:
      return "Softsign";
    case Op::kSin:
      return "Sin";
    case Op::kCos:
      return "Cos";
    case Op::kTan:
      return "Tan";
    case Op::kAsin:
      return "Asin";
    case Op::kAcos:
      return "Acos";
    case Op::kAtan:
      return "Atan";
    case Op::kSinh:
      return "Sinh";
    case Op::kCosh:
      return "Cosh";
    case Op::kTanh:
      return "Tanh";
    case Op::kAsinh:
      return "Asinh";
    case Op::kAcosh:
      return "Acosh";
    case Op::kAtanh:
      return "Atanh";
    case Op::kErf:
      return "Erf";
    case Op::kAbs:
      return "Abs";
    case Op::kSign:
      return "Sign";
    case Op::kFloor:
      return "Floor";
    default:
      return nullptr;
  }
}

absl::StatusOr<std::string> Formula::Make(const Expr& e) {
  if (e.op() == Op::kAdd) return Sum(e);
  if (e.op() == Op::kMul) return Product(e);
  if (e.op() == Op::kPow && e.arg(1).IsConstant()) {
    ASSIGN_OR_RETURN(const Name base, Value(e.arg(0)));
    return Power(base, e.arg(1).number().ToDouble());
  }
  if (e.op() == Op::kMax && (e.arg(0).IsZero() || e.arg(1).IsZero())) {
    ASSIGN_OR_RETURN(const Name value, Value(e.arg(e.arg(0).IsZero() ? 1 : 0)));
    return Add("Relu", {value});
  }
  std::vector<Name> a;
  for (const Expr& argument : e.args()) {
    ASSIGN_OR_RETURN(Name value, Value(argument));
    a.push_back(std::move(value));
  }
  if (const char* op = OperatorOf(e.op())) return Add(op, a);
  switch (e.op()) {
    case Op::kPow:
      return Add("Pow", a);
    case Op::kLog2:
      return Add("Mul", {Add("Log", a), Number(1 / std::log(2.0))});
    case Op::kLog10:
      return Add("Mul", {Add("Log", a), Number(1 / std::log(10.0))});
    // ONNX has neither log1p nor expm1. Near 0 these replacements are less accurate: their absolute
    // error is about 1e-7.
    case Op::kLog1p:
      return Add("Log", {Add("Add", {a[0], Number(1)})});
    case Op::kExpm1:
      return Add("Sub", {Add("Exp", a), Number(1)});
    case Op::kErfc:
      return Add("Sub", {Number(1), Add("Erf", a)});
    case Op::kSech:
      return Add("Reciprocal", {Add("Cosh", a)});
    case Op::kLogSumExp:  // max(a, b) + ln(1 + e^-|a - b|)
      return Add("Add",
                 {Add("Max", a), Add("Softplus", {Add("Neg", {Add("Abs", {Add("Sub", a)})})})});
    case Op::kGeluTanh: {  // x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))
      const Name cube = Add("Mul", {Power(a[0], 2), a[0]});
      const Name sum = Add("Add", {a[0], Add("Mul", {cube, Number(0.044715)})});
      return Add("Mul", {a[0], Add("Sigmoid", {Add("Mul", {sum, Number(1.5957691216057308)})})});
    }
    case Op::kCbrt:
      return Add("Mul", {Add("Sign", a), Add("Pow", {Add("Abs", a), Number(1.0 / 3)})});
    case Op::kHypot:
      return Add("Sqrt", {Add("Add", {Power(a[0], 2), Power(a[1], 2)})});
    case Op::kStep:
      return Add("Where", {Add("Less", {Number(0), a[0]}), Number(1), Number(0)});
    case Op::kRound:  // halves away from 0
      return Add("Mul", {Add("Sign", a), Add("Floor", {Add("Add", {Add("Abs", a), Number(0.5)})})});
    case Op::kMod:  // with the sign of b
      return Add("Sub", {a[0], Add("Mul", {a[1], Add("Floor", {Add("Div", a)})})});
    case Op::kMin:
      return Add("Min", a);
    case Op::kMax:
      return Add("Max", a);
    case Op::kSelect:
      return Add("Where", {Add("Less", {a[0], a[1]}), a[2], a[3]});
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX has no operator for ", autodiff::symbolic::ToText(e),
                       "; use another function in the network's formula"));
  }
}

}  // namespace

absl::StatusOr<std::string> AddFormula(const Expr& formula, const FormulaOperands& operands,
                                       OnnxGraph& graph) {
  return Formula(operands, graph).Run(formula);
}

std::vector<float> EvaluateByChannel(const Expr& formula, const std::vector<Expr>& variables,
                                     const std::vector<std::vector<float>>& operands) {
  size_t count = 1;
  for (const auto& operand : operands) {
    if (operand.empty()) return {};
    count = std::max(count, operand.size());
  }
  const auto program = autodiff::symbolic::Program::Create({formula}, variables);
  if (!program.ok()) return {};
  std::vector<float> values(count);
  std::vector<double> point(operands.size());
  for (size_t c = 0; c < count; ++c) {
    for (size_t i = 0; i < operands.size(); ++i)
      point[i] = operands[i][operands[i].size() == 1 ? 0 : c];
    values[c] = static_cast<float>(program->Evaluate(point)[0]);
  }
  return values;
}

}  // namespace cotangent::inference
