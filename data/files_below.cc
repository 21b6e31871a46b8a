#include "data/files_below.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace cotangent::data {

namespace fs = std::filesystem;

bool IsHidden(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return !name.empty() && name[0] == '.';
}

absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (IsHidden(it->path().string())) {
      it.disable_recursion_pending();
      continue;
    }
    std::error_code ignored;
    if (!it->is_directory(ignored)) files.push_back(it->path().string());
  }
  if (error) return UnreadableFolder(directory, error);
  return files;
}

absl::Status UnreadableFolder(const std::string& path, const std::error_code& error) {
  return absl::InvalidArgumentError(absl::StrCat("cannot read the folder ", path, ": ",
                                                 error.message(),
                                                 "; give yourself the right to read it"));
}

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

int NaturalOrder(absl::string_view a, absl::string_view b) {
  const auto take_number = [](absl::string_view& text) {
    size_t end = 0;
    while (end < text.size() && IsDigit(text[end])) ++end;
    absl::string_view digits = text.substr(0, end);
    text.remove_prefix(end);
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
  };
  while (!a.empty() && !b.empty()) {
    if (IsDigit(a[0]) && IsDigit(b[0])) {
      const absl::string_view m = take_number(a), n = take_number(b);
      if (m.size() != n.size()) return m.size() < n.size() ? -1 : 1;
      if (const int order = m.compare(n); order != 0) return order;
    } else {
      if (a[0] != b[0])
        return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]) ? -1 : 1;
      a.remove_prefix(1), b.remove_prefix(1);
    }
  }
  return static_cast<int>(b.empty()) - static_cast<int>(a.empty());
}

}  // namespace cotangent::data
