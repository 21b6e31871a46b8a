#ifndef COTANGENT_TOOLS_DERIVATIVE_REPORT_H_
#define COTANGENT_TOOLS_DERIVATIVE_REPORT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic/trace.h"

// What `differentiate` prints: formulas' values and derivatives at a point by finite differences,
// dual numbers, the tape and the symbolic derivative, side by side.
namespace cotangent::tools {

enum class DerivativeMode { kNumeric, kForward, kReverse, kSymbolic };

struct ReportOptions {
  std::vector<DerivativeMode> modes = {DerivativeMode::kNumeric, DerivativeMode::kForward,
                                       DerivativeMode::kReverse, DerivativeMode::kSymbolic};
  // Step of central differences; 0: Richardson extrapolation, the step chosen.
  double step = 0;
  bool hessian = false;
  bool trace = false;
  // Whether the derivatives' formulas are wanted; symbolic mode needs them anyway.
  bool formulas = true;
};

// One derivative by every mode; those not asked for are NaN.
struct Entry {
  double by_mode[4];     // In the order of DerivativeMode.
  double numeric_error;  // The estimate that comes with the numeric one.
  // What it is a sum of, without the signs: over all paths from the variable to the result, the
  // product of the magnitudes of the derivatives along it. Rounding errors are relative to this.
  double magnitude;
  autodiff::symbolic::Expr derivative;  // As evaluated; null where no formulas are wanted.
  autodiff::symbolic::Expr formula;     // The same simplified, for reading.
};

struct FunctionReport {
  std::string name;  // f, or f1, f2, ...
  autodiff::symbolic::Expr formula;
  double value;
  std::vector<Entry> gradient;              // By variable.
  std::vector<std::vector<Entry>> hessian;  // Empty unless asked for.
};

struct Report {
  std::shared_ptr<autodiff::symbolic::Pool> pool;
  std::vector<std::string> variables;
  std::vector<double> point;
  ReportOptions options;
  std::vector<FunctionReport> functions;
  autodiff::symbolic::Trace trace;
  std::vector<std::string> notes;  // Kinks the point stands on.
  // Largest differences over all entries, relative to their magnitude; infinite where a mode's
  // derivative is not finite.
  double exact_disagreement = 0;    // Among forward, reverse and symbolic.
  double numeric_disagreement = 0;  // Of numeric from the others.
  bool numeric_within_estimate = true;

  // Whether forward, reverse and symbolic are the same but for rounding.
  bool agrees() const { return exact_disagreement <= 1e-8; }
};

// Errors (InvalidArgument or OutOfRange, both about the input): a formula that does not parse or
// uses a variable without a value (name:line:column), a point outside the domain (which
// subexpression, at which value), a derivative that is not finite.
absl::StatusOr<Report> MakeReport(absl::Span<const std::string> formulas,
                                  absl::Span<const std::pair<std::string, double>> point,
                                  const ReportOptions& options);

// Measures the report's disagreements anew.
void CompareModes(Report& report);

std::string ReportAsText(const Report& report);
std::string ReportAsJson(const Report& report);
std::string ReportAsLatex(const Report& report);
// A C++ function of the variables: values, then the derivatives by each, function after function.
std::string ReportAsCpp(const Report& report);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_DERIVATIVE_REPORT_H_
