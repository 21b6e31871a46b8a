#ifndef COTANGENT_TOOLS_DERIVATIVE_REPORT_H_
#define COTANGENT_TOOLS_DERIVATIVE_REPORT_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/trace.h"

// The report that the program `differentiate` prints: values and derivatives of formulas at a
// point, computed side by side by finite differences, dual numbers, a reverse tape and symbolic
// differentiation.
namespace cotangent::tools {

enum class DerivativeMode { kNumeric, kForward, kReverse, kSymbolic };

struct ReportOptions {
  std::vector<DerivativeMode> modes = {DerivativeMode::kNumeric, DerivativeMode::kForward,
                                       DerivativeMode::kReverse, DerivativeMode::kSymbolic};
  // The step h of central differences; 0 stands for Richardson extrapolation, which chooses its own
  // step.
  double step = 0;
  bool hessian = false;
  bool trace = false;  // whether to report the intermediate values of the computation
  // Whether to report the formulas of the derivatives; symbolic mode computes them in any case.
  bool formulas = true;

  bool Asked(DerivativeMode mode) const {
    return std::find(modes.begin(), modes.end(), mode) != modes.end();
  }
};

// One derivative, computed by each mode; NaN for modes that were not requested.
struct Entry {
  double by_mode[4];     // In the order of DerivativeMode.
  double numeric_error;  // Estimated error of the numeric derivative.
  // The size of the terms whose sum the derivative is. For each path from the variable to the
  // result in the computation graph, the magnitudes of the derivatives along the path are
  // multiplied; `magnitude` is the sum of these products. Rounding errors of the derivative are
  // proportional to `magnitude`.
  double magnitude;
  autodiff::symbolic::Expr derivative;  // as symbolic mode evaluates it; null if not computed
  autodiff::symbolic::Expr formula;     // that of the formula as written, simplified for reading
};

struct FunctionReport {
  std::string name;  // f, or f1, f2, ...
  autodiff::symbolic::Expr formula;
  double value;
  std::vector<Entry> gradient;              // one entry for each variable
  std::vector<std::vector<Entry>> hessian;  // [variable][variable]; empty unless it was requested
};

struct Report {
  std::shared_ptr<autodiff::symbolic::Pool> pool;
  std::vector<std::string> variables;
  std::vector<double> point;
  ReportOptions options;
  std::vector<FunctionReport> functions;
  autodiff::symbolic::Trace trace;
  // Each tells the reader one of these: the point is at a kink of a formula; the formulas of the
  // derivatives are not fully simplified; all was computed in long double; a formula was computed
  // from another form that keeps digits; digits of a number are lost; derivatives are limits.
  std::vector<std::string> notes;
  // Whether any first derivative, or any second one, is the limit of those beside the point, since
  // the chain rule has no answer at the point.
  bool by_limits = false, second_by_limits = false;
  // The largest differences between modes over all entries. The difference of two modes'
  // derivatives is divided by the largest of: the entry's magnitude, the absolute values of the two
  // derivatives and, if one of the modes is numeric, |f| / max(1, |x|), where x is the value of the
  // variable, or |f| for second derivatives, since the rounding of f limits numeric derivatives.
  // Infinite if a mode's derivative is not finite.
  double exact_disagreement = 0;        // between forward, reverse and symbolic
  double numeric_disagreement = 0;      // between numeric and the other modes
  bool numeric_within_estimate = true;  // numeric is off by at most its own estimate plus rounding

  // Whether forward, reverse and symbolic agree except for rounding.
  bool agrees() const { return exact_disagreement <= 1e-8; }
};

// Makes the report on formulas at a point. Errors are InvalidArgument or OutOfRange and concern the
// input: a formula that does not parse or uses a variable without a value (the message begins with
// name:line:column), a point outside a formula's domain (the message names the subexpression and
// its value), or a derivative that is not finite. If intermediate results leave the range of
// doubles, if the computation fails, or if forward, reverse and symbolic mode disagree, all is
// computed again in long double; these results are taken if the modes then agree. If a formula
// subtracts nearly equal numbers, so that digits of the report would be wrong, it is computed from
// another form that does not (autodiff/symbolic/uncancelled.h), or in long double; and notes name
// the numbers of which digits are still missing. If an infinite slope meets a slope of 0, the
// derivative is the limit of those beside the point (autodiff/symbolic/derivative_limit.h), as is a
// second derivative where a kink meets a slope of 0.
absl::StatusOr<Report> MakeReport(absl::Span<const std::string> formulas,
                                  absl::Span<const std::pair<std::string, double>> point,
                                  const ReportOptions& options);

// Computes `exact_disagreement`, `numeric_disagreement` and `numeric_within_estimate` from the
// report's entries.
void CompareModes(Report& report);

// ---- The report as text, JSON, LaTeX and C++ (derivative_report_print.cc) ----

// Return the names of derivatives, such as df/dx, d2f/dx^2 and d2f/dx dy.
std::string GradientName(const FunctionReport& f, const std::string& variable);
std::string HessianName(const FunctionReport& f, const std::string& a, const std::string& b);

std::string ReportAsText(const Report& report);
std::string ReportAsJson(const Report& report);
std::string ReportAsLatex(const Report& report);
// Returns the source of a C++ function of the variables. Its results are, for one formula after
// another, the value, the derivative by each variable and, if the report has a Hessian, the second
// derivatives on and above the diagonal, row by row.
std::string ReportAsCpp(const Report& report);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_DERIVATIVE_REPORT_H_
