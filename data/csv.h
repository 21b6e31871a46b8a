#ifndef COTANGENT_DATA_CSV_H_
#define COTANGENT_DATA_CSV_H_

// Parses comma-separated tables (RFC 4180). Fields that contain a comma, a quote or a line break
// are written in double quotes, and quotes within them are doubled.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

struct CsvRow {
  int64_t line = 1;  // the line at which the row begins, counted from 1
  std::vector<std::string> fields;
};

// Parses a table and calls `visit` with each row in turn. If `visit` returns an error, parsing ends
// and the error is returned. Lines end with \n, \r\n or \r. A byte order mark is skipped, and so
// are rows with a single, empty field, such as empty lines. Other errors are a quote that is not
// closed, and text after a closing quote; they begin with `source` and the line.
absl::Status VisitCsvRows(absl::string_view text, absl::string_view source,
                          const std::function<absl::Status(const CsvRow& row)>& visit);

// Returns all rows of a table. Errors are those of VisitCsvRows().
absl::StatusOr<std::vector<CsvRow>> ParseCsv(absl::string_view text, absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_CSV_H_
