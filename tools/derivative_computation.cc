#include "tools/derivative_computation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/numeric/differences.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/derivative_limit.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/limits.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/trace.h"
#include "base/status_macros.h"

namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

constexpr size_t kNumeric = static_cast<size_t>(DerivativeMode::kNumeric);

constexpr char kWideNote[] =
    "intermediate results leave the range of doubles; all is computed in long double";

// All formulas as one function with a result for each formula, for any scalar type S (see
// autodiff/function.h).
struct FormulaFunction {
  const symbolic::Program* program;
  template <class S>
  std::vector<S> operator()(std::span<const S> x) const {
    return program->Evaluate<S>(absl::MakeConstSpan(x.data(), x.size()));
  }
};

// The program of a single formula as a function with one result, for any scalar type S.
struct ScalarFormula {
  const symbolic::Program* program;
  template <class S>
  S operator()(std::span<const S> x) const {
    return program->Evaluate<S>(absl::MakeConstSpan(x.data(), x.size()))[0];
  }
};

// Returns f as a function of doubles that computes with numbers of type Real.
template <class Real, class F>
auto Rounded(const F& f) {
  return [f](std::span<const double> x) {
    const std::vector<Real> at(x.begin(), x.end());
    const auto result = f(std::span<const Real>(at));
    if constexpr (std::is_same_v<F, ScalarFormula>) {
      return static_cast<double>(result);
    } else {
      return std::vector<double>(result.begin(), result.end());
    }
  };
}

autodiff::numeric::Options NumericOptions(const ReportOptions& options) {
  autodiff::numeric::Options result;
  if (options.step > 0) {
    result.scheme = autodiff::numeric::Scheme::kCentral;
    result.step = options.step;
  }
  return result;
}

// Stores values[i] as the derivative that this mode computed for entries[i].
template <class Real>
void Fill(DerivativeMode mode, const std::vector<Real>& values, absl::Span<Entry* const> entries) {
  for (size_t i = 0; i < entries.size(); ++i)
    entries[i]->by_mode[static_cast<int>(mode)] = static_cast<double>(values[i]);
}

void FillNumeric(const std::vector<autodiff::numeric::Estimate>& values,
                 absl::Span<Entry* const> entries) {
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i]->by_mode[kNumeric] = values[i].value;
    entries[i]->numeric_error = values[i].error;
  }
}

// Returns Entry::magnitude for each output (rows) and input (columns): the sum, over all paths from
// the input to the output, of the product of the magnitudes of the derivatives along the path.
// Paths along which a derivative is not finite are left out.
std::vector<std::vector<double>> PathMagnitudes(const symbolic::Trace& trace) {
  std::vector<std::vector<long double>> of_row;
  for (const symbolic::TraceRow& row : trace.rows) {
    std::vector<long double> sum(trace.input_count, 0);
    if (of_row.size() < trace.input_count) sum[of_row.size()] = 1;
    for (const symbolic::TraceArgument& argument : row.arguments) {
      if (!std::isfinite(argument.partial)) continue;
      const std::vector<long double>& inner = of_row[argument.row];
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += argument.magnitude * inner[i];
    }
    of_row.push_back(std::move(sum));
  }
  std::vector<std::vector<double>> result;
  for (size_t output : trace.outputs)
    result.emplace_back(of_row[output].begin(), of_row[output].end());
  return result;
}

class Computation {
 public:
  Computation(const Report& plan, const std::vector<Expr>& formulas)
      : report_(plan), outputs_(formulas) {
    for (size_t i = 0; i < plan.variables.size(); ++i) {
      variables_.push_back(plan.pool->Variable(plan.variables[i]));
      bindings_[plan.variables[i]] = plan.point[i];
    }
  }

  absl::StatusOr<Report> Run(Precision precision) {
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create(outputs_, variables_));
    program_ = &program;
    if (report_.options.formulas) Derive();
    if (precision == Precision::kLongDouble) {
      RETURN_IF_ERROR(Compute<long double>());
      return std::move(report_);
    }
    const Report plan = report_;
    const absl::Status status = Compute<double>();
    if (symbolic::LeavesRange(program, report_.point) || !status.ok() || !report_.agrees()) {
      Report narrow = std::exchange(report_, plan);
      if (Compute<long double>().ok() && report_.agrees()) {
        report_.notes.push_back(kWideNote);
        return std::move(report_);
      }
      report_ = std::move(narrow);
    }
    RETURN_IF_ERROR(status);
    return std::move(report_);
  }

 private:
  // Sets the derivatives' formulas.
  void Derive() {
    for (size_t k = 0; k < outputs_.size(); ++k) {
      FunctionReport& function = report_.functions[k];
      const std::vector<Expr> gradient = symbolic::Gradient(outputs_[k], variables_);
      const std::vector<std::vector<Expr>> rows = report_.options.hessian
                                                      ? symbolic::Hessian(outputs_[k], variables_)
                                                      : std::vector<std::vector<Expr>>();
      for (size_t i = 0; i < variables_.size(); ++i) {
        function.gradient[i].derivative = gradient[i];
        for (size_t j = 0; j < function.hessian.size(); ++j)
          function.hessian[i][j].derivative = rows[i][j];
      }
    }
  }

  // Computes the trace, the values and the derivatives of all requested modes with numbers of type
  // Real, and compares the modes.
  template <class Real>
  absl::Status Compute() {
    ASSIGN_OR_RETURN(report_.trace, Trace<Real>(outputs_));
    ASSIGN_OR_RETURN(const std::vector<double> values, Evaluated<Real>(outputs_));
    for (size_t k = 0; k < outputs_.size(); ++k) report_.functions[k].value = values[k];
    const absl::Status status = Jacobian<Real>();
    if (!status.ok() || MeetsInfiniteSlope()) {
      RETURN_IF_ERROR(TakeLimits<Real>());
    }
    RETURN_IF_ERROR(CheckFinite());
    for (size_t k = 0; k < outputs_.size() && report_.options.hessian; ++k) {
      RETURN_IF_ERROR(Hessian<Real>(k));
    }
    CompareModes(report_);
    return absl::OkStatus();
  }

  template <class Real>
  absl::StatusOr<std::vector<double>> Evaluated(absl::Span<const Expr> formulas) const {
    if constexpr (std::is_same_v<Real, double>) {
      return symbolic::Evaluate(formulas, bindings_);
    } else {
      const symbolic::WideBindings point(bindings_.begin(), bindings_.end());
      ASSIGN_OR_RETURN(const std::vector<long double> values,
                       symbolic::EvaluateWide(formulas, point));
      for (const long double value : values) {
        if (!std::isfinite(static_cast<double>(value))) {
          return absl::OutOfRangeError("the result overflows");
        }
      }
      return std::vector<double>(values.begin(), values.end());
    }
  }

  // Evaluates the derivatives' formulas as they were derived. Simplified formulas are not used,
  // since they may suffer from cancellation or overflow.
  template <class Real>
  absl::Status FillSymbolic(absl::Span<Entry* const> entries) const {
    std::vector<Expr> derivatives;
    for (Entry* entry : entries) derivatives.push_back(entry->derivative);
    const absl::StatusOr<std::vector<double>> values = Evaluated<Real>(derivatives);
    if (!values.ok()) {
      return absl::OutOfRangeError(
          absl::StrCat("a derivative is not finite: ", values.status().message()));
    }
    Fill(DerivativeMode::kSymbolic, *values, entries);
    return absl::OkStatus();
  }

  // Returns whether a step of the computation has an infinite derivative by one of its arguments.
  // (Trace() fails if such a derivative makes that of an output infinite; in the traces that it
  // returns, the infinite derivative meets a factor of 0.)
  bool MeetsInfiniteSlope() const {
    for (const symbolic::TraceRow& row : report_.trace.rows) {
      for (const symbolic::TraceArgument& argument : row.arguments) {
        if (!std::isfinite(argument.partial)) return true;
      }
    }
    return false;
  }

  // Sets the first derivatives whose formulas are not defined at the point to the limits of the
  // derivatives beside it, in all exact modes. The other first derivatives of symbolic mode are the
  // values of their formulas. Returns an error if there is no such limit.
  template <class Real>
  absl::Status TakeLimits() {
    symbolic::Budget budget(symbolic::kLimitWork);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const std::vector<Expr> gradient = symbolic::Gradient(outputs_[k], variables_);
      for (size_t j = 0; j < variables_.size(); ++j) {
        const auto value = Evaluated<Real>(absl::MakeConstSpan(&gradient[j], 1));
        if (value.ok()) {
          SetSymbolic(k, j, value->front());
          continue;
        }
        const absl::StatusOr<double> limit =
            symbolic::DerivativeByLimit(outputs_[k], variables_[j], bindings_, &budget);
        if (!limit.ok()) {
          return absl::OutOfRangeError(
              absl::StrCat("a derivative is not finite: ", value.status().message(), "; ",
                           report_.functions[k].name, " by ", report_.variables[j], ": ",
                           limit.status().message()));
        }
        SetDerivative(k, j, *limit);
      }
    }
    if (report_.by_limits) {
      report_.notes.push_back(
          "an infinite slope meets a slope of 0 here, of which the chain rule makes nothing: the "
          "derivatives are the limits of those beside the point");
    }
    return absl::OkStatus();
  }

  void SetSymbolic(size_t k, size_t j, double derivative) {
    if (!report_.options.Asked(DerivativeMode::kSymbolic)) return;
    report_.functions[k].gradient[j].by_mode[static_cast<int>(DerivativeMode::kSymbolic)] =
        derivative;
  }

  // Sets a first derivative in all exact modes (forward, reverse, symbolic) that were requested,
  // and in the trace.
  void SetDerivative(size_t k, size_t j, double derivative) {
    Entry& entry = report_.functions[k].gradient[j];
    for (size_t mode = kNumeric + 1; mode < std::size(entry.by_mode); ++mode) {
      if (report_.options.Asked(static_cast<DerivativeMode>(mode)))
        entry.by_mode[mode] = derivative;
    }
    report_.trace.rows[j].adjoints[k] = derivative;
    report_.by_limits = true;
  }

  absl::Status CheckFinite() const {
    for (const FunctionReport& function : report_.functions) {
      for (size_t j = 0; j < function.gradient.size(); ++j) {
        for (size_t mode = kNumeric + 1; mode < std::size(function.gradient[j].by_mode); ++mode) {
          if (!report_.options.Asked(static_cast<DerivativeMode>(mode)) ||
              std::isfinite(function.gradient[j].by_mode[mode])) {
            continue;
          }
          return absl::OutOfRangeError(absl::StrCat("the derivative of ", function.name, " by ",
                                                    report_.variables[j], " is not finite"));
        }
      }
    }
    return absl::OkStatus();
  }

  template <class Real>
  absl::StatusOr<symbolic::Trace> Trace(absl::Span<const Expr> outputs) const {
    return std::is_same_v<Real, double>
               ? symbolic::MakeTrace(outputs, variables_, report_.point)
               : symbolic::MakeWideTrace(outputs, variables_, report_.point);
  }

  template <class Real>
  absl::Status Jacobian() {
    std::vector<Entry*> entries;
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(report_.trace);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      for (size_t j = 0; j < variables_.size(); ++j) {
        Entry& entry = report_.functions[k].gradient[j];
        entry.magnitude = magnitudes[k][j];
        entries.push_back(&entry);
      }
    }
    const FormulaFunction f{program_};
    if (report_.options.Asked(DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Jacobian(Rounded<Real>(f), report_.point,
                                              NumericOptions(report_.options)),
                  entries);
    }
    const std::vector<Real> x(report_.point.begin(), report_.point.end());
    if (report_.options.Asked(DerivativeMode::kForward)) {
      Fill(DerivativeMode::kForward, autodiff::forward::Jacobian(f, x), entries);
    }
    if (report_.options.Asked(DerivativeMode::kReverse)) {
      Fill(DerivativeMode::kReverse, autodiff::reverse::Jacobian(f, x), entries);
    }
    if (report_.options.Asked(DerivativeMode::kSymbolic)) return FillSymbolic<Real>(entries);
    return absl::OkStatus();
  }

  template <class Real>
  absl::Status Hessian(size_t k) {
    const std::vector<Entry*> entries = HessianEntries(k);
    absl::Status status = FindMagnitudes<Real>(k);
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create({outputs_[k]}, variables_));
    const ScalarFormula f{&program};
    if (report_.options.Asked(DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Hessian(Rounded<Real>(f), report_.point,
                                             NumericOptions(report_.options)),
                  entries);
    }
    const std::vector<Real> x(report_.point.begin(), report_.point.end());
    if (report_.options.Asked(DerivativeMode::kForward)) {
      Fill(DerivativeMode::kForward, autodiff::forward::Hessian(f, x), entries);
    }
    if (report_.options.Asked(DerivativeMode::kReverse)) {
      Fill(DerivativeMode::kReverse, autodiff::reverse::Hessian(f, x), entries);
    }
    if (status.ok() && report_.options.Asked(DerivativeMode::kSymbolic)) {
      status = FillSymbolic<Real>(entries);
    }
    const bool kinks = !symbolic::KinksAt({outputs_[k]}, variables_, report_.point).empty();
    return status.ok() && !kinks ? status : TakeSecondLimits<Real>(k, status);
  }

  // Returns the second derivatives of output k, row by row.
  std::vector<Entry*> HessianEntries(size_t k) {
    std::vector<Entry*> entries;
    for (std::vector<Entry>& row : report_.functions[k].hessian) {
      for (Entry& entry : row) entries.push_back(&entry);
    }
    return entries;
  }

  // Sets the magnitudes of the second derivatives of output k. Returns an error if a second
  // derivative is not finite at the point.
  template <class Real>
  absl::Status FindMagnitudes(size_t k) {
    const absl::StatusOr<symbolic::Trace> trace =
        Trace<Real>(symbolic::Gradient(outputs_[k], variables_));
    if (!trace.ok()) {
      return absl::OutOfRangeError(
          absl::StrCat("a second derivative is not finite: ", trace.status().message()));
    }
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(*trace);
    for (size_t i = 0; i < variables_.size(); ++i) {
      for (size_t j = 0; j < variables_.size(); ++j) {
        report_.functions[k].hessian[i][j].magnitude = std::max(magnitudes[i][j], magnitudes[j][i]);
      }
    }
    return absl::OkStatus();
  }

  // Sets the second derivatives of output k to the limits of those beside the point, where these
  // exist and differ from what the chain rule finds. `chain_rule` is its error, if any. Returns an
  // error if a second derivative has neither a value nor a limit.
  template <class Real>
  absl::Status TakeSecondLimits(size_t k, const absl::Status& chain_rule) {
    symbolic::Budget budget(symbolic::kLimitWork);
    const auto walk = static_cast<int64_t>(10 * symbolic::TopologicalOrder(outputs_[k]).size());
    const std::vector<std::vector<Expr>> formulas = symbolic::Hessian(outputs_[k], variables_);
    bool taken = false;
    for (size_t i = 0; i < variables_.size(); ++i) {
      for (size_t j = 0; j <= i; ++j) {
        if (formulas[i][j].IsZero()) {
          SetSecond(k, i, j, kNumeric + 1, 0);
          continue;
        }
        const auto value = Evaluated<Real>(absl::MakeConstSpan(&formulas[i][j], 1));
        absl::StatusOr<double> limit = absl::OutOfRangeError("its limit takes too much work");
        if (budget.Spend(walk)) {
          limit = symbolic::SecondDerivativeByLimit(outputs_[k], variables_[i], variables_[j],
                                                    bindings_, &budget);
        }
        if (limit.ok() &&
            !(value.ok() && std::abs(value->front() - *limit) <= 1e-9 * std::abs(*limit))) {
          SetSecond(k, i, j, kNumeric + 1, *limit);
          taken = true;
        } else if (value.ok()) {
          SetSecond(k, i, j, static_cast<size_t>(DerivativeMode::kSymbolic), value->front());
        } else {
          const absl::Status& cause = chain_rule.ok() ? value.status() : chain_rule;
          return absl::OutOfRangeError(absl::StrCat(
              cause.message(), "; ",
              HessianName(report_.functions[k], report_.variables[i], report_.variables[j]), ": ",
              limit.status().message()));
        }
      }
    }
    report_.second_by_limits |= taken;
    if (taken) {
      report_.notes.push_back(
          "a kink or an infinite slope meets a slope of 0 here, of which the chain rule makes "
          "nothing: second derivatives are the limits of those beside the point");
    }
    return absl::OkStatus();
  }

  // Sets the second derivative by variables i and j in the requested modes from `first_mode` on.
  void SetSecond(size_t k, size_t i, size_t j, size_t first_mode, double value) {
    std::vector<std::vector<Entry>>& rows = report_.functions[k].hessian;
    for (size_t mode = first_mode; mode < std::size(rows[i][j].by_mode); ++mode) {
      if (report_.options.Asked(static_cast<DerivativeMode>(mode)))
        rows[i][j].by_mode[mode] = rows[j][i].by_mode[mode] = value;
    }
  }

  Report report_;
  const std::vector<Expr> outputs_;
  std::vector<Expr> variables_;
  const symbolic::Program* program_ = nullptr;  // of outputs_
  symbolic::Bindings bindings_;
};

}  // namespace

absl::StatusOr<Report> Computed(const Report& plan, const std::vector<Expr>& formulas,
                                Precision precision) {
  return Computation(plan, formulas).Run(precision);
}

std::vector<Doubt> Doubts(const Report& report, const std::vector<Expr>& others) {
  std::vector<Doubt> doubts;
  std::vector<Expr> variables;
  for (const std::string& name : report.variables) variables.push_back(report.pool->Variable(name));
  const absl::StatusOr<symbolic::Program> program = symbolic::Program::Create(others, variables);
  if (!program.ok()) return doubts;
  const std::vector<long double> x(report.point.begin(), report.point.end());
  const FormulaFunction f{&*program};
  const std::vector<long double> values = f(std::span<const long double>(x));
  const std::vector<long double> slopes = autodiff::reverse::Jacobian(f, x);
  // Appends a doubt if `found` differs from `right` too much. `blur` is how much rounding the point
  // itself can change the number.
  const auto doubt = [&](const std::string& name, double found, long double right, double blur) {
    if (!std::isfinite(right) || std::isnan(found)) return;
    const double difference = static_cast<double>(std::abs(found - right));
    const double size =
        std::max(static_cast<double>(std::abs(right)), std::numeric_limits<double>::min());
    if (difference > std::max(kVisible * size, 2 * blur)) {
      doubts.push_back({name, difference / size});
    }
  };
  // Appends at most one doubt about an entry, which the exact modes have computed.
  const auto doubt_entry = [&](const std::string& name, const Entry& entry, long double right) {
    const size_t before = doubts.size();
    for (size_t mode = kNumeric + 1; mode < std::size(entry.by_mode); ++mode) {
      if (doubts.size() == before) doubt(name, entry.by_mode[mode], right, 0);
    }
    if (doubts.size() > before) {
      doubts.back().wide_error = std::abs(entry.magnitude / static_cast<double>(right)) *
                                 std::numeric_limits<long double>::epsilon();
    }
  };
  for (size_t k = 0; k < report.functions.size(); ++k) {
    const FunctionReport& function = report.functions[k];
    double blur = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      blur += std::numeric_limits<double>::epsilon() / 2 *
              static_cast<double>(std::abs(x[j] * slopes[k * x.size() + j]));
    }
    doubt(function.name, function.value, values[k], blur);
    if (report.by_limits) continue;
    for (size_t j = 0; j < x.size(); ++j) {
      doubt_entry(GradientName(function, report.variables[j]), function.gradient[j],
                  slopes[k * x.size() + j]);
    }
    if (function.hessian.empty() || report.second_by_limits) continue;
    const absl::StatusOr<symbolic::Program> single =
        symbolic::Program::Create({others[k]}, variables);
    if (!single.ok()) continue;
    const std::vector<long double> seconds = autodiff::reverse::Hessian(ScalarFormula{&*single}, x);
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = i; j < x.size(); ++j) {
        doubt_entry(HessianName(function, report.variables[i], report.variables[j]),
                    function.hessian[i][j], seconds[i * x.size() + j]);
      }
    }
  }
  std::stable_sort(doubts.begin(), doubts.end(),
                   [](const Doubt& a, const Doubt& b) { return a.error > b.error; });
  return doubts;
}

}  // namespace cotangent::tools
