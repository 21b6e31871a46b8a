#include "tools/answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/editor_text.h"
#include "tools/command_line.h"
#include "training/report/evaluation_page.h"

namespace cotangent::tools {
namespace {

using training::report::CsvField;

// Returns the indices of `answers` in the order in which to show them: probabilities in descending
// order, numbers (TargetKind::kNumbers) in the given order.
std::vector<size_t> Order(TargetKind kind, const std::vector<double>& answers) {
  std::vector<size_t> order(answers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (kind == TargetKind::kNumbers) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return answers[a] > answers[b]; });
  return order;
}

// Returns `value` as JSON text on one line. JSON must be UTF-8, but file names may hold any bytes:
// sequences that are not UTF-8 are replaced by U+FFFD.
std::string Dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<AnswerFormat> ParseAnswerFormat(absl::string_view text) {
  if (text == "text") return AnswerFormat::kText;
  if (text == "json") return AnswerFormat::kJson;
  if (text == "csv") return AnswerFormat::kCsv;
  return FlagError("format", text, "text, json or csv");
}

std::string AnswerWriter::Begin() const {
  if (format_ == AnswerFormat::kJson) return "{\"pictures\": [";
  if (format_ == AnswerFormat::kText) return "";
  std::string line = kind_ == TargetKind::kClass ? "image,answer,probability" : "image";
  const char* const what = kind_ == TargetKind::kNumbers ? "" : "probability of ";
  for (const std::string& name : names_)
    absl::StrAppend(&line, ",", CsvField(absl::StrCat(what, name)));
  return line + "\n";
}

std::string AnswerWriter::Element(const std::string& json) {
  std::string element = absl::StrCat(is_first_ ? "\n  " : ",\n  ", json);
  is_first_ = false;
  return element;
}

std::string AnswerWriter::Text(const std::vector<size_t>& order,
                               const std::vector<double>& answers) const {
  std::string text;
  for (const size_t k : order) {
    const char* const gap = text.empty() ? "" : "  ";
    if (kind_ == TargetKind::kNumbers) {
      absl::StrAppendFormat(&text, "%s%s %.6g", gap, names_[k], answers[k]);
    } else {
      absl::StrAppendFormat(&text, "%s%s %.4f", gap, names_[k], answers[k]);
    }
  }
  return text;
}

std::string AnswerWriter::Csv(const std::string& picture, size_t first,
                              const std::vector<double>& answers) const {
  std::string line = CsvField(picture);
  if (kind_ == TargetKind::kClass)
    absl::StrAppendFormat(&line, ",%s,%.6g", CsvField(names_[first]), answers[first]);
  for (const double answer : answers) absl::StrAppendFormat(&line, ",%.6g", answer);
  return line + "\n";
}

std::string AnswerWriter::Answer(const std::string& picture, const std::vector<double>& answers) {
  std::vector<size_t> order = Order(kind_, answers);
  if (format_ == AnswerFormat::kCsv) return Csv(picture, order[0], answers);
  if (kind_ != TargetKind::kNumbers) order.resize(std::min<size_t>(order.size(), top_));
  if (format_ == AnswerFormat::kText)
    return absl::StrCat(Printable(picture), ": ", Text(order, answers), "\n");
  const bool is_number = kind_ == TargetKind::kNumbers;
  nlohmann::ordered_json found = nlohmann::ordered_json::array();
  for (const size_t k : order) {
    found.push_back(
        {{"name", names_[k]}, {"number", k}, {is_number ? "value" : "probability", answers[k]}});
  }
  const char* const what =
      is_number ? "numbers" : (kind_ == TargetKind::kLabels ? "labels" : "classes");
  return Element(Dump({{"file", picture}, {what, std::move(found)}}));
}

std::string AnswerWriter::Error(const std::string& picture, const absl::Status& error) {
  if (format_ != AnswerFormat::kJson) return "";
  return Element(Dump({{"file", picture}, {"error", std::string(error.message())}}));
}

std::string AnswerWriter::End() const { return format_ == AnswerFormat::kJson ? "\n]}\n" : ""; }

}  // namespace cotangent::tools
