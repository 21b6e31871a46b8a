#include "data/csv.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace cotangent::data {
namespace {

class Parser {
 public:
  Parser(absl::string_view text, absl::string_view source) : text_(text), source_(source) {
    absl::ConsumePrefix(&text_, "\xef\xbb\xbf");
  }

  absl::Status Parse(const std::function<absl::Status(const CsvRow& row)>& visit) {
    CsvRow row;
    while (at_ < text_.size()) {
      row.fields.clear();
      row.line = line_;
      bool more = true;
      while (more) {
        std::string field;
        RETURN_IF_ERROR(ParseField(field));
        row.fields.push_back(std::move(field));
        more = at_ < text_.size() && text_[at_] == ',';
        if (more) ++at_;
      }
      SkipLineEnd();
      const bool is_empty = row.fields.size() == 1 && row.fields[0].empty();
      if (!is_empty) RETURN_IF_ERROR(visit(row));
    }
    return absl::OkStatus();
  }

 private:
  // Returns whether the text or the current line ends at at_.
  bool AtEnd() const { return at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }

  void SkipLineEnd() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  absl::Status ParseField(std::string& field) {
    if (at_ >= text_.size() || text_[at_] != '"') {
      while (!AtEnd() && text_[at_] != ',') field.push_back(text_[at_++]);
      return absl::OkStatus();
    }
    const int64_t opened = line_;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat(source_, ":", opened, ": a quote that opens here is not closed"));
      }
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      field.push_back(text_[at_]);
    }
    ++at_;
    if (!AtEnd() && text_[at_] != ',') {
      return absl::InvalidArgumentError(
          absl::StrCat(source_, ":", line_,
                       ": text after a closing quote; expected a comma or the line's end, "
                       "and quotes inside quotes doubled"));
    }
    return absl::OkStatus();
  }

  absl::string_view text_;
  const absl::string_view source_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

absl::Status VisitCsvRows(absl::string_view text, absl::string_view source,
                          const std::function<absl::Status(const CsvRow& row)>& visit) {
  return Parser(text, source).Parse(visit);
}

absl::StatusOr<std::vector<CsvRow>> ParseCsv(absl::string_view text, absl::string_view source) {
  std::vector<CsvRow> rows;
  RETURN_IF_ERROR(VisitCsvRows(text, source, [&](const CsvRow& row) {
    rows.push_back(row);
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace cotangent::data
