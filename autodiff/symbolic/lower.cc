#include "autodiff/symbolic/lower.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
using codegen::Value;
using codegen::VectorProgram;

namespace {

class Lowering {
 public:
  Lowering(const VariableValues& variables, VectorProgram& program)
      : variables_(variables), program_(program) {}

  absl::StatusOr<std::vector<Value>> Run(absl::Span<const Expr> roots);

 private:
  void CountUses(absl::Span<const Expr> nodes, absl::Span<const Expr> roots);
  // Returns the factors of a product. A factor that is itself a product, is not constant and is
  // used by nothing else, is replaced by its own factors.
  std::vector<Expr> Factors(Expr product) const;
  absl::StatusOr<Value> LowerNode(Expr e);
  absl::StatusOr<Value> LowerVariable(Expr e);
  Value LowerSum(Expr e);
  Value LowerProduct(Expr e);
  Value LowerPower(Expr e);
  absl::StatusOr<Value> LowerFunction(Expr e);
  bool IsConstant(Expr e) const { return constants_.contains(e); }
  double ConstantOf(Expr e) const { return constants_.at(e); }
  Value At(Expr e);
  Value PositivePower(Expr base, double exponent) {
    if (exponent == 0.5) return program_.Sqrt(At(base));
    return program_.Pow(At(base), program_.Constant(static_cast<float>(exponent)));
  }

  const VariableValues& variables_;
  VectorProgram& program_;
  absl::flat_hash_map<Expr, Value> values_;
  absl::flat_hash_map<Expr, double> constants_;  // subexpressions without variables
  absl::flat_hash_map<Expr, int> uses_, divisions_by_;
};

// Returns whether e is a power with a constant negative exponent, which stands in a denominator.
bool IsReciprocal(Expr e) {
  return e.op() == Op::kPow && e.arg(1).IsConstant() && e.arg(1).number().sign() < 0;
}

void Lowering::CountUses(absl::Span<const Expr> nodes, absl::Span<const Expr> roots) {
  for (const Expr root : roots) {
    ++uses_[root];
    if (IsReciprocal(root)) ++divisions_by_[root.arg(0)];
  }
  for (const Expr e : nodes) {
    for (const Expr argument : e.args()) {
      ++uses_[argument];
      if (IsReciprocal(argument)) ++divisions_by_[argument.arg(0)];
    }
  }
}

std::vector<Expr> Lowering::Factors(Expr product) const {
  std::vector<Expr> factors;
  std::vector<Expr> pending(product.args().rbegin(), product.args().rend());
  while (!pending.empty()) {
    const Expr e = pending.back();
    pending.pop_back();
    if (e.op() == Op::kMul && !IsConstant(e) && uses_.at(e) == 1) {
      pending.insert(pending.end(), e.args().rbegin(), e.args().rend());
    } else {
      factors.push_back(e);
    }
  }
  return factors;
}

absl::StatusOr<std::vector<Value>> Lowering::Run(absl::Span<const Expr> roots) {
  const std::vector<Expr> nodes = TopologicalOrder(roots);
  CountUses(nodes, roots);
  for (const Expr e : nodes) {
    const absl::Span<const Expr> args = e.args();
    if (e.op() != Op::kVariable &&
        std::all_of(args.begin(), args.end(), [this](Expr a) { return IsConstant(a); })) {
      ASSIGN_OR_RETURN(constants_[e], Evaluate(e, Bindings()));
      continue;
    }
    ASSIGN_OR_RETURN(values_[e], LowerNode(e));
  }
  std::vector<Value> results;
  for (const Expr root : roots) results.push_back(At(root));
  return results;
}

Value Lowering::At(Expr e) {
  const auto constant = constants_.find(e);
  if (constant != constants_.end()) return program_.Constant(static_cast<float>(constant->second));
  return values_.at(e);
}

absl::StatusOr<Value> Lowering::LowerVariable(Expr e) {
  const auto found = variables_.find(e.name());
  if (found != variables_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, value] : variables_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return absl::InvalidArgumentError(absl::StrCat(
      "the formula uses ", e.name(), ", but the variables are ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<Value> Lowering::LowerNode(Expr e) {
  switch (e.op()) {
    case Op::kVariable:
      return LowerVariable(e);
    case Op::kAdd:
      return LowerSum(e);
    case Op::kMul:
      return LowerProduct(e);
    case Op::kPow:
      return LowerPower(e);
    default:
      return LowerFunction(e);
  }
}

// Adds products (and powers) last: each term that is a product in the vector program then becomes
// part of a fused multiply-add (FMA).
Value Lowering::LowerSum(Expr e) {
  double constant = 0;
  std::vector<Expr> terms;
  for (const Expr term : e.args()) {
    if (IsConstant(term)) {
      constant += ConstantOf(term);
    } else {
      terms.push_back(term);
    }
  }
  std::stable_partition(terms.begin(), terms.end(),
                        [](Expr term) { return term.op() != Op::kMul && term.op() != Op::kPow; });
  Value sum = program_.Constant(static_cast<float>(constant));
  for (const Expr term : terms) sum = program_.Add(sum, At(term));
  return sum;
}

// x * sign(x) becomes |x|. All constant factors become one, and all denominators become one
// division. But a denominator that occurs in other products too becomes a reciprocal that all of
// these products share.
Value Lowering::LowerProduct(Expr e) {
  double coefficient = 1;
  Value numerator = -1, denominator = -1;
  const auto times = [this](Value& product, Value factor) {
    product = product < 0 ? factor : program_.Mul(product, factor);
  };
  std::vector<Expr> factors = Factors(e);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (factors[i].op() != Op::kSign) continue;
    const auto number = std::find(factors.begin(), factors.end(), factors[i].arg(0));
    if (number == factors.end()) continue;
    times(numerator, program_.Abs(At(*number)));
    const Expr sign = factors[i];
    factors.erase(number);
    factors.erase(std::find(factors.begin(), factors.end(), sign));
    break;
  }
  for (const Expr factor : factors) {
    if (IsConstant(factor)) {
      coefficient *= ConstantOf(factor);
    } else if (IsReciprocal(factor) && divisions_by_[factor.arg(0)] == 1) {
      times(denominator, PositivePower(factor.arg(0), -factor.arg(1).number().ToDouble()));
    } else {
      times(numerator, At(factor));
    }
  }
  const Value constant = program_.Constant(static_cast<float>(coefficient));
  numerator = numerator < 0 ? constant : program_.Mul(numerator, constant);
  return denominator < 0 ? numerator : program_.Div(numerator, denominator);
}

Value Lowering::LowerPower(Expr e) {
  if (!IsConstant(e.arg(1))) return program_.Pow(At(e.arg(0)), At(e.arg(1)));
  const double exponent = ConstantOf(e.arg(1));
  if (exponent == -0.5) return program_.Reciprocal(program_.Sqrt(At(e.arg(0))));
  const bool integral = exponent == std::floor(exponent) && std::abs(exponent) <= 32;
  if (exponent < 0 && integral) {
    const Value reciprocal = program_.Reciprocal(At(e.arg(0)));
    return program_.Pow(reciprocal, program_.Constant(static_cast<float>(-exponent)));
  }
  return PositivePower(e.arg(0), exponent);
}

absl::StatusOr<Value> Lowering::LowerFunction(Expr e) {
  const Operation& operation = Info(e.op());
  if (operation.lower == nullptr) {
    return absl::UnimplementedError(absl::StrCat(
        operation.name, " cannot be compiled: there is no such function in f32 vector code"));
  }
  std::vector<Value> arguments;
  for (const Expr argument : e.args()) arguments.push_back(At(argument));
  return operation.lower(program_, arguments);
}

}  // namespace

absl::StatusOr<std::vector<Value>> Lower(absl::Span<const Expr> roots,
                                         const VariableValues& variables, VectorProgram& program) {
  return Lowering(variables, program).Run(Plain(roots));
}

absl::StatusOr<Value> Lower(Expr e, const VariableValues& variables, VectorProgram& program) {
  ASSIGN_OR_RETURN(const std::vector<Value> values,
                   Lower(absl::Span<const Expr>(&e, 1), variables, program));
  return values.front();
}

}  // namespace cotangent::autodiff::symbolic
