#ifndef COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/math.h"
#include "autodiff/symbolic/expression.h"

// Evaluates expressions in any scalar type: double, dual numbers, variables on a tape.
//
//   auto program = Program::Create({f1, f2}, {w1, w2});
//   std::vector<double> values = program->Evaluate<double>({1, 2});
//   std::vector<Dual> duals = program->Evaluate<Dual>(dual_inputs);
namespace cotangent::autodiff::symbolic {

// The value of each variable, by the variable's name. The values of WideBindings may be beyond the
// range of doubles.
template <typename Real>
using BindingsOf = absl::flat_hash_map<std::string, Real>;
using Bindings = BindingsOf<double>;
using WideBindings = BindingsOf<long double>;

// Expressions laid out as a list of steps: one step for each node of their graph, arguments before
// their users. A slot is the index of a step, and of its value. A Program is immutable, so any
// number of threads may evaluate it at once. It does not refer to the Pool of its expressions.
class Program {
 public:
  // One node. Its arguments are the results of the steps argument_slots()[arguments_begin] to
  // argument_slots()[arguments_end - 1].
  struct Step {
    Op op;
    // Whether the value depends on no variable. If so, `value` is the node's value.
    bool constant;
    uint32_t arguments_begin;
    uint32_t arguments_end;
    uint32_t variable;  // position in `variables`; only for a kVariable
    double value;
    long double wide;  // the value in long double, if beyond the range of doubles; else `value`
    // The exponent of a kPow, if it is a constant; the order of a kPolygamma. For a kConstant the
    // denominator by which products divide, or 1 if `value` is exact or the fraction's integers are
    // too large for a double. Otherwise NaN.
    double parameter;

    // Returns the numerator of a kConstant, whose value is Numerator() / parameter.
    double Numerator() const { return parameter == 1 ? value : std::rint(value * parameter); }
  };

  // Makes the program that computes `outputs` from the values of `variables`. Fails if an output
  // contains a variable that `variables` does not list. The message names that variable and lists
  // `variables`.
  static absl::StatusOr<Program> Create(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables);

  // Returns the values of the outputs at a point, whose coordinates are in the order of
  // `variables`. T must be constructible from double, be comparable with < and ==, and have the
  // functions of autodiff/math.h, found by argument-dependent lookup. Outside the domain a value is
  // NaN or infinite. Nodes that only a branch not taken uses are not computed.
  template <typename T>
  std::vector<T> Evaluate(absl::Span<const T> point) const;
  template <typename T>
  std::vector<T> Evaluate(const std::vector<T>& point) const {
    return Evaluate<T>(absl::Span<const T>(point));
  }
  // Returns the values of all nodes at a point, in the order of steps(), including those that only
  // a branch not taken uses.
  template <typename T>
  std::vector<T> EvaluateAll(absl::Span<const T> point) const;

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<uint32_t>& argument_slots() const { return argument_slots_; }
  // Returns the slots of the outputs.
  const std::vector<uint32_t>& outputs() const { return outputs_; }

 private:
  std::vector<Step> steps_;
  std::vector<uint32_t> argument_slots_;
  template <typename T>
  std::vector<T> EvaluateWhatIsTaken(absl::Span<const T> point) const;
  template <typename T>
  std::vector<T> EvaluateInOrder(absl::Span<const T> point, bool all) const;
  // `value(slot)` returns the value of the step at that slot.
  template <typename T, typename Value>
  T ApplyStep(const Step& step, absl::Span<const T> point, Value value) const;
  template <typename T, typename Value>
  T Product(const Step& step, Value value) const;
  template <typename T, typename Value>
  T ProductInSteps(const Step& step, Value value) const;

  uint32_t Slot(const Step& step, uint32_t i) const {
    return argument_slots_[step.arguments_begin + i];
  }
  // Returns whether factor i of a product is a power with a negative exponent. The product then
  // divides by the power with the opposite exponent.
  bool Divides(const Step& step, uint32_t i) const {
    const Step& factor = steps_[Slot(step, i)];
    return factor.op == Op::kPow && factor.parameter < 0;
  }
  // Returns the slot whose value the step reads for its argument i. If a product divides by a
  // power, this is the slot of the power's base.
  uint32_t SlotRead(const Step& step, uint32_t i) const {
    return step.op == Op::kMul && Divides(step, i) ? Slot(steps_[Slot(step, i)], 0) : Slot(step, i);
  }

  std::vector<uint32_t> outputs_;
  std::vector<bool> read_;  // for each step whether another step or an output reads its value
  bool chooses_ = false;    // whether a step is a select or a strong product (Op::kStrongMul)
};

// Returns the value of `e` at a point, with checks. Fails if a variable has no value in `point`, if
// a subexpression is outside its domain, or if the result overflows. The message names the
// subexpression and the values of its arguments. Branches of a select that are not taken may be
// undefined. If an intermediate value overflows or underflows, computes again in long double, whose
// range is wider (on x86-64 up to 1e4932): so x/sqrt(1 + x^2) is 1 at 1e200.
absl::StatusOr<double> Evaluate(Expr e, const Bindings& point);
absl::StatusOr<std::vector<double>> Evaluate(absl::Span<const Expr> outputs, const Bindings& point);
// Like Evaluate(), but computes in long double only.
absl::StatusOr<std::vector<long double>> EvaluateWide(absl::Span<const Expr> outputs,
                                                      const WideBindings& point);

// Returns whether, in double, a value that the outputs of `program` need is not finite or
// underflows at a point.
bool LeavesRange(const Program& program, absl::Span<const double> point);

// Returns, for each step of `program`, whether the outputs depend on its value at the point where
// EvaluateAll() returned `values`. The result is false for steps that only a branch not taken uses.
std::vector<bool> WhatIsTaken(const Program& program, absl::Span<const double> values);
std::vector<bool> WhatIsTaken(const Program& program, absl::Span<const long double> values);

namespace internal {

// Returns a^exponent with exactly the bits of the C++ expression a person would write: sqrt(a), a *
// a, 1 / a or pow(a, exponent). A rounding function such as floor then gives the same integer as in
// hand-written code.
template <typename T>
T ConstantPower(const T& a, double exponent) {
  using namespace autodiff::functions;  // the functions that T lacks
  if (exponent == 1) return a;
  if (exponent == 0.5) return sqrt(a);
  if (exponent == -0.5) return T(1.0) / sqrt(a);
  if (exponent == 2) return a * a;
  if (exponent == -1) return T(1.0) / a;
  // Passes the exponent as a double if T's pow accepts one, which spares the derivative by the
  // exponent: a constant has none.
  if constexpr (requires { T(pow(a, exponent)); }) {
    return T(pow(a, exponent));
  } else {
    return T(pow(a, T(exponent)));
  }
}

// Returns 1 / cosh(a). Far from 0, where cosh(a) may overflow, the result is 2 / (e^a + e^-a),
// computed from e^-|a|; near 0 the derivative of that would cancel.
template <typename T>
T HyperbolicSecant(const T& a) {
  using namespace autodiff::functions;  // NOLINT
  if (a < T(20.0) && T(-20.0) < a) return T(1.0) / cosh(a);
  const T small = exp(a < T(0.0) ? T(a) : T(-a));
  return T(2.0) * small / (T(1.0) + small * small);
}

// Returns a - b floor(a / b), which has the sign of b. Uses fmod, which does not round the quotient
// a / b.
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

// Whether the scalar T computes with long double.
template <typename T>
inline constexpr bool kIsWide =
    std::numeric_limits<T>::max_exponent > std::numeric_limits<double>::max_exponent;
template <typename T>
using Limits = std::numeric_limits<std::conditional_t<kIsWide<T>, long double, double>>;

template <typename T>
bool IsFinite(const T& x) {
  const T max(Limits<T>::max());
  return !(max < x) && !(x < T(-Limits<T>::max())) && x == x;
}

// Returns whether x is finite, not 0, and not so small that T holds only some of its digits.
template <typename T>
bool IsNormal(const T& x) {
  return IsFinite(x) && !(x < T(Limits<T>::min()) && T(-Limits<T>::min()) < x);
}

// Returns numerator / base^exponent for exponent > 0. If the power overflows or underflows, divides
// by parts of it one after the other.
template <typename T>
T DividedByPower(const T& numerator, const T& base, double exponent) {
  const T power = ConstantPower<T>(base, exponent);
  if (exponent <= 1 || IsNormal(power)) return T(numerator / power);
  const double part = exponent >= 2 ? std::floor(exponent / 2) : exponent / 2;
  return DividedByPower<T>(DividedByPower<T>(numerator, base, part), base, exponent - part);
}

}  // namespace internal

// Returns the product of the factors. Divides by powers with negative exponents, and by the
// denominators of constants, so that x/49 is the double x / 49 and not x times the rounded 1/49,
// and x/y is right where 1/y overflows.
template <typename T, typename Value>
T Program::Product(const Step& step, Value value) const {
  using internal::ConstantPower;
  double below = 1;  // the product of the constants in the denominator
  std::optional<T> numerator, denominator;
  const auto times = [](std::optional<T>* product, const T& factor) {
    *product = product->has_value() ? T(**product * factor) : factor;
  };
  for (uint32_t i = 0; i < step.arguments_end - step.arguments_begin; ++i) {
    const Step& factor = steps_[Slot(step, i)];
    if (factor.op == Op::kConstant) {
      below *= factor.parameter;
      if (factor.Numerator() != 1) times(&numerator, T(factor.Numerator()));
    } else if (!Divides(step, i)) {
      times(&numerator, value(Slot(step, i)));
    } else if (factor.constant) {
      below *= ConstantPower<double>(steps_[Slot(factor, 0)].value, -factor.parameter);
    } else {
      times(&denominator, ConstantPower<T>(value(Slot(factor, 0)), -factor.parameter));
    }
  }
  if (!numerator.has_value()) numerator = T(1.0);
  const bool divided = below != 1 || denominator.has_value();
  if (!divided) return *numerator;
  if (internal::IsFinite(*numerator)) {
    if (!denominator.has_value()) return T(*numerator / below);
    if (below != 1) denominator = T(below * *denominator);
    if (internal::IsNormal(*denominator)) return T(*numerator / *denominator);
  }
  return ProductInSteps<T>(step, value);
}

// Returns the same product as Product() if the numerator overflows, or if the denominator overflows
// or underflows: cancels x/x, multiplies by fractions as they are, and divides by the other factors
// of the denominator one after the other.
template <typename T, typename Value>
T Program::ProductInSteps(const Step& step, Value value) const {
  const uint32_t count = step.arguments_end - step.arguments_begin;
  std::vector<bool> left_out(count, false);
  for (uint32_t i = 0; i < count; ++i) {
    if (!Divides(step, i) || steps_[Slot(step, i)].parameter != -1) continue;
    const uint32_t base = Slot(steps_[Slot(step, i)], 0);
    if (value(base) == T(0.0) || !internal::IsFinite(value(base))) continue;
    for (uint32_t k = 0; k < count && !left_out[i]; ++k) {
      if (!left_out[k] && Slot(step, k) == base) left_out[i] = left_out[k] = true;
    }
  }
  T result(1.0);
  for (uint32_t i = 0; i < count; ++i) {
    const Step& factor = steps_[Slot(step, i)];
    if (left_out[i] || Divides(step, i)) continue;
    if (factor.op != Op::kConstant) {
      result = result * value(Slot(step, i));
    } else {
      result = factor.Numerator() == 1 ? T(result / factor.parameter) : T(factor.value * result);
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Step& factor = steps_[Slot(step, i)];
    if (left_out[i] || !Divides(step, i)) continue;
    result = internal::DividedByPower<T>(result, value(Slot(factor, 0)), -factor.parameter);
  }
  return result;
}

// Returns the value of a step at a point. `value(slot)` returns the value of an earlier step. The
// formulas for the operations are in operations.inc.
template <typename T, typename Value>
T Program::ApplyStep(const Step& step, absl::Span<const T> point, Value value) const {
  using namespace autodiff::functions;  // the functions that T lacks
  using namespace internal;             // NOLINT
  if (step.constant) {
    if constexpr (kIsWide<T>) {
      return T(step.wide);
    } else {
      return T(step.value);
    }
  }
  if (step.op == Op::kVariable) return point[step.variable];
  if (step.op == Op::kMul) return Product<T>(step, value);
  const uint32_t count = step.arguments_end - step.arguments_begin;
  const auto arg = [&](uint32_t i) -> const T& { return value(Slot(step, i)); };
  const auto product = [&] { return Product<T>(step, value); };
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

// Evaluates the steps in order. If not `all`, leaves out the steps that nothing reads; their values
// are 0.
template <typename T>
std::vector<T> Program::EvaluateInOrder(absl::Span<const T> point, bool all) const {
  std::vector<T> values;
  values.reserve(steps_.size());
  for (size_t slot = 0; slot < steps_.size(); ++slot) {
    if (!all && !read_[slot]) {
      values.push_back(T(0.0));
      continue;
    }
    values.push_back(
        ApplyStep<T>(steps_[slot], point, [&](uint32_t of) -> const T& { return values[of]; }));
  }
  return values;
}

template <typename T>
std::vector<T> Program::EvaluateAll(absl::Span<const T> point) const {
  return EvaluateInOrder(point, /*all=*/true);
}

// Evaluates only the steps that the outputs need, walking from the outputs down. A select first
// needs the two numbers it compares and then only the branch taken; a strong product
// (Op::kStrongMul, which is 0 wherever a factor is 0) needs its second factor only if the first is
// not 0.
template <typename T>
std::vector<T> Program::EvaluateWhatIsTaken(absl::Span<const T> point) const {
  std::vector<T> values(steps_.size(), T(0.0));
  std::vector<bool> done(steps_.size(), false);
  std::vector<uint32_t> open(outputs_.rbegin(), outputs_.rend());
  while (!open.empty()) {
    const uint32_t slot = open.back();
    const Step& step = steps_[slot];
    const auto argument = [&](uint32_t i) { return SlotRead(step, i); };
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
    values[slot] = ApplyStep<T>(step, point, [&](uint32_t of) -> const T& { return values[of]; });
  }
  return values;
}

template <typename T>
std::vector<T> Program::Evaluate(absl::Span<const T> point) const {
  const std::vector<T> values =
      chooses_ ? EvaluateWhatIsTaken<T>(point) : EvaluateInOrder<T>(point, /*all=*/false);
  std::vector<T> result;
  result.reserve(outputs_.size());
  for (uint32_t slot : outputs_) result.push_back(values[slot]);
  return result;
}

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_EVALUATE_H_
