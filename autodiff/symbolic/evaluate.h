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
    // Known without the point: of a kConstant, and of what is made of constants only. Then `value`
    // is the node's.
    bool constant;
    uint32_t arguments_begin;
    uint32_t arguments_end;
    uint32_t variable;  // Of a kVariable: position in `variables`.
    double value;
    // Of a kPow the exponent and of a kPolygamma the order, where that is a constant; else NaN.
    double parameter;
  };

  // Errors: a variable of the outputs that `variables` does not list (says which, and lists those
  // there are).
  static absl::StatusOr<Program> Create(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables);

  // Output values at a point, given in the order of `variables`. T needs to be made from double,
  // compare with < and ==, and bring the functions of autodiff/math.h by argument-dependent lookup.
  // Outside the domain: NaN or infinity. What only a branch that is not taken asks for is not
  // computed.
  template <typename T>
  std::vector<T> Evaluate(absl::Span<const T> point) const;
  template <typename T>
  std::vector<T> Evaluate(const std::vector<T>& point) const {
    return Evaluate<T>(absl::Span<const T>(point));
  }
  // The value of every node, in the order of steps(), of branches that are not taken too.
  template <typename T>
  std::vector<T> EvaluateAll(absl::Span<const T> point) const;

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<uint32_t>& argument_slots() const { return argument_slots_; }
  const std::vector<uint32_t>& outputs() const { return outputs_; }

 private:
  std::vector<Step> steps_;
  std::vector<uint32_t> argument_slots_;
  template <typename T>
  std::vector<T> EvaluateWhatIsTaken(absl::Span<const T> point) const;

  std::vector<uint32_t> outputs_;
  bool chooses_ = false;  // Whether there is a branch that may not be taken.
};

// The value at a point, checked. Errors: a variable without a value; outside the domain (says which
// subexpression, at which value of its argument); overflow (likewise). Branches of select that are
// not taken may be undefined.
absl::StatusOr<double> Evaluate(Expr e, const Bindings& point);
absl::StatusOr<std::vector<double>> Evaluate(absl::Span<const Expr> outputs, const Bindings& point);

// The nodes, in the order of program.steps(), whose values the outputs depend on at a point where
// EvaluateAll() gave `values`: all but those of branches that are not taken.
std::vector<bool> WhatIsTaken(const Program& program, absl::Span<const double> values);

namespace internal {

// a^exponent: to the last bit the plain function's, so that what rounds down to a whole number there
// does so here.
template <typename T>
T ConstantPower(const T& a, double exponent) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself.
  if (exponent == 0.5) return sqrt(a);
  if (exponent == -0.5) return T(1.0) / sqrt(a);
  if (exponent == 2) return a * a;
  if (exponent == -1) return T(1.0) / a;
  // Of a double, where T's pow takes one: a constant exponent has no derivative of its own.
  if constexpr (requires { T(pow(a, exponent)); }) {
    return T(pow(a, exponent));
  } else {
    return T(pow(a, T(exponent)));
  }
}

// 2 / (e^a + e^-a), by the exponential that does not overflow.
template <typename T>
T HyperbolicSecant(const T& a) {
  using namespace autodiff::functions;  // NOLINT
  const T small = exp(a < T(0.0) ? T(a) : T(-a));
  return T(2.0) * small / (T(1.0) + small * small);
}

// a - b floor(a / b), exactly.
template <typename T>
T Modulo(const T& a, const T& b) {
  using namespace autodiff::functions;  // NOLINT
  const T rest = fmod(a, b);
  const T zero(0.0);
  return rest == zero || (rest < zero) == (b < zero) ? rest : T(rest + b);
}

template <typename T, typename Argument>
T SumOf(uint32_t count, Argument arg) {
  T sum = arg(0);
  for (uint32_t i = 1; i < count; ++i) sum = sum + arg(i);
  return sum;
}

template <typename T, typename Argument>
T ProductOf(uint32_t count, Argument arg) {
  T product = arg(0);
  for (uint32_t i = 1; i < count; ++i) product = product * arg(i);
  return product;
}

// What each operation computes. `arg(i)` is the i-th argument's value.
template <typename T, typename Argument>
T ApplyStep(const Program::Step& step, absl::Span<const T> point, Argument arg) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself.
  if (step.constant) return T(step.value);
  if (step.op == Op::kVariable) return point[step.variable];
  const uint32_t count = step.arguments_end - step.arguments_begin;
  [[maybe_unused]] const T &a = arg(0), &b = arg(count > 1 ? 1 : 0), &c = arg(count > 2 ? 2 : 0),
                           &d = arg(count > 3 ? 3 : 0);
  switch (step.op) {
#define OPERATION(op, name, arguments, value, ...) \
  case Op::op:                                     \
    return value;
#include "autodiff/symbolic/operations.inc"
#undef OPERATION
  }
  return T(0.0);
}

}  // namespace internal

template <typename T>
std::vector<T> Program::EvaluateAll(absl::Span<const T> point) const {
  std::vector<T> values;
  values.reserve(steps_.size());
  for (const Step& step : steps_) {
    values.push_back(internal::ApplyStep<T>(step, point, [&](uint32_t i) -> const T& {
      return values[argument_slots_[step.arguments_begin + i]];
    }));
  }
  return values;
}

// From the outputs down: a choice asks for its condition, then for the branch taken; a strong product
// for its second factor only where the first is not 0.
template <typename T>
std::vector<T> Program::EvaluateWhatIsTaken(absl::Span<const T> point) const {
  std::vector<T> values(steps_.size(), T(0.0));
  std::vector<bool> done(steps_.size(), false);
  std::vector<uint32_t> open(outputs_.rbegin(), outputs_.rend());
  while (!open.empty()) {
    const uint32_t slot = open.back();
    const Step& step = steps_[slot];
    const auto argument = [&](uint32_t i) { return argument_slots_[step.arguments_begin + i]; };
    const auto ask = [&](uint32_t i) {
      if (!done[argument(i)]) open.push_back(argument(i));
    };
    const size_t before = open.size();
    if (!done[slot] && !step.constant) {
      if (step.op == Op::kSelect) {
        ask(0);
        ask(1);
        if (open.size() == before) ask(values[argument(0)] < values[argument(1)] ? 2 : 3);
      } else if (step.op == Op::kStrongMul) {
        ask(0);
        if (open.size() == before && !(values[argument(0)] == T(0.0))) ask(1);
      } else {
        for (uint32_t i = 0; i < step.arguments_end - step.arguments_begin; ++i) ask(i);
      }
    }
    if (open.size() > before) continue;
    open.pop_back();
    if (done[slot]) continue;
    done[slot] = true;
    values[slot] = internal::ApplyStep<T>(
        step, point, [&](uint32_t i) -> const T& { return values[argument(i)]; });
  }
  return values;
}

template <typename T>
std::vector<T> Program::Evaluate(absl::Span<const T> point) const {
  const std::vector<T> values = chooses_ ? EvaluateWhatIsTaken<T>(point) : EvaluateAll<T>(point);
  std::vector<T> result;
  result.reserve(outputs_.size());
  for (uint32_t slot : outputs_) result.push_back(values[slot]);
  return result;
}

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_
