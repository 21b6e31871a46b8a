#include "data/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cotangent::data {
namespace {

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status WriteAll(int descriptor, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, "write", path);
    }
    bytes.remove_prefix(written);
  }
  return absl::OkStatus();
}

absl::Status WriteAndClose(int descriptor, absl::Span<const absl::string_view> pieces, bool sync,
                           const std::string& path) {
  absl::Status status;
  for (absl::string_view piece : pieces) {
    if (status.ok()) status = WriteAll(descriptor, piece, path);
  }
  if (status.ok() && sync && fsync(descriptor) != 0) status = FileError(errno, "write", path);
  if (close(descriptor) != 0 && status.ok()) status = FileError(errno, "write", path);
  return status;
}

bool IsPipeOrDevice(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

}  // namespace

std::string JoinPath(absl::string_view directory, absl::string_view name) {
  if (directory.empty()) return std::string(name);
  return absl::StrCat(directory, directory.back() == '/' ? "" : "/", name);
}

absl::Status FileError(int error_number, absl::string_view action, absl::string_view path) {
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ",
                                           std::generic_category().message(error_number));
  return absl::Status(absl::ErrnoToStatusCode(error_number), message);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  // Without O_NONBLOCK, opening a pipe that has no writer would block.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return FileError(errno, "read", path);
  auto closer = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat about;
  if (fstat(descriptor, &about) != 0) return FileError(errno, "read", path);
  if (S_ISDIR(about.st_mode))
    return absl::InvalidArgumentError(FileError(EISDIR, "read", path).message());
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": not a regular file"));
  }
  if (about.st_size > max_bytes) {
    return absl::OutOfRangeError(absl::StrCat(path, " has ", about.st_size, " bytes; at most ",
                                              max_bytes, " were expected"));
  }
  std::string contents(about.st_size, '\0');
  size_t have = 0;
  while (have < contents.size()) {
    const ssize_t got = read(descriptor, contents.data() + have, contents.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno, "read", path);
    if (got == 0) break;
    have += got;
  }
  contents.resize(have);
  return contents;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents) {
  return WriteFileAtomically(path, absl::MakeConstSpan(&contents, 1));
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::Span<const absl::string_view> pieces) {
  if (IsPipeOrDevice(path)) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return FileError(errno, "write", path);
    return WriteAndClose(descriptor, pieces, /*sync=*/false, path);
  }
  // mkstemp is not used, since it makes files that only their owner can read, whatever the umask
  // is.
  static std::atomic<uint32_t> serial{0};
  const std::string temporary = absl::StrCat(path, ".tmp-", getpid(), "-", serial.fetch_add(1));
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileError(errno, "write", path);
  auto remover = absl::MakeCleanup([&temporary] { unlink(temporary.c_str()); });
  RETURN_IF_ERROR(WriteAndClose(descriptor, pieces, /*sync=*/true, path));
  if (rename(temporary.c_str(), path.c_str()) != 0) return FileError(errno, "write", path);
  std::move(remover).Cancel();
  return SyncDirectory(DirectoryOf(path));
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FileError(error.value(), "make the directory", path);
  if (!std::filesystem::is_directory(path, error)) {
    return FileError(ENOTDIR, "make the directory", path);
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return FileError(errno, "open the directory", path);
  // Some file systems cannot flush a directory. That is no error: what has been renamed in it stays
  // renamed.
  const bool failed = fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP;
  const int error_number = errno;
  close(descriptor);
  return failed ? FileError(error_number, "write the directory", path) : absl::OkStatus();
}

}  // namespace cotangent::data
