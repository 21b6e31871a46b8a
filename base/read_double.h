// Reads numbers that have a decimal point, whatever locale the program has chosen.
#ifndef COTANGENT_BASE_READ_DOUBLE_H_
#define COTANGENT_BASE_READ_DOUBLE_H_

namespace cotangent {

// Reads the number at the beginning of `text` as std::strtod() does in the locale "C": a point
// stands before the decimals even where setlocale() has chosen a comma. If `end` is not null, *end
// becomes the place behind the number, or `text` if there is none.
double ReadDouble(const char* text, char** end);

}  // namespace cotangent

#endif  // COTANGENT_BASE_READ_DOUBLE_H_
