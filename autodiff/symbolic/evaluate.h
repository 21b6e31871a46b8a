#ifndef COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/math.h"
#include "autodiff/symbolic/expression.h"

// The value of an expression, for any scalar: double, dual numbers, tape variables.
//
//   auto program = Program::Create({f1, f2}, {w1, w2});
//   std::vector<double> values = program->Evaluate<double>({1, 2});
//   std::vector<Dual> duals = program->Evaluate<Dual>(dual_inputs);
namespace cotangent::autodiff::symbolic {

// Values of variables by name.
using Bindings = absl::flat_hash_map<std::string, double>;

// Expressions laid out for evaluation: each node once, arguments first. Immutable; any number of
// threads may evaluate one. It refers to nothing in the Pool it was made from.
class Program {
 public:
  // One node: its operation and the slots of its arguments, arguments_begin on, in
  // argument_slots().
  struct Step {
    Op op;
    uint32_t arguments_begin;
    uint32_t arguments_end;
    uint32_t variable;  // Of a kVariable: position in `variables`.
    double value;       // Of a kConstant.
    // Of a kPow whose exponent is a constant; NaN otherwise.
    double exponent;
  };

  // Errors: a variable of the outputs that `variables` does not list (says which, and lists those
  // there are).
  static absl::StatusOr<Program> Create(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables);

  // Output values at a point, given in the order of `variables`. T needs to be made from double,
  // compare with <, and bring the functions of autodiff/math.h by argument-dependent lookup.
  // Outside the domain: NaN or infinity.
  template <typename T>
  std::vector<T> Evaluate(absl::Span<const T> point) const;
  template <typename T>
  std::vector<T> Evaluate(const std::vector<T>& point) const {
    return Evaluate<T>(absl::Span<const T>(point));
  }
  // The value of every node, in the order of steps().
  template <typename T>
  std::vector<T> EvaluateAll(absl::Span<const T> point) const;

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<uint32_t>& argument_slots() const { return argument_slots_; }
  const std::vector<uint32_t>& outputs() const { return outputs_; }

 private:
  std::vector<Step> steps_;
  std::vector<uint32_t> argument_slots_;
  std::vector<uint32_t> outputs_;
};

// The value at a point, checked. Errors: a variable without a value; outside the domain (says which
// subexpression, at which value of its argument); overflow (likewise). Branches of select that are
// not taken may be undefined.
absl::StatusOr<double> Evaluate(Expr e, const Bindings& point);
absl::StatusOr<std::vector<double>> Evaluate(absl::Span<const Expr> outputs, const Bindings& point);

namespace internal {

// a^n by repeated squaring.
template <typename T>
T IntegerPower(const T& a, int n) {
  if (n < 0) return T(1.0) / IntegerPower(a, -n);
  if (n == 1) return a;
  if (n % 2 == 1) return a * IntegerPower(a, n - 1);
  const T half = IntegerPower(a, n / 2);
  return half * half;
}

template <typename T>
T ConstantPower(const T& a, double exponent) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself.
  if (exponent == 0.5) return sqrt(a);
  if (exponent == -0.5) return T(1.0) / sqrt(a);
  if (exponent == std::floor(exponent) && std::abs(exponent) <= 64) {
    return IntegerPower(a, static_cast<int>(exponent));
  }
  // Of a double, where T's pow takes one: a constant exponent has no derivative of its own.
  if constexpr (requires { T(pow(a, exponent)); }) {
    return T(pow(a, exponent));
  } else {
    return T(pow(a, T(exponent)));
  }
}

// What each operation computes. `arg(i)` is the i-th argument's value.
template <typename T, typename Argument>
T ApplyStep(const Program::Step& step, Argument arg) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself.
  switch (step.op) {
    case Op::kConstant:
      return T(step.value);
    case Op::kPi:
      return T(std::numbers::pi);
    case Op::kVariable:
      break;  // The caller's.
    case Op::kAdd: {
      T sum = arg(0);
      for (uint32_t i = 1; i < step.arguments_end - step.arguments_begin; ++i) sum = sum + arg(i);
      return sum;
    }
    case Op::kMul: {
      T product = arg(0);
      for (uint32_t i = 1; i < step.arguments_end - step.arguments_begin; ++i) {
        product = product * arg(i);
      }
      return product;
    }
    case Op::kPow:
      return std::isnan(step.exponent) ? T(pow(arg(0), arg(1)))
                                       : ConstantPower<T>(arg(0), step.exponent);
    case Op::kExp:
      return exp(arg(0));
    case Op::kLn:
      return log(arg(0));
    case Op::kSin:
      return sin(arg(0));
    case Op::kCos:
      return cos(arg(0));
    case Op::kTan:
      return tan(arg(0));
    case Op::kAsin:
      return asin(arg(0));
    case Op::kAcos:
      return acos(arg(0));
    case Op::kAtan:
      return atan(arg(0));
    case Op::kSinh:
      return sinh(arg(0));
    case Op::kCosh:
      return cosh(arg(0));
    case Op::kTanh:
      return tanh(arg(0));
    case Op::kAsinh:
      return asinh(arg(0));
    case Op::kAcosh:
      return acosh(arg(0));
    case Op::kAtanh:
      return atanh(arg(0));
    case Op::kLog1p:
      return log1p(arg(0));
    case Op::kExpm1:
      return expm1(arg(0));
    case Op::kErf:
      return erf(arg(0));
    case Op::kErfc:
      return erfc(arg(0));
    case Op::kSigmoid:
      return sigmoid(arg(0));
    case Op::kSoftplus:
      return softplus(arg(0));
    case Op::kAbs:
      return abs(arg(0));
    case Op::kSign:
      return sign(arg(0));
    case Op::kStep:
      return T(0.0) < arg(0) ? T(1.0) : T(0.0);
    case Op::kFloor:
      return floor(arg(0));
    case Op::kMin:
      return arg(1) < arg(0) ? arg(1) : arg(0);
    case Op::kMax:
      return arg(0) < arg(1) ? arg(1) : arg(0);
    case Op::kSelect:
      return arg(0) < arg(1) ? arg(2) : arg(3);
  }
  return T(0.0);
}

}  // namespace internal

template <typename T>
std::vector<T> Program::EvaluateAll(absl::Span<const T> point) const {
  std::vector<T> values;
  values.reserve(steps_.size());
  for (const Step& step : steps_) {
    if (step.op == Op::kVariable) {
      values.push_back(point[step.variable]);
      continue;
    }
    values.push_back(internal::ApplyStep<T>(step, [&](uint32_t i) -> const T& {
      return values[argument_slots_[step.arguments_begin + i]];
    }));
  }
  return values;
}

template <typename T>
std::vector<T> Program::Evaluate(absl::Span<const T> point) const {
  const std::vector<T> values = EvaluateAll<T>(point);
  std::vector<T> result;
  result.reserve(outputs_.size());
  for (uint32_t slot : outputs_) result.push_back(values[slot]);
  return result;
}

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_
