#ifndef COTANGENT_DATA_FILES_BELOW_H_
#define COTANGENT_DATA_FILES_BELOW_H_

// Lists the files of folders of pictures and compares their names.

#include <functional>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

// Returns whether the last component of a path is something that systems and programs leave in
// folders: a name that begins with a dot (.DS_Store, ._photo.jpg), Windows' Thumbs.db and
// desktop.ini, the folder __MACOSX of archives, @eaDir of network drives.
bool IsClutter(const std::string& path);

// Returns a negative number if `a` comes before `b`, 0 if neither does, and a positive number
// otherwise. Runs of digits are compared as numbers and everything else byte by byte, so that 2.png
// comes before 10.png, and neither of 7.png and 007.png comes first.
int NaturalOrder(absl::string_view a, absl::string_view b);

// Calls `visit` with the path of each file in a folder and its subfolders, in the order in which
// the operating system lists the files. Files and folders for which IsClutter() is true are
// skipped. Links to folders are not followed; `visit_link`, if given, is called with the path of
// each. Returns InvalidArgument if a folder cannot be read.
absl::Status VisitFilesBelow(
    const std::string& directory, const std::function<void(const std::string& path)>& visit,
    const std::function<void(const std::string& path)>& visit_link = nullptr);

// Returns the error for a folder that cannot be read.
absl::Status UnreadableFolder(const std::string& path, const std::error_code& error);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FILES_BELOW_H_
