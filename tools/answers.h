// How predict writes what a network answers: lines for people, one JSON object, or CSV.
#ifndef COTANGENT_TOOLS_ANSWERS_H_
#define COTANGENT_TOOLS_ANSWERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/dataset.h"

namespace cotangent::tools {

enum class AnswerFormat { kText, kJson, kCsv };

// Of "text", "json" or "csv"; a usage error for any other.
absl::StatusOr<AnswerFormat> ParseAnswerFormat(absl::string_view text);

// What is written before the first picture, for each, and after the last.
//
//   text   PICTURE: cat 0.8123  dog 0.1012      the `top` most probable; numbers: age 34.2  weight 61
//   json   {"pictures": [{"file": "cat.png", "classes": [{"name": "cat", "number": 3,
//          "probability": 0.8123}, ...]}, ...]}  the `top` most probable; "labels" instead of
//          "classes", or "numbers" with "value"; {"file", "error"} for a picture that was not read
//   csv    image,answer,probability,probability of CLASS,...   of labels and numbers without the
//          second and third column; all classes; quoted as RFC 4180 has it
class AnswerWriter {
 public:
  AnswerWriter(AnswerFormat format, data::TargetKind kind, std::vector<std::string> names, int top)
      : format_(format), kind_(kind), names_(std::move(names)), top_(top) {}

  std::string Begin() const;
  // `answers`: a probability for each class or label, or the numbers.
  std::string Answer(const std::string& picture, const std::vector<double>& answers);
  // Nothing but in JSON: errors are said on standard error.
  std::string Error(const std::string& picture, const absl::Status& error);
  std::string End() const;

 private:
  std::string Text(const std::vector<size_t>& order, const std::vector<double>& answers) const;
  std::string Csv(const std::string& picture, size_t first,
                  const std::vector<double>& answers) const;
  std::string Element(const std::string& json);

  AnswerFormat format_;
  data::TargetKind kind_;
  std::vector<std::string> names_;
  int top_;
  bool is_first_ = true;
};

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_ANSWERS_H_
