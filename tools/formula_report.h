#ifndef COTANGENT_TOOLS_FORMULA_REPORT_H_
#define COTANGENT_TOOLS_FORMULA_REPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

// What the program `differentiate` reports about formulas when no point is given: short form,
// equality, parity, limits. All functions take formulas as texts (autodiff/symbolic/parse.h); all
// but the first return lines of text. A text that Parse() refuses is an error (InvalidArgument).
// "cannot tell" is an answer, not an error.
namespace cotangent::tools {

// Evaluates a formula without variables, such as pi/2. Error messages name `source` as its origin.
absl::StatusOr<double> ConstantFromText(const std::string& text, const std::string& source);

// Returns a line "NAME = FORM" for each formula, with the shortest equal form that was found.
absl::StatusOr<std::string> SimplifiedAsText(absl::Span<const std::string> formulas);

// Says whether the second formula equals the first, whether the third equals the first, and so on.
// Returns an error for fewer than two formulas. Sets *all to whether every equality was proved.
absl::StatusOr<std::string> EqualityAsText(absl::Span<const std::string> formulas, bool* all);

// Says whether each formula is even or odd in `variable`; an empty name stands for the formula's
// only variable, and is an error if the formula has none or several.
absl::StatusOr<std::string> ParityAsText(absl::Span<const std::string> formulas,
                                         const std::string& variable);

// Returns each formula's limit at `place`: "x=0" (from both sides), "x=0+", "x=0-", "x=inf",
// "x=-inf" or "x=pi/2". If the limits from the two sides differ, also returns each of them.
absl::StatusOr<std::string> LimitAsText(absl::Span<const std::string> formulas,
                                        const std::string& place);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_FORMULA_REPORT_H_
