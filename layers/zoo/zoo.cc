#include "layers/zoo/zoo.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "layers/network/nearest_name.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {

struct ZooEntry {
  const char* name;
  const char* text;
  const char* times;  // begins with a newline
};
// All networks, sorted by name, with an entry of null pointers at the end. The build generates this
// array from the text files.
extern const ZooEntry kZooEntries[];

namespace {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno),
                                                   "; expected a network text, or one of ",
                                                   absl::StrJoin(ZooNames(), ", ")));
  }
  // Reads one byte more than a network text (the .textproto file that describes a network) may
  // have, so that ParseNetwork() rejects longer files.
  std::string text(kLongestNetworkText + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()))
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno),
                                                   "; expected a network text"));
  return text;
}

}  // namespace

std::vector<std::string> ZooNames() {
  std::vector<std::string> names;
  for (const ZooEntry* entry = kZooEntries; entry->name != nullptr; ++entry)
    names.push_back(entry->name);
  return names;
}

std::vector<absl::string_view> ZooTimes() {
  std::vector<absl::string_view> times;
  for (const ZooEntry* entry = kZooEntries; entry->name != nullptr; ++entry) {
    if (entry->times[1] != '\0') times.push_back(entry->times + 1);
  }
  return times;
}

absl::StatusOr<std::string> ZooText(absl::string_view name) {
  for (const ZooEntry* entry = kZooEntries; entry->name != nullptr; ++entry) {
    if (name == entry->name) return std::string(entry->text);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no network '", name, "'; ",
                                                 Suggestion(name, ZooNames()),
                                                 "; a file's name has a '/' or a '.'"));
}

absl::StatusOr<Network> FindNetwork(absl::string_view name_or_path, absl::string_view directory) {
  const std::string name(name_or_path);
  const bool is_path = absl::StrContains(name, "/") || absl::StrContains(name, ".");
  const std::string path =
      directory.empty() || absl::StartsWith(name, "/") ? name : absl::StrCat(directory, "/", name);
  ASSIGN_OR_RETURN(std::string text, is_path ? ReadText(path) : ZooText(name));
  return ParseNetwork(text, is_path ? name : absl::StrCat(name, ".textproto"));
}

}  // namespace cotangent::layers
