#ifndef COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_
#define COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "autodiff/symbolic/expression.h"
#include "tools/derivative_report.h"

// Computes what a report (derivative_report.h) reports. MakeReport calls it, with the formulas as
// they are written, and if those lose digits, with other forms of them.
namespace cotangent::tools {

// Which numbers to compute with. kWhatItTakes: doubles; and long doubles if intermediate results
// leave the range of doubles or the modes disagree.
enum class Precision { kWhatItTakes, kLongDouble };

// Returns `plan` with values, derivatives and trace computed by evaluating `formulas`, one for each
// function of the plan, in all modes. The plan has the variables, the point, the options, and an
// entry for each derivative.
//
// Where an infinite slope meets a slope of 0 (sqrt(x^4) at 0), the chain rule has no answer, and
// the modes give 0 or NaN. The derivative is then the limit of the derivatives beside the point
// (derivative_limit.h), if it has one, in every mode; a note says so.
absl::StatusOr<Report> Computed(const Report& plan,
                                const std::vector<autodiff::symbolic::Expr>& formulas,
                                Precision precision);

// Differences above this relative size spoil digits that a report shows.
inline constexpr double kVisible = 1e-11;

// A number of a report of which rounding has spoilt digits.
struct Doubt {
  std::string name;  // f or df/dx
  double error;      // its relative error, about
};

// Returns the values and first derivatives of `report`, computed from `formulas`, that differ from
// those of `others`, computed in long double, by so much that a report shows it; the worst first.
// Of values, only what is more than the rounding of the point itself would change counts.
std::vector<Doubt> Doubts(const Report& report,
                          const std::vector<autodiff::symbolic::Expr>& others);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_DERIVATIVE_COMPUTATION_H_
