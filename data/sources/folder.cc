// A data source given by a folder of pictures. It contains a folder for each class, or the folders
// train/, val/ and test/ with a folder for each class in them. The classes are the names of the
// folders, sorted by bytes. Pictures may lie in further folders below that of their class. Names
// that begin with a dot are skipped, and links to folders are not followed.
//
// Batches are drawn by the numbers of pictures, so the numbering decides the order of training.
// Pictures are numbered in the natural order (2.png before 10.png) of their paths below their
// class's folder, and by class if these paths are equal. So cat/00017.png follows dog/00016.png,
// and pictures that were numbered before they were sorted into class folders keep their order:
// CIFAR-10 written out as such files yields the same batches as the built-in source.

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "data/files_below.h"
#include "data/sources/pictures.h"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

// Returns the names of the folders in `directory`, sorted.
absl::StatusOr<std::vector<std::string>> FoldersIn(const fs::path& directory) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !IsHidden(it->path().string()))
      folders.push_back(it->path().filename().string());
  }
  if (error) return UnreadableFolder(directory.string(), error);
  std::sort(folders.begin(), folders.end());
  return folders;
}

// A picture and its path below the folder of its class.
struct Entry {
  Picture picture;
  std::string below;
};

bool ComesBefore(const Entry& a, const Entry& b) {
  if (const int order = NaturalOrder(a.below, b.below); order != 0) return order < 0;
  // The natural order does not distinguish 7.png from 007.png, nor equal paths in two classes.
  return std::tie(a.below, a.picture.label) < std::tie(b.below, b.picture.label);
}

// Appends the pictures in the class folders of `directory`, in their order. Returns an error if a
// folder there is not a class.
absl::Status AppendSplit(const fs::path& root, const fs::path& directory,
                         const std::vector<std::string>& classes, std::vector<Picture>& pictures) {
  ASSIGN_OR_RETURN(const auto folders, FoldersIn(directory));
  std::vector<Entry> entries;
  for (const std::string& folder : folders) {
    const auto found = std::lower_bound(classes.begin(), classes.end(), folder);
    if (found == classes.end() || *found != folder) {
      return absl::InvalidArgumentError(
          absl::StrCat((directory / folder).string(), ": there is no class \"", folder,
                       "\" among the training pictures; rename the folder or add some"));
    }
    ASSIGN_OR_RETURN(const auto files, FilesBelow((directory / folder).string()));
    if (files.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat((directory / folder).string(),
                       ": the folder of a class is empty; remove it or put "
                       "pictures into it"));
    }
    for (const std::string& file : files) {
      entries.push_back({{file, fs::path(file).lexically_relative(root).string(),
                          static_cast<int32_t>(found - classes.begin()), ""},
                         fs::path(file).lexically_relative(directory / folder).string()});
    }
  }
  std::sort(entries.begin(), entries.end(), ComesBefore);
  for (Entry& entry : entries) pictures.push_back(std::move(entry.picture));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Source>> OpenFolder(const std::string& text, TargetKind) {
  std::error_code error;
  if (!fs::is_directory(text, error)) return nullptr;
  const fs::path root = text;
  const bool divided = fs::is_directory(root / "train", error);
  ASSIGN_OR_RETURN(const auto classes, FoldersIn(divided ? root / "train" : root));
  if (classes.empty()) return nullptr;
  std::vector<Picture> pictures[3];
  const char* const names[3] = {"train", "val", "test"};
  for (int split = 0; split < (divided ? 3 : 1); ++split) {
    const fs::path directory = divided ? root / names[split] : root;
    if (!fs::is_directory(directory, error)) continue;
    absl::Status status = AppendSplit(root, directory, classes, pictures[split]);
    if (!status.ok()) return status;
  }
  return PictureSource::Create(text, TargetKind::kClass, classes, pictures);
}

COTANGENT_SOURCE(OpenFolder, "a folder with a folder for each class");

}  // namespace
}  // namespace cotangent::data
