// A data source given by a folder of pictures. The folder contains a folder for each class, or the
// folder train/ and perhaps val/ and test/ (also training/, valid/, validation/ or testing/, in
// upper or lower case), which contain a folder for each class. Classes are the names of the
// folders, sorted by their bytes. Pictures may lie in subfolders of their class's folder. Files
// that systems leave in folders (IsClutter() in data/files_below.h) are skipped, and links to
// folders inside a class's folder are not followed.
//
// Batches are drawn by the numbers of pictures, so the numbering decides the order of training.
// Pictures are numbered in the natural order (2.png before 10.png) of their paths below their
// class's folder; equal paths are ordered by class. So cat/00017.png follows dog/00016.png, and
// pictures that had numbers as names before they were sorted into class folders keep their order:
// CIFAR-10 written out as such files yields the same batches as the built-in source.

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "data/files_below.h"
#include "data/image_file.h"
#include "data/sources/pictures.h"

namespace cotangent::data {
namespace {

namespace fs = std::filesystem;

// Returns whether `folder`, with links followed, is `directory` or contains it.
bool IsAbove(const fs::path& folder, const fs::path& directory) {
  std::error_code error;
  const fs::path above = fs::canonical(folder, error);
  if (error) return false;
  const fs::path below = fs::canonical(directory, error);
  return !error &&
         std::mismatch(above.begin(), above.end(), below.begin(), below.end()).first == above.end();
}

// Returns the names of the folders in `directory`, sorted. A link that leads nowhere, to itself or
// to a folder that contains it is an error, since it may be meant to be a folder.
absl::StatusOr<std::vector<std::string>> FoldersIn(const fs::path& directory) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (IsClutter(it->path().string())) continue;
    std::error_code failure;
    const fs::file_status status = it->status(failure);
    if (!fs::exists(status)) {
      if (!it->is_symlink(error)) return UnreadableFolder(directory.string(), failure);
      return absl::InvalidArgumentError(absl::StrCat(
          it->path().string(), ": a link that cannot be followed",
          failure ? absl::StrCat(" (", failure.message(), ")") : "", "; mend or remove it"));
    }
    if (!fs::is_directory(status)) continue;
    if (it->is_symlink(failure) && IsAbove(it->path(), directory)) {
      return absl::InvalidArgumentError(absl::StrCat(
          it->path().string(), ": a link to a folder that contains it, a loop; remove it"));
    }
    folders.push_back(it->path().filename().string());
  }
  if (error) return UnreadableFolder(directory.string(), error);
  std::sort(folders.begin(), folders.end());
  return folders;
}

// Returns a note about pictures that lie in `directory` itself, beside the folders of classes or of
// splits, and thus belong to no class; nothing if there are none. Other files, such as a license or
// a list, need no note.
std::optional<std::string> NoteOfLoosePictures(const fs::path& directory) {
  std::string first;
  int64_t count = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code failure;
    if (IsClutter(name) || !HasNameOfPicture(name) || !it->is_regular_file(failure)) continue;
    if (count++ == 0 || NaturalOrder(name, first) < 0) first = name;
  }
  if (count == 0) return std::nullopt;
  return absl::StrCat("note: ", count, count == 1 ? " picture lies" : " pictures lie", " in ",
                      directory.string(), " beside the folders of the classes and belong",
                      count == 1 ? "s" : "", " to none of them: not used (",
                      count == 1 ? "" : "the first: ", first, ")");
}

// Returns the pictures' indices in the list, in the order in which the pictures are to be numbered.
std::vector<int32_t> NumberPictures(const PictureList& pictures, const std::string& prefix,
                                    const std::vector<std::string>& classes) {
  // Returns a picture's path below the folder of its class.
  const auto below = [&](int32_t i) {
    return pictures.name(i).substr(prefix.size() + classes[pictures.label(i)].size() + 1);
  };
  std::vector<int32_t> order(pictures.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    if (const int natural = NaturalOrder(below(a), below(b)); natural != 0) return natural < 0;
    // Names such as 7.png and 007.png are equal in natural order; they are ordered by bytes, and
    // equal paths by class.
    return std::make_tuple(below(a), pictures.label(a)) <
           std::make_tuple(below(b), pictures.label(b));
  });
  return order;
}

// Lists the pictures of the class folders in the folder `prefix` of `root`. `prefix` is empty or
// ends with a slash. All files in a class folder are taken for pictures. A folder that is not one
// of `classes`, or that contains no files, is an error. Adds a note to `notes` if links to folders
// are not followed.
absl::StatusOr<PictureList> ListPictures(const std::string& root, const std::string& prefix,
                                         const std::vector<std::string>& classes,
                                         std::vector<std::string>& notes) {
  const fs::path directory = prefix.empty() ? fs::path(root) : fs::path(root) / prefix;
  ASSIGN_OR_RETURN(const auto folders, FoldersIn(directory));
  PictureList pictures(root);
  std::vector<std::string> links;
  for (const std::string& folder : folders) {
    const auto found = std::lower_bound(classes.begin(), classes.end(), folder);
    if (found == classes.end() || *found != folder) {
      return absl::InvalidArgumentError(
          absl::StrCat((directory / folder).string(), ": there is no class \"", folder,
                       "\" among the training pictures; rename the folder or add some"));
    }
    const int64_t before = pictures.size();
    const std::string whole = (directory / folder).string();
    RETURN_IF_ERROR(VisitFilesBelow(
        whole,
        [&](const std::string& file) {
          pictures.Add({absl::StrCat(prefix, folder, file.substr(whole.size())),
                        static_cast<int32_t>(found - classes.begin())});
        },
        [&](const std::string& link) { links.push_back(link); }));
    if (pictures.size() == before) {
      return absl::InvalidArgumentError(
          absl::StrCat(whole,
                       ": the folder of a class is empty; remove it or put "
                       "pictures into it"));
    }
  }
  if (!links.empty()) {
    notes.push_back(absl::StrCat(
        "note: ", links.size(), links.size() == 1 ? " link to a folder" : " links to folders",
        " inside the folders of classes ", links.size() == 1 ? "is" : "are", " not followed (",
        links.size() == 1 ? "" : "the first: ", *std::min_element(links.begin(), links.end()),
        "); the folder of a class may be a link itself"));
  }
  return pictures.Some(NumberPictures(pictures, prefix, classes));
}

// Returns the first of `folders` in `root` that contains a folder with one of `names`, and that
// name; nothing if there is none.
std::optional<std::pair<std::string, std::string>> FindFolderWith(
    const std::string& root, const std::vector<std::string>& folders,
    const std::vector<std::string>& names) {
  std::error_code error;
  for (const std::string& folder : folders) {
    for (const std::string& name : names) {
      if (fs::is_directory(fs::path(root) / folder / name, error)) return std::pair(folder, name);
    }
  }
  return std::nullopt;
}

// Returns an error if `split` ("test/"), one of `folders` in `root`, is no class, though `root` has
// no training images: if it has a folder of the same name as another of `folders` has. The name of
// the training images' folder may be misspelt.
absl::Status CheckIsClass(const std::string& root, const std::string& split,
                          std::vector<std::string> folders) {
  ASSIGN_OR_RETURN(const auto names, FoldersIn(fs::path(root) / split));
  folders.erase(std::remove(folders.begin(), folders.end(), split.substr(0, split.size() - 1)),
                folders.end());
  const auto found = FindFolderWith(root, folders, names);
  if (!found.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(root, ": there is no folder train/ in it, but ", split, " has a folder \"",
                   found->second, "\" as ", found->first,
                   "/ has; name the folder of the training images train, or, if these two are "
                   "classes, ",
                   split, " otherwise"));
}

// Returns the names of the folders of the three splits, each followed by a slash, or empty if there
// is none. `folders` are the folders in `root`. Returns nothing if `folders` are classes: if none
// of them has the name of the training split, or that one contains no folders, as when "train" is a
// class beside "bus" and "tram". It is an error if two folders hold the same split, if a folder
// that is no split contains a folder with the name of a class, or if CheckIsClass() finds one.
absl::StatusOr<std::optional<std::array<std::string, 3>>> SplitsIn(
    const std::string& root, const std::vector<std::string>& folders) {
  std::array<std::string, 3> splits;
  std::vector<std::string> others;
  for (const std::string& folder : folders) {
    const std::optional<Split> split = SplitNamed(folder);
    if (!split.has_value()) {
      others.push_back(folder);
      continue;
    }
    std::string& known = splits[static_cast<int>(*split)];
    if (!known.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(root, ": the folders ", known, " and ", folder,
                                                     "/ both hold images of one split; put "
                                                     "them into one"));
    }
    known = absl::StrCat(folder, "/");
  }
  if (splits[0].empty()) {
    for (const std::string& split : splits) {
      if (!split.empty()) RETURN_IF_ERROR(CheckIsClass(root, split, folders));
    }
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const auto classes, FoldersIn(fs::path(root) / splits[0]));
  if (classes.empty()) return std::nullopt;
  if (const auto found = FindFolderWith(root, others, classes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        (fs::path(root) / found->first).string(), ": it has a folder \"", found->second, "\" as ",
        splits[0], " has, but is none of train, val and test; rename it, or move it elsewhere"));
  }
  return splits;
}

absl::StatusOr<std::shared_ptr<const Source>> OpenFolder(const std::string& text, TargetKind) {
  std::error_code error;
  if (!fs::is_directory(text, error)) return nullptr;
  ASSIGN_OR_RETURN(const auto folders, FoldersIn(text));
  ASSIGN_OR_RETURN(const auto divided, SplitsIn(text, folders));
  const std::array<std::string, 3> splits = divided.value_or(std::array<std::string, 3>());
  const int count = divided.has_value() ? 3 : 1;
  std::vector<std::string> classes = folders;
  if (divided.has_value()) {
    ASSIGN_OR_RETURN(classes, FoldersIn(fs::path(text) / splits[0]));
  }
  if (classes.empty()) return nullptr;
  PictureList pictures[3];
  std::vector<std::string> notes;
  const auto note = [&notes](const fs::path& directory) {
    if (std::optional<std::string> found = NoteOfLoosePictures(directory))
      notes.push_back(*std::move(found));
  };
  if (divided.has_value()) {
    note(text);
    for (const std::string& folder : folders) {
      if (!SplitNamed(folder).has_value()) note(fs::path(text) / folder);
    }
  }
  for (int split = 0; split < count; ++split) {
    if (split > 0 && splits[split].empty()) continue;
    ASSIGN_OR_RETURN(pictures[split], ListPictures(text, splits[split], classes, notes));
    note(splits[split].empty() ? fs::path(text) : fs::path(text) / splits[split]);
  }
  return PictureSource::Create(text, TargetKind::kClass, classes, pictures, std::move(notes));
}

COTANGENT_SOURCE(OpenFolder, "a folder with a folder for each class");

}  // namespace
}  // namespace cotangent::data
