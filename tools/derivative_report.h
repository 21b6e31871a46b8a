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
};

// One derivative by every mode; those not asked for are NaN.
struct Entry {
  double by_mode[4];                 // In the order of DerivativeMode.
  double numeric_error;              // The estimate that comes with the numeric one.
  autodiff::symbolic::Expr formula;  // Simplified.
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
  // Largest differences over all entries, relative to max(1, |derivative|).
  double exact_disagreement = 0;    // Among forward, reverse and symbolic.
  double numeric_disagreement = 0;  // Of numeric from the others.
  bool numeric_within_estimate = true;
};

// Errors (InvalidArgument or OutOfRange, both about the input): a formula that does not parse or
// uses a variable without a value (name:line:column), a point outside the domain (which
// subexpression, at which value), a derivative that is not finite.
absl::StatusOr<Report> MakeReport(absl::Span<const std::string> formulas,
                                  absl::Span<const std::pair<std::string, double>> point,
                                  const ReportOptions& options);

std::string ReportAsText(const Report& report);
std::string ReportAsJson(const Report& report);
std::string ReportAsLatex(const Report& report);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_DERIVATIVE_REPORT_H_
