// A data source given by a CSV file that lists pictures. Each line has the path of a picture,
// relative to the CSV file's folder, the target (what a network is to predict), and perhaps a
// split: train, val or test, or another name that SplitNamed() knows; a line without a split is for
// training. The first line
// may name the columns: "path", "file", "filename" or "image" for the path; "label", "labels" or
// "class" for the target; "split" for the split. The columns can then have any order. A first line
// that names neither path nor target is a picture's line like the others; path, label and split are
// then the first three columns. The network's loss decides which kind of target is read:
//
//   a class     The field "label". The classes are those of the training pictures, sorted by bytes.
//   labels      The field "label", which lists any number of labels, as in "dog;cat"; labels are
//               sorted like classes. If the first line names columns, but not this one, each column
//               beside path and split is a label with the column's name; its fields are 1 or 0, or
//               empty, which means 0.
//   numbers     All columns beside path and split, with the columns' names. If the first line does
//               not name the columns, the second column, which is then called "value".

#include "data/csv.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/editor_text.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/sources/pictures.h"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

// How the columns of a table are used. `path`, `label` and `split` are indices (from 0) of columns;
// -1: there is no such column.
struct Columns {
  int path = 0, label = 1, split = 2;
  bool is_header = false;  // whether the first row contains names of columns
  int count = 3;           // how many columns a row may have
  std::string twice;       // the name of a column that there are two of
  // Labels or numbers that have a column each: the indices of the columns, and their names. If
  // there are such columns, `label` is -1.
  std::vector<int> values;
  std::vector<std::string> names;
};

std::string Plain(const std::string& field) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(field));
}

Columns ColumnsOf(const CsvRow& first, TargetKind targets) {
  const std::map<std::string, int Columns::*> kNames = {
      {"path", &Columns::path},    {"file", &Columns::path},   {"filename", &Columns::path},
      {"image", &Columns::path},   {"label", &Columns::label}, {"class", &Columns::label},
      {"labels", &Columns::label}, {"split", &Columns::split},
  };
  Columns columns;
  columns.path = columns.label = columns.split = -1;
  columns.count = static_cast<int>(first.fields.size());
  for (int i = 0; i < columns.count; ++i) {
    const auto name = kNames.find(Plain(first.fields[i]));
    if (name == kNames.end()) continue;
    int& column = columns.*(name->second);
    if (column >= 0) columns.twice = first.fields[i];
    column = i;
  }
  columns.is_header = columns.path >= 0 || columns.label >= 0;
  if (!columns.is_header) {
    columns = Columns();
    if (targets != TargetKind::kNumbers) return columns;
    columns.label = -1;
    columns.values = {1};
    columns.names = {"value"};
    return columns;
  }
  if (targets == TargetKind::kClass || (targets == TargetKind::kLabels && columns.label >= 0))
    return columns;
  columns.label = -1;
  for (int i = 0; i < columns.count; ++i) {
    if (i == columns.path || i == columns.split) continue;
    columns.values.push_back(i);
    columns.names.emplace_back(absl::StripAsciiWhitespace(first.fields[i]));
  }
  return columns;
}

absl::StatusOr<Split> ParseSplit(const std::string& text, const std::string& place) {
  const std::string name = Plain(text);
  if (name.empty()) return Split::kTrain;
  if (const std::optional<Split> split = SplitNamed(name)) return *split;
  return absl::InvalidArgumentError(
      absl::StrCat(place, "the split is \"", text, "\"; expected train, val or test"));
}

// The contents of one row of the table, which describes one picture.
struct Line {
  std::string name;
  int64_t number = 0;               // of the line in the file, from 1
  std::vector<std::string> labels;  // names: one for a class, any number for labels
  std::vector<float> values;        // of labels or numbers that have a column each
  Split split = Split::kTrain;
};

// Returns, for a row with one field only, a hint that its columns seem to be separated by
// semicolons or tabs, as spreadsheets write them in countries with decimal commas. Returns "" if
// there is neither.
std::string SeparatorHint(const CsvRow& row) {
  if (row.fields.size() != 1) return "";
  for (const auto& [separator, name] : {std::pair(';', "semicolons"), std::pair('\t', "tabs")}) {
    if (row.fields[0].find(separator) != std::string::npos)
      return absl::StrCat(", separated by commas; this row has ", name);
  }
  return "";
}

std::string PlaceOf(const std::string& text, int64_t line) {
  return absl::StrCat(text, ":", line, ": ");
}

// Returns an error if the row has more fields than there are columns, as happens if the quotes
// around a field with a comma are missing. Empty fields at the row's end are ignored.
absl::Status CheckLength(const CsvRow& row, const Columns& columns, const std::string& place) {
  for (size_t i = columns.count; i < row.fields.size(); ++i) {
    if (row.fields[i].empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(place, "a row of ", row.fields.size(), " columns; expected ",
                     columns.is_header ? absl::StrCat(columns.count, ", as the first line has")
                                       : "path,label or path,label,split",
                     ", and quotes around a field that holds a comma"));
  }
  return absl::OkStatus();
}

// Parses a field of a column that stands for one label or number.
absl::StatusOr<float> ParseValue(const std::string& field, TargetKind targets,
                                 const std::string& name, const std::string& place) {
  const std::string text = Plain(field);
  const auto error = [&](const char* expected) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "column \"", name, "\" holds \"", field, "\"; expected ", expected));
  };
  float value = 0;
  const bool is_number = absl::SimpleAtof(text, &value) && std::isfinite(value);
  if (targets == TargetKind::kNumbers)
    return is_number ? absl::StatusOr<float>(value)
                     : error(
                           "a number of at most 3.4e38 in magnitude, as in every column beside "
                           "path and split: leave out what is not to be learnt");
  if (text.empty()) return 0.0f;
  if (!is_number || (value != 0 && value != 1))
    return error("1 or 0, as in every column beside path and split, or one column \"labels\"");
  return value;
}

absl::StatusOr<Line> ReadRow(const CsvRow& row, const Columns& columns, TargetKind targets,
                             const std::string& text) {
  Line line;
  line.number = row.line;
  const std::string place = PlaceOf(text, row.line);
  RETURN_IF_ERROR(CheckLength(row, columns, place));
  const auto field = [&](int column) {
    return column >= 0 && column < static_cast<int>(row.fields.size()) ? row.fields[column] : "";
  };
  line.name = field(columns.path);
  const std::string label = field(columns.label);
  const bool lacks_label = targets == TargetKind::kClass && label.empty();
  if (line.name.empty() || lacks_label) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "a row of ", row.fields.size(), " columns without ",
                     line.name.empty() ? "a path" : "a label",
                     "; expected path,label or path,label,split", SeparatorHint(row)));
  }
  if (targets == TargetKind::kClass) line.labels = {label};
  if (targets == TargetKind::kLabels) {
    for (absl::string_view one : absl::StrSplit(label, ';')) {
      one = absl::StripAsciiWhitespace(one);
      if (!one.empty()) line.labels.emplace_back(one);
    }
  }
  for (size_t k = 0; k < columns.values.size(); ++k) {
    ASSIGN_OR_RETURN(const auto value,
                     ParseValue(field(columns.values[k]), targets, columns.names[k], place));
    line.values.push_back(value);
  }
  const fs::path path = fs::path(line.name).lexically_normal();
  if (path.is_absolute() || *path.begin() == "..") {
    return absl::InvalidArgumentError(absl::StrCat(
        place, "the path ", line.name,
        " leads out of the folder "
        "of the CSV file; expected one below it, so that the two can be moved together"));
  }
  ASSIGN_OR_RETURN(line.split, ParseSplit(field(columns.split), place));
  return line;
}

// Adds the picture of `line` to the list. Its class becomes a number, its index in `names`. Its
// labels become a value for each of `names`: 1 for those that the picture has, 0 for the others.
// `names` must be sorted for these two. Values that the line has already (numbers, or labels with a
// column each, whose names `names` are) are kept. Returns an error if a class or a label is not in
// `names`.
absl::Status AddPicture(const std::vector<std::string>& names, TargetKind targets, Line line,
                        const std::string& text, PictureList& pictures) {
  int32_t number = 0;
  if (targets == TargetKind::kLabels && line.values.empty()) line.values.assign(names.size(), 0.0f);
  for (const std::string& label : line.labels) {
    const auto found = std::lower_bound(names.begin(), names.end(), label);
    if (found == names.end() || *found != label) {
      return absl::InvalidArgumentError(absl::StrCat(
          PlaceOf(text, line.number), "no training picture has the label \"", label, "\""));
    }
    number = static_cast<int32_t>(found - names.begin());
    if (targets == TargetKind::kLabels) line.values[number] = 1;
  }
  pictures.Add({line.name, targets == TargetKind::kClass ? number : 0, line.number, line.values});
  return absl::OkStatus();
}

absl::Status CheckColumns(const Columns& columns, TargetKind targets, const CsvRow& row,
                          const std::string& place) {
  if (columns.is_header && !columns.twice.empty())
    return absl::InvalidArgumentError(absl::StrCat(place, "there are two columns for what \"",
                                                   columns.twice,
                                                   "\" holds; rename the one that does not count"));
  const char* const missing = columns.path < 0                                     ? "\"path\""
                              : targets == TargetKind::kClass && columns.label < 0 ? "\"label\""
                              : columns.label < 0 && columns.values.empty()
                                  ? "one of a label or a number"
                                  : nullptr;
  if (missing == nullptr) return absl::OkStatus();
  const char* const expected = targets == TargetKind::kNumbers
                                   ? "path,NAME,... or path,NAME,...,split"
                                   : "path,label or path,label,split";
  return absl::InvalidArgumentError(absl::StrCat(place, "a column is missing: there is no ",
                                                 missing, "; expected ", expected,
                                                 SeparatorHint(row)));
}

// Parses the table, sets `columns` by its first row, and calls `visit` with each line except the
// one that names the columns.
absl::Status VisitLines(const std::string& contents, const std::string& text, TargetKind targets,
                        std::optional<Columns>& columns,
                        const std::function<absl::Status(Line line)>& visit) {
  columns.reset();
  return VisitCsvRows(contents, text, [&](const CsvRow& row) -> absl::Status {
    if (!columns.has_value()) {
      columns = ColumnsOf(row, targets);
      RETURN_IF_ERROR(CheckColumns(*columns, targets, row, PlaceOf(text, row.line)));
      if (columns->is_header) return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Line line, ReadRow(row, *columns, targets, text));
    return visit(std::move(line));
  });
}

// Parses the table twice: first to collect the labels, then to list the pictures. Thus only one
// parsed line is in memory at a time.
absl::StatusOr<std::shared_ptr<const Source>> OpenCsv(const std::string& text, TargetKind targets) {
  if (!absl::EndsWithIgnoreCase(text, ".csv")) return nullptr;
  const auto contents = ReadFile(text);
  if (!contents.ok()) return absl::InvalidArgumentError(contents.status().message());
  if (const absl::string_view encoding = WideEncodingOf(*contents); !encoding.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(text, ": the text is in ", encoding, "; save it as CSV in UTF-8"));
  if (const size_t zero = contents->find('\0'); zero != std::string::npos) {
    const auto line = 1 + std::count(contents->begin(), contents->begin() + zero, '\n');
    return absl::InvalidArgumentError(absl::StrCat(
        PlaceOf(text, line), "a byte 0, which no text has; save the table as CSV in UTF-8"));
  }
  std::optional<Columns> columns;
  std::set<std::string> labels;
  int64_t lines = 0, training = 0;
  RETURN_IF_ERROR(VisitLines(*contents, text, targets, columns, [&](const Line& line) {
    ++lines;
    if (line.split != Split::kTrain) return absl::OkStatus();
    ++training;
    labels.insert(line.labels.begin(), line.labels.end());
    return absl::OkStatus();
  }));
  if (lines == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(text, columns.has_value() ? ": there is no line below the names of the columns"
                                               : ": the file is empty"));
  if (training == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(text, ": there are no training pictures in it: the split of all ", lines,
                     " lines is val or test"));
  const std::vector<std::string> names =
      columns->values.empty() ? std::vector<std::string>(labels.begin(), labels.end())
                              : columns->names;
  if (names.empty())
    return absl::InvalidArgumentError(absl::StrCat(text, ": no training picture has a label"));
  const std::string folder = fs::path(text).parent_path().string();
  const int64_t each = targets == TargetKind::kClass ? 0 : static_cast<int64_t>(names.size());
  const PictureList none(folder, text, each);
  PictureList pictures[3] = {none, none, none};
  RETURN_IF_ERROR(VisitLines(*contents, text, targets, columns, [&](Line line) {
    PictureList& list = pictures[static_cast<int>(line.split)];
    return AddPicture(names, targets, std::move(line), text, list);
  }));
  return PictureSource::Create(text, targets, names, pictures);
}

COTANGENT_SOURCE(OpenCsv, "a CSV file that lists pictures");

}  // namespace
}  // namespace cotangent::data
