// Formats the answers of a network for the program predict: lines for people, one JSON object, or
// CSV. An answer is what the network predicts for a picture: a probability for each class or label,
// or numbers, whichever the network was trained for.
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

// Parses "text", "json" or "csv"; any other text is a usage error.
absl::StatusOr<AnswerFormat> ParseAnswerFormat(absl::string_view text);

// Formats the answers. Begin() is called before the first picture, Answer() or Error() for each
// picture, and End() after the last; each returns text to be printed. `top` is how many classes or
// labels are shown. The formats:
//
//   text   PICTURE: cat 0.8123  dog 0.1012      The `top` most probable classes or labels.
//          PICTURE: age 34.2  weight 61         All numbers, if the network answers with numbers.
//   json   {"pictures": [{"file": "cat.png", "classes": [{"name": "cat", "number": 3,
//          "probability": 0.8123}, ...]}, ...]}  The `top` most probable; "number" counts the
//          classes from 0. For labels, "labels" stands in place of "classes". For numbers, all are
//          listed, with "numbers" in place of "classes" and "value" in place of "probability". A
//          picture that could not be read has "file" and "error".
//   csv    image,answer,probability,probability of CLASS,...   All classes. For labels and numbers
//          the second and third columns are missing, and for numbers the header has only their
//          names: image,age,weight. Quoted as RFC 4180 says.
class AnswerWriter {
 public:
  AnswerWriter(AnswerFormat format, TargetKind kind, std::vector<std::string> names, int top)
      : format_(format), kind_(kind), names_(std::move(names)), top_(top) {}

  std::string Begin() const;
  // `answers` holds a probability for each class or label, or the numbers.
  std::string Answer(const std::string& picture, const std::vector<double>& answers);
  // Returns the JSON element of a picture that could not be read; "" for the other formats, which
  // have no place for errors.
  std::string Error(const std::string& picture, const absl::Status& error);
  std::string End() const;

 private:
  std::string Text(const std::vector<size_t>& order, const std::vector<double>& answers) const;
  std::string Csv(const std::string& picture, size_t first,
                  const std::vector<double>& answers) const;
  std::string Element(const std::string& json);

  AnswerFormat format_;
  TargetKind kind_;
  std::vector<std::string> names_;
  int top_;
  bool is_first_ = true;
};

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_ANSWERS_H_
