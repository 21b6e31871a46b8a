#ifndef COTANGENT_DATA_FILES_BELOW_H_
#define COTANGENT_DATA_FILES_BELOW_H_

// Folders of pictures: what lies in them, and in which order.

#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

// Whether the last part of a path begins with a dot.
bool IsHidden(const std::string& path);

// Less than, equal to or greater than 0: runs of digits compare as numbers, all else by bytes, so
// that 2.png comes before 10.png.
int NaturalOrder(absl::string_view a, absl::string_view b);

// The files below a folder, in whatever order the system tells them. Names that begin with a dot
// are passed over; links to folders are not followed. InvalidArgument for a folder that cannot be
// read.
absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& directory);

// The error for a folder that cannot be read.
absl::Status UnreadableFolder(const std::string& path, const std::error_code& error);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FILES_BELOW_H_
