#include "tools/derivative_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/numeric/differences.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/simplify.h"
#include "base/status_macros.h"

namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

constexpr size_t kNumeric = static_cast<size_t>(DerivativeMode::kNumeric);

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

constexpr char kWideNote[] =
    "intermediate results leave the range of doubles; all is computed in long double";

Entry EmptyEntry() {
  Entry entry;
  std::fill(std::begin(entry.by_mode), std::end(entry.by_mode),
            std::numeric_limits<double>::quiet_NaN());
  entry.numeric_error = 0;
  entry.magnitude = 0;
  return entry;
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

// Evaluates the derivatives' formulas as they were derived. Simplified formulas are not used, since
// they may suffer from cancellation or overflow.
absl::Status FillSymbolic(const symbolic::Bindings& at, absl::Span<Entry* const> entries) {
  std::vector<Expr> derivatives;
  for (Entry* entry : entries) derivatives.push_back(entry->derivative);
  const absl::StatusOr<std::vector<double>> values = symbolic::Evaluate(derivatives, at);
  if (!values.ok()) {
    return absl::OutOfRangeError(
        absl::StrCat("a derivative is not finite: ", values.status().message()));
  }
  Fill(DerivativeMode::kSymbolic, *values, entries);
  return absl::OkStatus();
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
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += std::abs(argument.partial) * inner[i];
    }
    of_row.push_back(std::move(sum));
  }
  std::vector<std::vector<double>> result;
  for (size_t output : trace.outputs)
    result.emplace_back(of_row[output].begin(), of_row[output].end());
  return result;
}

class ReportMaker {
 public:
  ReportMaker(absl::Span<const std::pair<std::string, double>> point,
              const ReportOptions& options) {
    report_.pool = std::make_shared<symbolic::Pool>();
    report_.options = options;
    report_.options.formulas |= options.Asked(DerivativeMode::kSymbolic);
    for (const auto& [name, value] : point) {
      report_.variables.push_back(name);
      report_.point.push_back(value);
      variables_.push_back(report_.pool->Variable(name));
      bindings_[name] = value;
    }
  }

  absl::StatusOr<Report> Run(absl::Span<const std::string> formulas) {
    RETURN_IF_ERROR(ParseAll(formulas));
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create(outputs_, variables_));
    program_ = &program;
    report_.notes = symbolic::KinksAt(outputs_, variables_, report_.point);
    if (report_.options.formulas) Derive();
    absl::Status status = Compute<double>();
    if (symbolic::LeavesRange(program, report_.point) || !status.ok() || !report_.agrees()) {
      Report narrow = report_;
      if (Compute<long double>().ok() && report_.agrees()) {
        status = absl::OkStatus();
        report_.notes.push_back(kWideNote);
      } else {
        report_ = std::move(narrow);
      }
    }
    RETURN_IF_ERROR(status);
    if (report_.options.formulas) SimplifyAll();
    return std::move(report_);
  }

 private:
  absl::Status ParseAll(absl::Span<const std::string> formulas) {
    for (size_t k = 0; k < formulas.size(); ++k) {
      FunctionReport function;
      function.name = formulas.size() == 1 ? "f" : absl::StrCat("f", k + 1);
      symbolic::ParseOptions parse;
      parse.variables = report_.variables;
      parse.source = function.name;
      ASSIGN_OR_RETURN(Expr formula, symbolic::Parse(formulas[k], *report_.pool, parse));
      function.formula = formula;
      function.gradient.assign(variables_.size(), EmptyEntry());
      if (report_.options.hessian) function.hessian.assign(variables_.size(), function.gradient);
      outputs_.push_back(formula);
      report_.functions.push_back(std::move(function));
    }
    return absl::OkStatus();
  }

  // Derives the formulas of all derivatives (Entry::derivative).
  void Derive() {
    for (FunctionReport& function : report_.functions) {
      const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
      const std::vector<std::vector<Expr>> rows =
          report_.options.hessian ? symbolic::Hessian(function.formula, variables_)
                                  : std::vector<std::vector<Expr>>();
      for (size_t i = 0; i < variables_.size(); ++i) {
        function.gradient[i].derivative = gradient[i];
        for (size_t j = 0; j < function.hessian.size(); ++j)
          function.hessian[i][j].derivative = rows[i][j];
      }
    }
  }

  // Computes the values and the derivatives of all modes with numbers of type Real.
  template <class Real>
  absl::Status Compute() {
    ASSIGN_OR_RETURN(report_.trace, Trace<Real>(outputs_));
    ASSIGN_OR_RETURN(const std::vector<double> values, symbolic::Evaluate(outputs_, bindings_));
    for (size_t k = 0; k < outputs_.size(); ++k) report_.functions[k].value = values[k];
    RETURN_IF_ERROR(Jacobian<Real>());
    for (size_t k = 0; k < outputs_.size() && report_.options.hessian; ++k) {
      RETURN_IF_ERROR(Hessian<Real>(k));
    }
    CompareModes(report_);
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
    if (report_.options.Asked(DerivativeMode::kSymbolic)) return FillSymbolic(bindings_, entries);
    return absl::OkStatus();
  }

  template <class Real>
  absl::Status Hessian(size_t k) {
    FunctionReport& function = report_.functions[k];
    const absl::StatusOr<symbolic::Trace> trace =
        Trace<Real>(symbolic::Gradient(function.formula, variables_));
    if (!trace.ok()) {
      return absl::OutOfRangeError(
          absl::StrCat("a second derivative is not finite: ", trace.status().message()));
    }
    std::vector<Entry*> entries;
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(*trace);
    for (size_t i = 0; i < variables_.size(); ++i) {
      for (size_t j = 0; j < variables_.size(); ++j) {
        Entry& entry = function.hessian[i][j];
        entry.magnitude = std::max(magnitudes[i][j], magnitudes[j][i]);
        entries.push_back(&entry);
      }
    }
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create({function.formula}, variables_));
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
    if (report_.options.Asked(DerivativeMode::kSymbolic)) return FillSymbolic(bindings_, entries);
    return absl::OkStatus();
  }

  // Simplifies the derivatives' formulas for reading; stops after a limited amount of work.
  void SimplifyAll() {
    constexpr int64_t kWork = 1'000'000;  // about half a second
    std::vector<Entry*> entries;
    for (FunctionReport& function : report_.functions) {
      for (Entry& entry : function.gradient) entries.push_back(&entry);
      for (std::vector<Entry>& row : function.hessian) {
        for (Entry& entry : row) entries.push_back(&entry);
      }
    }
    std::vector<Expr> derivatives;
    for (Entry* entry : entries) derivatives.push_back(entry->derivative);
    symbolic::Budget budget(kWork);
    const std::vector<Expr> simplified = symbolic::Simplify(derivatives, &budget);
    for (size_t i = 0; i < entries.size(); ++i) entries[i]->formula = simplified[i];
    if (budget.exhausted()) {
      report_.notes.push_back(
          "the derivatives' formulas are not simplified all the way, which would take long");
    }
  }

  Report report_;
  std::vector<Expr> variables_;
  std::vector<Expr> outputs_;
  const symbolic::Program* program_ = nullptr;  // of outputs_
  symbolic::Bindings bindings_;
};

// Updates the report's disagreements with one entry. Rounding of function values limits the
// precision of numeric derivatives, so their differences from other modes are taken relative to
// `numeric_scale` at least.
void CompareEntry(const Entry& entry, double numeric_scale, Report& report) {
  for (size_t a = 0; a < 4; ++a) {
    for (size_t b = a + 1; b < 4; ++b) {
      if (!report.options.Asked(static_cast<DerivativeMode>(a)) ||
          !report.options.Asked(static_cast<DerivativeMode>(b))) {
        continue;
      }
      const double x = entry.by_mode[a], y = entry.by_mode[b];
      const double difference = std::abs(x - y);
      double scale =
          std::max({entry.magnitude, std::abs(x), std::abs(y), std::numeric_limits<double>::min()});
      if (a == kNumeric) scale = std::max(scale, numeric_scale);
      const double relative =
          std::isfinite(difference) ? difference / scale : std::numeric_limits<double>::infinity();
      double& worst = a == kNumeric ? report.numeric_disagreement : report.exact_disagreement;
      worst = std::max(worst, relative);
      const double rounding = 1e-12 * std::max(std::abs(y), entry.magnitude);
      if (a == kNumeric && !(difference <= entry.numeric_error + rounding)) {
        report.numeric_within_estimate = false;
      }
    }
  }
}

}  // namespace

void CompareModes(Report& report) {
  report.exact_disagreement = report.numeric_disagreement = 0;
  report.numeric_within_estimate = true;
  for (const FunctionReport& function : report.functions) {
    for (size_t j = 0; j < function.gradient.size(); ++j) {
      const double slope = std::abs(function.value) / std::max(1.0, std::abs(report.point[j]));
      CompareEntry(function.gradient[j], slope, report);
    }
    for (const std::vector<Entry>& row : function.hessian) {
      for (const Entry& entry : row) CompareEntry(entry, std::abs(function.value), report);
    }
  }
}

absl::StatusOr<Report> MakeReport(absl::Span<const std::string> formulas,
                                  absl::Span<const std::pair<std::string, double>> point,
                                  const ReportOptions& options) {
  return ReportMaker(point, options).Run(formulas);
}

}  // namespace cotangent::tools
