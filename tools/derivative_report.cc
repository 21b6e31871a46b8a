#include "tools/derivative_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

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
void Fill(DerivativeMode mode, const std::vector<double>& values,
          absl::Span<Entry* const> entries) {
  for (size_t i = 0; i < entries.size(); ++i)
    entries[i]->by_mode[static_cast<int>(mode)] = values[i];
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
std::vector<std::vector<double>> PathMagnitudes(const symbolic::Trace& trace) {
  std::vector<std::vector<double>> of_row;
  for (const symbolic::TraceRow& row : trace.rows) {
    std::vector<double> sum(trace.input_count, 0);
    if (of_row.size() < trace.input_count) sum[of_row.size()] = 1;
    for (const symbolic::TraceArgument& argument : row.arguments) {
      if (!std::isfinite(argument.partial)) continue;
      const std::vector<double>& inner = of_row[argument.row];
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += std::abs(argument.partial) * inner[i];
    }
    of_row.push_back(std::move(sum));
  }
  std::vector<std::vector<double>> result;
  for (size_t output : trace.outputs) result.push_back(of_row[output]);
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
    ASSIGN_OR_RETURN(symbolic::Trace trace,
                     symbolic::MakeTrace(outputs_, variables_, report_.point));
    report_.trace = std::move(trace);
    report_.notes = symbolic::KinksAt(outputs_, variables_, report_.point);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      report_.functions[k].value = report_.trace.rows[report_.trace.outputs[k]].value;
    }
    RETURN_IF_ERROR(Jacobian());
    if (report_.options.hessian) {
      for (size_t k = 0; k < outputs_.size(); ++k) {
        RETURN_IF_ERROR(Hessian(k));
      }
    }
    if (report_.options.formulas) SimplifyAll();
    CompareModes(report_);
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
      outputs_.push_back(formula);
      report_.functions.push_back(std::move(function));
    }
    return absl::OkStatus();
  }

  absl::Status Jacobian() {
    std::vector<Entry*> entries;
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(report_.trace);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      FunctionReport& function = report_.functions[k];
      function.gradient.assign(variables_.size(), EmptyEntry());
      for (size_t j = 0; j < variables_.size(); ++j) {
        function.gradient[j].magnitude = magnitudes[k][j];
      }
      if (!report_.options.formulas) continue;
      const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
      for (size_t j = 0; j < variables_.size(); ++j) {
        function.gradient[j].derivative = gradient[j];
      }
    }
    for (FunctionReport& function : report_.functions) {
      for (Entry& entry : function.gradient) entries.push_back(&entry);
    }
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create(outputs_, variables_));
    const FormulaFunction f{&program};
    const std::span<const double> x(report_.point);
    if (report_.options.Asked(DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Jacobian([&](std::span<const double> at) { return f(at); }, x,
                                              NumericOptions(report_.options)),
                  entries);
    }
    if (report_.options.Asked(DerivativeMode::kForward)) {
      Fill(DerivativeMode::kForward, autodiff::forward::Jacobian(f, x), entries);
    }
    if (report_.options.Asked(DerivativeMode::kReverse)) {
      Fill(DerivativeMode::kReverse, autodiff::reverse::Jacobian(f, x), entries);
    }
    if (report_.options.Asked(DerivativeMode::kSymbolic)) return FillSymbolic(bindings_, entries);
    return absl::OkStatus();
  }

  absl::Status Hessian(size_t k) {
    FunctionReport& function = report_.functions[k];
    std::vector<Entry*> entries;
    const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
    const absl::StatusOr<symbolic::Trace> trace =
        symbolic::MakeTrace(gradient, variables_, report_.point);
    if (!trace.ok()) {
      return absl::OutOfRangeError(
          absl::StrCat("a second derivative is not finite: ", trace.status().message()));
    }
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(*trace);
    const std::vector<std::vector<Expr>> rows =
        report_.options.formulas ? symbolic::Hessian(function.formula, variables_)
                                 : std::vector<std::vector<Expr>>();
    for (size_t i = 0; i < variables_.size(); ++i) {
      std::vector<Entry>& row = function.hessian.emplace_back(variables_.size(), EmptyEntry());
      for (size_t j = 0; j < variables_.size(); ++j) {
        row[j].magnitude = std::max(magnitudes[i][j], magnitudes[j][i]);
        if (report_.options.formulas) row[j].derivative = rows[i][j];
      }
    }
    for (std::vector<Entry>& row : function.hessian) {
      for (Entry& entry : row) entries.push_back(&entry);
    }
    ASSIGN_OR_RETURN(const symbolic::Program program,
                     symbolic::Program::Create({function.formula}, variables_));
    const ScalarFormula f{&program};
    const std::span<const double> x(report_.point);
    if (report_.options.Asked(DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Hessian([&](std::span<const double> at) { return f(at); }, x,
                                             NumericOptions(report_.options)),
                  entries);
    }
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
