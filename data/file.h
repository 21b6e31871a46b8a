#ifndef COTANGENT_DATA_FILE_H_
#define COTANGENT_DATA_FILE_H_

// Whole files in and out, with errors a person can act on.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

// "DIR/NAME", with one slash between them.
std::string JoinPath(absl::string_view directory, absl::string_view name);

// The contents of a regular file. A missing file is kNotFound; one larger than `max_bytes` is
// kOutOfRange and is refused before memory is asked for.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 34);

// Replaces `path` by a file with these contents, in such a way that at every moment, a crash or a
// full disk included, `path` holds either all of the old contents or all of the new: a temporary
// file beside it is written, synchronised with the disk and renamed over it. On failure the
// temporary file is removed. A `path` that names a pipe or a device (/dev/stdout) is simply written
// to.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents);

// The same for contents that lie in several pieces.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::Span<const absl::string_view> pieces);

// Makes a directory and those above it that are missing.
absl::Status MakeDirectories(const std::string& path);

// Waits until a directory's entries (a file renamed into it, say) have reached the disk.
absl::Status SyncDirectory(const std::string& path);

// A status that reads "cannot ACTION PATH: what the system said", for the errno value
// `error_number`.
absl::Status FileError(int error_number, absl::string_view action, absl::string_view path);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FILE_H_
