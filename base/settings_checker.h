// Checks numbers that a user has written into a text, one after the other.
#ifndef COTANGENT_BASE_SETTINGS_CHECKER_H_
#define COTANGENT_BASE_SETTINGS_CHECKER_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cotangent {

// Checks the fields of one message (as in protocol buffers) of a text and remembers the first
// error: "PLACE.FIELD is VALUE: expected ...". `place` is the path of the message in the text.
class SettingsChecker {
 public:
  explicit SettingsChecker(std::string place) : place_(std::move(place)) {}

  // Requires 0 <= value < infinity.
  void NotNegative(double value, absl::string_view field);
  // Requires 0 <= value < 1.
  void Fraction(double value, absl::string_view field);
  // Requires low <= value <= high; returns `value`.
  double Between(double value, double low, double high, absl::string_view field);
  void Require(bool holds, absl::string_view field, double value, absl::string_view expected);
  const absl::Status& status() const { return status_; }

 private:
  std::string place_;
  absl::Status status_;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SETTINGS_CHECKER_H_
