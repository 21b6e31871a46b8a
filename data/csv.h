#ifndef COTANGENT_DATA_CSV_H_
#define COTANGENT_DATA_CSV_H_

// Tables of text with commas (RFC 4180): fields that hold a comma, a quote or a line's end stand in
// double quotes, in which a quote is doubled.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

struct CsvRow {
  int64_t line = 1;  // where the row begins, counted from 1
  std::vector<std::string> fields;
};

// Lines end with \n or \r\n; a byte order mark and empty lines are passed over. Errors, which begin
// with `source` and the line: a quote that is not closed, text after a closing quote.
absl::StatusOr<std::vector<CsvRow>> ParseCsv(absl::string_view text, absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_CSV_H_
