// Evaluates the arithmetic in blocks of a network text: what stands between the parentheses of `$(4
// * dim)`. The grammar is
//
//   sum     = product { ("+" | "-") product }
//   product = factor { ("*" | "/" | "//" | "%") factor }
//   factor  = number | name | function "(" sum { "," sum } ")" | "(" sum ")" | "-" factor
//
// where // divides and rounds down, and % is the remainder of that. The functions are floor, ceil,
// round (halves are rounded away from zero), min and max. Whole numbers and results of arithmetic
// on them are exact fractions of 64-bit numbers; numbers with a decimal point are doubles.
#ifndef COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
#define COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::layers {

// Returns the value as text: a whole number if it is one, otherwise a decimal. `values` gives the
// value of each name, also as text. On an error, `error_at` is the byte of `text` that the error is
// about.
absl::StatusOr<std::string> EvaluateArithmetic(absl::string_view text,
                                               const std::map<std::string, std::string>& values,
                                               size_t& error_at);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
