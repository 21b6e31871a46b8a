// A CSV file that lists pictures: a path below the file's own folder, a label, and perhaps a split
// (train, val or validation, test; train where it is left out). A first line that names the columns
// ("path", "file", "filename" or "image"; "label" or "class"; "split") may give them in any order,
// beside others; without one they are the first three. Classes are the labels of the training
// pictures, sorted by their bytes.

#include "data/csv.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/file.h"
#include "data/sources/pictures.h"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

// Columns of the table; -1: not there.
struct Columns {
  int path = 0, label = 1, split = 2;
  bool is_header = false;  // the first row names them
};

Columns ColumnsOf(const CsvRow& first) {
  const std::map<std::string, int Columns::*> kNames = {
      {"path", &Columns::path},   {"file", &Columns::path},   {"filename", &Columns::path},
      {"image", &Columns::path},  {"label", &Columns::label}, {"class", &Columns::label},
      {"split", &Columns::split},
  };
  Columns columns = {-1, -1, -1, false};
  for (size_t i = 0; i < first.fields.size(); ++i) {
    const auto name =
        kNames.find(absl::AsciiStrToLower(absl::StripAsciiWhitespace(first.fields[i])));
    if (name != kNames.end()) columns.*(name->second) = static_cast<int>(i);
  }
  columns.is_header = columns.path >= 0 || columns.label >= 0;
  return columns.is_header ? columns : Columns();
}

absl::StatusOr<Split> ParseSplit(const std::string& text, const std::string& place) {
  const std::string split = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  if (split.empty() || split == "train") return Split::kTrain;
  if (split == "val" || split == "validation") return Split::kValidation;
  if (split == "test") return Split::kTest;
  return absl::InvalidArgumentError(
      absl::StrCat(place, "the split is \"", text, "\"; expected train, val or test"));
}

struct Line {
  Picture picture;
  std::string label;
  Split split;
};

absl::StatusOr<Line> ReadRow(const CsvRow& row, const Columns& columns, const std::string& text) {
  Line line;
  line.picture.place = absl::StrCat(text, ":", row.line, ": ");
  const auto field = [&](int column) {
    return column >= 0 && column < static_cast<int>(row.fields.size()) ? row.fields[column] : "";
  };
  line.picture.name = field(columns.path);
  line.label = field(columns.label);
  if (line.picture.name.empty() || line.label.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(line.picture.place, "a row of ",
                                                   row.fields.size(), " columns without ",
                                                   line.picture.name.empty() ? "a path" : "a label",
                                                   "; expected path,label or path,label,split"));
  }
  const fs::path path = fs::path(line.picture.name).lexically_normal();
  if (path.is_absolute() || absl::StartsWith(path.string(), "..")) {
    return absl::InvalidArgumentError(absl::StrCat(
        line.picture.place, "the path ", line.picture.name,
        " leads out of the folder "
        "of the CSV file; expected one below it, so that the two can be moved together"));
  }
  line.picture.path = (fs::path(text).parent_path() / path).string();
  const auto split = ParseSplit(field(columns.split), line.picture.place);
  if (!split.ok()) return split.status();
  line.split = *split;
  return line;
}

absl::StatusOr<std::shared_ptr<const Source>> OpenCsv(const std::string& text) {
  if (!absl::EndsWithIgnoreCase(text, ".csv")) return nullptr;
  const auto contents = ReadFile(text);
  if (!contents.ok()) return absl::InvalidArgumentError(contents.status().message());
  const auto rows = ParseCsv(*contents, text);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::InvalidArgumentError(absl::StrCat(text, ": the file is empty"));
  const Columns columns = ColumnsOf((*rows)[0]);
  if (columns.path < 0 || columns.label < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        text, ":", (*rows)[0].line, ": a column is missing: there is no ",
        columns.path < 0 ? "\"path\"" : "\"label\"", "; expected path,label or path,label,split"));
  }
  std::vector<Line> lines;
  std::set<std::string> labels;
  for (size_t i = columns.is_header ? 1 : 0; i < rows->size(); ++i) {
    auto line = ReadRow((*rows)[i], columns, text);
    if (!line.ok()) return line.status();
    if (line->split == Split::kTrain) labels.insert(line->label);
    lines.push_back(*std::move(line));
  }
  const std::vector<std::string> classes(labels.begin(), labels.end());
  std::vector<Picture> pictures[3];
  for (Line& line : lines) {
    const auto found = std::lower_bound(classes.begin(), classes.end(), line.label);
    if (found == classes.end() || *found != line.label) {
      return absl::InvalidArgumentError(absl::StrCat(line.picture.place,
                                                     "no training picture has "
                                                     "the label \"",
                                                     line.label, "\""));
    }
    line.picture.label = static_cast<int32_t>(found - classes.begin());
    pictures[static_cast<int>(line.split)].push_back(std::move(line.picture));
  }
  return PictureSource::Create(text, classes, pictures);
}

COTANGENT_SOURCE(OpenCsv, "a CSV file that lists pictures");

}  // namespace
}  // namespace cotangent::data
