#include "autodiff/symbolic/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Returns the text of a subexpression for an error message, cut to 80 characters.
std::string Short(Expr e) {
  std::string text = ToText(e);
  if (text.size() > 80) text = absl::StrCat(text.substr(0, 77), "...");
  return text;
}

std::string Value(double value) {
  return value == 0 ? "0" : absl::StrFormat("%.10g", value);  // "0", not "-0".
}

absl::Status DomainError(Expr culprit, bool nan, absl::Span<const double> arguments) {
  std::vector<std::string> at;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Expr arg = culprit.arg(i);
    if (!arg.IsConstant()) at.push_back(absl::StrCat(Short(arg), " = ", Value(arguments[i])));
  }
  const auto has_pole = Info(culprit.op()).pole;
  const bool pole = has_pole != nullptr && has_pole(arguments);
  const char* what = nan    ? "is not defined (over the real numbers)"
                     : pole ? "is not defined (it has a pole)"
                            : "overflows";
  return absl::OutOfRangeError(
      absl::StrCat(Short(culprit), " ", what, at.empty() ? "" : " at ", absl::StrJoin(at, ", ")));
}

// Returns an error for the first node that is outside its domain or, if an output is not finite,
// for the first node that overflows. Nodes that only a branch not taken uses do not count.
template <class Real>
absl::Status Check(const Program& program, absl::Span<const Expr> order,
                   const std::vector<Real>& values) {
  const std::vector<bool> needed = WhatIsTaken(program, absl::MakeConstSpan(values));
  bool finite = true;
  for (uint32_t slot : program.outputs()) finite &= std::isfinite(values[slot]);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!needed[i] || std::isfinite(values[i])) continue;
    const Program::Step& step = program.steps()[i];
    std::vector<double> arguments;
    for (uint32_t a = step.arguments_begin; a < step.arguments_end; ++a) {
      arguments.push_back(static_cast<double>(values[program.argument_slots()[a]]));
    }
    if (!std::all_of(arguments.begin(), arguments.end(),
                     [](double v) { return std::isfinite(v); })) {
      if (finite || !std::isnan(values[i])) continue;
    }
    if (step.op == Op::kVariable) {
      return absl::OutOfRangeError(absl::StrCat(
          order[i].name(), " = ", static_cast<double>(values[i]), " is not a finite number"));
    }
    absl::Status error = DomainError(order[i], std::isnan(values[i]), arguments);
    if (finite && absl::StrContains(error.message(), "overflows")) continue;
    return error;
  }
  return absl::OkStatus();
}

// Returns the denominator by which a product with the factor n divides. It is 1 if n is equal to a
// double (an inexact number, or a fraction whose denominator is a power of two), or if its
// numerator or denominator is too large for one.
double Denominator(const Number& n) {
  constexpr int64_t kExact = int64_t{1} << 52;
  if (!n.exact() || std::abs(n.numerator()) >= kExact || n.denominator() >= kExact) return 1;
  const bool power_of_two = (n.denominator() & (n.denominator() - 1)) == 0;
  return power_of_two ? 1 : static_cast<double>(n.denominator());
}

template <class Real>
std::vector<bool> Taken(const Program& program, absl::Span<const Real> values) {
  std::vector<bool> taken(values.size(), false);
  for (uint32_t slot : program.outputs()) taken[slot] = true;
  for (size_t i = values.size(); i-- > 0;) {
    if (!taken[i]) continue;
    const Program::Step& step = program.steps()[i];
    const auto slot = [&](uint32_t k) {
      return program.argument_slots()[step.arguments_begin + k];
    };
    const auto value = [&](uint32_t k) { return values[slot(k)]; };
    for (uint32_t k = 0; k < step.arguments_end - step.arguments_begin; ++k) {
      if (step.op == Op::kSelect && k >= 2 && k != (value(0) < value(1) ? 2u : 3u)) continue;
      if (step.op == Op::kStrongMul && value(k) != 0 && value(1 - k) == 0) continue;
      taken[slot(k)] = true;
    }
  }
  return taken;
}

// Returns whether step i is not finite, or is so small that its double lacks digits or is 0 though
// the exact value is not.
bool LeavesRange(const Program& program, absl::Span<const double> values, size_t i) {
  const double size = std::abs(values[i]);
  if (!std::isfinite(size)) return true;
  const Program::Step& step = program.steps()[i];
  if (size >= std::numeric_limits<double>::min() || step.op == Op::kVariable) return false;
  if (size != 0 || Info(step.op).range == Range::kPositive) return true;
  if (step.op != Op::kMul && step.op != Op::kPow) return false;
  // Exactly computed, a product is 0 only if a factor is, and a power only if its base is.
  for (uint32_t a = step.arguments_begin; a < step.arguments_end; ++a) {
    if (values[program.argument_slots()[a]] == 0) return false;
  }
  return true;
}

bool LeavesRange(const Program& program, const std::vector<double>& values) {
  const std::vector<bool> needed = WhatIsTaken(program, absl::MakeConstSpan(values));
  for (size_t i = 0; i < values.size(); ++i) {
    if (needed[i] && LeavesRange(program, absl::MakeConstSpan(values), i)) return true;
  }
  return false;
}

// A program of the outputs, and the coordinates of the point in the order of its variables.
template <class Real>
struct ProgramAt {
  Program program;
  std::vector<Real> point;

  std::vector<Real> Outputs(const std::vector<Real>& values) const {
    std::vector<Real> result;
    for (uint32_t slot : program.outputs()) result.push_back(values[slot]);
    return result;
  }
};

template <class Real>
absl::StatusOr<ProgramAt<Real>> MakeProgram(absl::Span<const Expr> outputs,
                                            const BindingsOf<Real>& point) {
  std::vector<Expr> variables;
  std::vector<Real> at;
  for (Expr variable : Variables(outputs)) {
    const auto found = point.find(variable.name());
    if (found == point.end()) {
      std::vector<std::string> given;
      for (const auto& [name, value] : point) given.push_back(name);
      std::sort(given.begin(), given.end());
      return absl::InvalidArgumentError(
          absl::StrCat("the variable ", variable.name(), " has no value; there are values for: ",
                       given.empty() ? "none" : absl::StrJoin(given, ", ")));
    }
    variables.push_back(variable);
    at.push_back(found->second);
  }
  ASSIGN_OR_RETURN(Program program, Program::Create(outputs, variables));
  return ProgramAt<Real>{std::move(program), std::move(at)};
}

// Computes the outputs in long double, and rounds them to double.
absl::StatusOr<std::vector<double>> Rounded(const ProgramAt<double>& at,
                                            absl::Span<const Expr> order) {
  const std::vector<long double> point(at.point.begin(), at.point.end());
  const std::vector<long double> values = at.program.EvaluateAll<long double>(point);
  RETURN_IF_ERROR(Check(at.program, order, values));
  std::vector<double> result;
  for (uint32_t slot : at.program.outputs()) {
    result.push_back(static_cast<double>(values[slot]));
    if (!std::isfinite(result.back()))
      return absl::OutOfRangeError(absl::StrCat(Short(order[slot]), " overflows"));
  }
  return result;
}

// Returns whether each a[i] differs from b[i] by at most 1e-12 of b[i], that is, by rounding.
bool Close(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](double x, double y) { return std::abs(x - y) <= 1e-12 * std::abs(y); });
}

}  // namespace

std::vector<bool> WhatIsTaken(const Program& program, absl::Span<const double> values) {
  return Taken(program, values);
}
std::vector<bool> WhatIsTaken(const Program& program, absl::Span<const long double> values) {
  return Taken(program, values);
}

bool LeavesRange(const Program& program, absl::Span<const double> point) {
  return LeavesRange(program, program.EvaluateAll<double>(point));
}

absl::StatusOr<Program> Program::Create(absl::Span<const Expr> outputs,
                                        absl::Span<const Expr> variables) {
  Program program;
  absl::flat_hash_map<Expr, uint32_t> slots, positions;
  for (Expr variable : variables) {
    positions.try_emplace(variable, static_cast<uint32_t>(positions.size()));
  }
  const std::vector<Expr> order = TopologicalOrder(outputs);
  for (Expr e : order) {
    Step step{e.op(),
              false,
              static_cast<uint32_t>(program.argument_slots_.size()),
              0,
              0,
              0,
              0,
              std::numeric_limits<double>::quiet_NaN()};
    bool constant = !e.IsVariable();
    for (Expr arg : e.args()) {
      program.argument_slots_.push_back(slots[arg]);
      constant &= program.steps_[slots[arg]].constant;
    }
    step.arguments_end = static_cast<uint32_t>(program.argument_slots_.size());
    if (e.op() == Op::kPow && e.arg(1).IsConstant()) step.parameter = e.arg(1).number().ToDouble();
    if (e.op() == Op::kPolygamma) step.parameter = e.arg(0).number().ToDouble();
    if (e.IsVariable()) {
      const auto found = positions.find(e);
      if (found == positions.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the variable ", e.name(), " has no value; there are values for: ",
            variables.empty() ? "none"
                              : absl::StrJoin(variables, ", ", [](std::string* out, Expr v) {
                                  absl::StrAppend(out, v.name());
                                })));
      }
      step.variable = found->second;
    }
    const size_t slot = program.steps_.size();
    if (e.IsConstant()) {
      step.value = e.number().ToDouble();
      step.parameter = Denominator(e.number());
    } else if (e.op() == Op::kPi) {
      step.value = std::numbers::pi;
    } else if (constant) {
      step.value = program.ApplyStep<double>(
          step, {}, [&](uint32_t slot) -> const double& { return program.steps_[slot].value; });
    }
    step.wide = step.value;
    if (constant && !std::isnormal(step.value) && !e.IsConstant()) {
      step.wide = program.ApplyStep<long double>(
          step, {}, [&](uint32_t slot) -> const long double& { return program.steps_[slot].wide; });
    }
    step.constant = constant;
    program.chooses_ |= e.op() == Op::kSelect || e.op() == Op::kStrongMul;
    slots[e] = static_cast<uint32_t>(slot);
    program.steps_.push_back(step);
  }
  program.read_.assign(program.steps_.size(), false);
  for (const Step& step : program.steps_) {
    for (uint32_t i = 0; i < step.arguments_end - step.arguments_begin; ++i) {
      program.read_[program.SlotRead(step, i)] = true;
    }
  }
  for (Expr e : outputs) {
    program.outputs_.push_back(slots[e]);
    program.read_[slots[e]] = true;
  }
  return program;
}

absl::StatusOr<std::vector<double>> Evaluate(absl::Span<const Expr> outputs,
                                             const Bindings& point) {
  ASSIGN_OR_RETURN(const ProgramAt<double> at, MakeProgram(outputs, point));
  const std::vector<Expr> order = TopologicalOrder(outputs);
  const std::vector<double> values = at.program.EvaluateAll<double>(at.point);
  const absl::Status status = Check(at.program, order, values);
  const std::vector<double> result = at.Outputs(values);
  if (LeavesRange(at.program, values)) {
    absl::StatusOr<std::vector<double>> wide = Rounded(at, order);
    // The results in double stay if they are right but for rounding, although an intermediate value
    // left the range.
    if (wide.ok() && !(status.ok() && Close(result, *wide))) return wide;
  }
  RETURN_IF_ERROR(status);
  return result;
}

absl::StatusOr<std::vector<long double>> EvaluateWide(absl::Span<const Expr> outputs,
                                                      const WideBindings& point) {
  ASSIGN_OR_RETURN(const ProgramAt<long double> at, MakeProgram(outputs, point));
  const std::vector<long double> values = at.program.EvaluateAll<long double>(at.point);
  RETURN_IF_ERROR(Check(at.program, TopologicalOrder(outputs), values));
  return at.Outputs(values);
}

absl::StatusOr<double> Evaluate(Expr e, const Bindings& point) {
  ASSIGN_OR_RETURN(std::vector<double> values, Evaluate(absl::MakeConstSpan(&e, 1), point));
  return values.front();
}

}  // namespace cotangent::autodiff::symbolic
