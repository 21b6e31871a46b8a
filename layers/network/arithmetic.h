// The arithmetic of blocks: what stands between the parentheses of `$(4 * dim)`.
//
//   sum     = product { ("+" | "-") product }
//   product = factor { ("*" | "/" | "//" | "%") factor }      # //: rounded down, as % belongs to it
//   factor  = number | name | function "(" sum { "," sum } ")" | "(" sum ")" | "-" factor
//
// with the functions floor, ceil, round (halves away from zero), min and max. Whole numbers and what
// is made of them are exact fractions of 64-bit numbers; numbers with a decimal point are doubles.
#ifndef COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
#define COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::layers {

// The value as a text: a whole number where it is one, else a decimal. `values` are texts too. On an
// error, `error_at` is the byte of `text` that it is about.
absl::StatusOr<std::string> EvaluateArithmetic(absl::string_view text,
                                               const std::map<std::string, std::string>& values,
                                               size_t& error_at);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_ARITHMETIC_H_
