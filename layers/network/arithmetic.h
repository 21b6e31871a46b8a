// Evaluates the arithmetic in a network text, the .textproto file that describes a network
// (network.proto). Arithmetic stands in the blocks of such a text, as `4 * dim` in `$(4 * dim)`.
// The grammar is
//
//   sum     = product { ("+" | "-") product }
//   product = factor { ("*" | "/" | "//" | "%") factor }
//   factor  = number | name | function "(" sum { "," sum } ")" | "(" sum ")" | "-" factor
//
// Here // divides and rounds the quotient down, and % is the remainder of that division. The
// functions are floor, ceil, round (halves are rounded away from zero), min and max. A `$` before a
// number, name or function is ignored. Whole numbers and results of arithmetic on them are exact
// fractions of two 64-bit integers; numbers with a decimal point or an exponent, and whole numbers
// of more than 64 bits, are doubles.
#ifndef COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
#define COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::layers {

// Returns the value of `text` as a string: a whole number if the value is one, otherwise a decimal.
// `values` gives the value of each name, also as a string. If an error is returned, `error_at` is
// the index of the byte of `text` that the error is about.
absl::StatusOr<std::string> EvaluateArithmetic(absl::string_view text,
                                               const std::map<std::string, std::string>& values,
                                               size_t& error_at);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
