#ifndef COTANGENT_TOOLS_FORMULA_REPORT_H_
#define COTANGENT_TOOLS_FORMULA_REPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

// What `differentiate` says of formulas without a point: their short form, equality, parity, limits.
// All take formula texts (autodiff/symbolic/parse.h) and return lines of text. Errors
// (InvalidArgument): what Parse() refuses, and what the functions say. "cannot tell" is an answer.
namespace cotangent::tools {

// A number by a formula without variables, such as pi/2. `source` stands in errors.
absl::StatusOr<double> ConstantFromText(const std::string& text, const std::string& source);

// Each formula's short form.
absl::StatusOr<std::string> SimplifiedAsText(absl::Span<const std::string> formulas);

// Whether the second formula equals the first, the third the first, ...; needs two or more. *all is
// whether every one was proved equal.
absl::StatusOr<std::string> EqualityAsText(absl::Span<const std::string> formulas, bool* all);

// Whether each formula is even or odd in the variable; an empty name stands for the only variable.
absl::StatusOr<std::string> ParityAsText(absl::Span<const std::string> formulas,
                                         const std::string& variable);

// Each formula's limit at "x=0" (both sides), "x=0+", "x=0-", "x=inf", "x=-inf" or "x=pi/2".
absl::StatusOr<std::string> LimitAsText(absl::Span<const std::string> formulas,
                                        const std::string& place);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_FORMULA_REPORT_H_
