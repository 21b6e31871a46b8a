#ifndef COTANGENT_DATA_FILE_H_
#define COTANGENT_DATA_FILE_H_

// Reads and writes whole files, with error messages that name the file and the reason.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

// Returns "DIRECTORY/NAME", without a second slash if `directory` ends with one. If `directory` is
// empty, returns `name`.
std::string JoinPath(absl::string_view directory, absl::string_view name);

// Returns the contents of a regular file. Returns kNotFound if it does not exist, kInvalidArgument
// if it is no regular file, and kOutOfRange, without allocating memory for it, if it is larger than
// `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 34);

// Replaces the file `path` in such a way that at every moment, even after a crash or on a full
// disk, `path` holds either the old or the new contents completely: a temporary file beside it is
// written, flushed to the disk and renamed to `path`. After an error the temporary file is removed.
// If `path` is a pipe or a device (/dev/stdout), the contents are just written to it.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents);

// Writes a file like the function above, from contents that consist of several pieces.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::Span<const absl::string_view> pieces);

// Creates a directory and its missing parent directories.
absl::Status MakeDirectories(const std::string& path);

// Waits until the entries of a directory, such as a renamed file, have reached the disk.
absl::Status SyncDirectory(const std::string& path);

// Returns an error "cannot ACTION PATH: " with the operating system's message and the status code
// for the errno value `error_number`.
absl::Status FileError(int error_number, absl::string_view action, absl::string_view path);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FILE_H_
