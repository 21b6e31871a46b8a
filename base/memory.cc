#include "base/memory.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/memory_text.h"
#include "base/round_up.h"
#include "base/status_macros.h"

namespace cotangent {
namespace {

constexpr int64_t kMapFrom = int64_t{1} << 20;  // bytes from which buffers are mapped by mmap()
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// Returns the number with which a file begins; nullopt if there is no such file or its first word
// (such as "max") is not a number.
std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  int64_t number;
  if (!(file >> text) || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

// Returns the number after `key` in the first line "key number ..." of a file, or nullopt if no
// line begins with `key`.
std::optional<int64_t> ReadField(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) == 0) return std::atoll(line.c_str() + key.size());
  }
  return std::nullopt;
}

// Returns the bytes that the memory limit of the control group whose files are in `folder` leaves:
// the limit minus the use, with inactive file cache counted as free; at least 0. `limit_name` and
// `usage_name` are the names of the files with the limit and the use, each with a leading "/".
// Returns kUnlimited if the group has no limit or one of these two files cannot be read.
int64_t LeftInGroup(const std::string& folder, const char* limit_name, const char* usage_name) {
  std::optional<int64_t> limit = ReadNumber(folder + limit_name),
                         usage = ReadNumber(folder + usage_name);
  if (!limit || !usage) return kUnlimited;
  int64_t cache = ReadField(folder + "/memory.stat", "inactive_file ").value_or(0);
  return std::max<int64_t>(0, *limit - *usage + cache);
}

// Returns the smallest number of bytes that the memory limits of this process's control groups
// leave. In version 1 of control groups only the group mounted at /sys/fs/cgroup/memory is checked,
// in version 2 the process's group and all groups above it.
int64_t LeftInControlGroups() {
  int64_t left =
      LeftInGroup("/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes");
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::", 0) != 0) continue;
    for (std::string group = line.substr(3);; group.resize(group.rfind('/'))) {
      left =
          std::min(left, LeftInGroup("/sys/fs/cgroup" + group, "/memory.max", "/memory.current"));
      if (group.find('/') == std::string::npos) break;
    }
  }
  return left;
}

// Returns the bytes that the limit on address space (RLIMIT_AS) leaves; kUnlimited if there is
// none.
int64_t LeftOfAddressSpace() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const int64_t used = ReadField("/proc/self/status", "VmSize:").value_or(0) * 1024;
  return std::max<int64_t>(0, static_cast<int64_t>(limit.rlim_cur) - used);
}

}  // namespace

int64_t AvailableMemoryBytes() {
  int64_t available = std::min(LeftInControlGroups(), LeftOfAddressSpace());
  if (std::optional<int64_t> kibibytes = ReadField("/proc/meminfo", "MemAvailable:")) {
    available = std::min(available, *kibibytes * 1024);
  }
  return available;
}

absl::Status CheckMemoryAvailable(int64_t bytes, std::string_view needed_by) {
  const int64_t available = AvailableMemoryBytes();
  if (bytes <= available) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(std::string(needed_by), " needs ", MemoryText(bytes), " of memory; ",
                   MemoryText(available), " are available: use a smaller batch or network"));
}

namespace {

// Maps zeroed memory that begins at a multiple of the huge page size; otherwise the first and last
// part of the memory would lie in small pages. `bytes` is a multiple of kHugePage. Returns null if
// the system refuses.
void* MapAligned(int64_t bytes) {
  char* mapped = static_cast<char*>(
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapped == MAP_FAILED) return nullptr;
  const int64_t before = -reinterpret_cast<intptr_t>(mapped) & (kHugePage - 1);
  if (before > 0) munmap(mapped, before);
  munmap(mapped + before + bytes, kHugePage - before);
  return mapped + before;
}

// Returns zeroed memory, or null if the system refuses.
void* Allocate(int64_t bytes) {
  if (bytes >= kMapFrom) {
    void* mapped = MapAligned(RoundUp(bytes, kHugePage));
    if (mapped != nullptr)
      madvise(mapped, RoundUp(bytes, kHugePage), MADV_HUGEPAGE);  // if refused, pages stay small
    return mapped;
  }
  const int64_t rounded = RoundUp(std::max<int64_t>(bytes, 1), kAlignment);
  void* data = std::aligned_alloc(kAlignment, rounded);
  if (data != nullptr) std::memset(data, 0, rounded);
  return data;
}

}  // namespace

void* AllocateOrDie(int64_t bytes) {
  void* data = Allocate(bytes);
  if (data != nullptr) return data;
  fprintf(stderr, "out of memory: %s were asked for\n", MemoryText(bytes).c_str());
  abort();
}

void Deallocate(void* data, int64_t bytes) {
  if (bytes >= kMapFrom) {
    munmap(data, RoundUp(bytes, kHugePage));
  } else {
    std::free(data);
  }
}

absl::StatusOr<AlignedBuffer> AlignedBuffer::Create(int64_t bytes, std::string_view needed_by) {
  if (bytes < 0) return absl::InvalidArgumentError(absl::StrCat("a buffer of ", bytes, " bytes"));
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  if (bytes >= kMapFrom) {
    RETURN_IF_ERROR(CheckMemoryAvailable(bytes, needed_by));
  }
  buffer.data_ = Allocate(bytes);
  if (buffer.data_ == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(std::string(needed_by), " needs ",
                                                     MemoryText(bytes),
                                                     " of memory, which the system refused"));
  }
  buffer.size_ = bytes;
  return buffer;
}

AlignedBuffer::~AlignedBuffer() { Deallocate(data_, size_); }

}  // namespace cotangent
