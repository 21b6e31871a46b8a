#ifndef COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_
#define COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "tools/derivative_report.h"

// Computes the numbers of a report (derivative_report.h). MakeReport() calls Computed() with the
// formulas as they are written, and if those lose digits, also with other forms of them.
namespace cotangent::tools {

// The type of numbers to compute with. kWhatItTakes: double; and again long double if intermediate
// results leave the range of doubles, the computation fails, or the exact modes (forward, reverse,
// symbolic) disagree. The results in long double are taken if the exact modes then agree.
enum class Precision { kWhatItTakes, kLongDouble };

// Returns `plan` with values, derivatives and trace computed from `formulas`, one for each function
// of the plan, in the modes that the plan's options ask for. The plan has the variables, the point,
// the options, and an entry for each derivative.
//
// Where an infinite slope meets a slope of 0 (sqrt(x^4) at 0), the chain rule has no answer, and
// the modes give 0 or NaN. If the formula of a first derivative has no value there, the result of
// every exact mode is the limit of the derivatives beside the point
// (autodiff/symbolic/derivative_limit.h), and a note says so. If there is no such limit, Computed()
// returns an error.
absl::StatusOr<Report> Computed(const Report& plan,
                                const std::vector<autodiff::symbolic::Expr>& formulas,
                                Precision precision);

// Errors above this relative size spoil digits that a report shows.
inline constexpr double kVisible = 1e-11;

// A number of a report of which rounding has spoilt digits.
struct Doubt {
  std::string name;  // f, df/dx or d2f/dx dy
  double error;      // its relative error, about
  // The relative error that it keeps in long double; 0 if that is not known.
  double wide_error = 0;
};

// Returns the values and derivatives (by the exact modes) of `report` whose relative difference
// from those of the formulas `others`, evaluated in long double, is above kVisible; the worst
// first. A value counts only if it also differs by more than twice what rounding the point can
// change it by; derivatives do not count if Report::by_limits is set, and second derivatives do not
// if Report::second_by_limits is.
std::vector<Doubt> Doubts(const Report& report,
                          const std::vector<autodiff::symbolic::Expr>& others);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_
