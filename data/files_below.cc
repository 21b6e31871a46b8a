#include "data/files_below.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace cotangent::data {

namespace fs = std::filesystem;

bool IsClutter(const std::string& path) {
  const std::string name = absl::AsciiStrToLower(fs::path(path).filename().string());
  if (!name.empty() && name[0] == '.') return true;
  for (const char* const known : {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}) {
    if (name == known) return true;
  }
  return false;
}

absl::Status VisitFilesBelow(const std::string& directory,
                             const std::function<void(const std::string& path)>& visit,
                             const std::function<void(const std::string& path)>& visit_link) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (IsClutter(it->path().string())) {
      it.disable_recursion_pending();
      continue;
    }
    std::error_code ignored;
    if (!it->is_directory(ignored)) {
      visit(it->path().string());
    } else if (visit_link != nullptr && it->is_symlink(ignored)) {
      visit_link(it->path().string());
    }
  }
  return error ? UnreadableFolder(directory, error) : absl::OkStatus();
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
