#include "tensor/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cotangent::tensor {
namespace {

constexpr int64_t kMapFrom = int64_t{1} << 20;
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

int64_t RoundUp(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// A bare number in a file; nothing if there is no such file, or it says "max".
std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  int64_t number;
  if (!(file >> text) || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

// The number after `key` in a file of lines "key number ...".
std::optional<int64_t> ReadField(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) == 0) return std::atoll(line.c_str() + key.size());
  }
  return std::nullopt;
}

// What one control group leaves: its limit less its use, with inactive file cache counted as free.
int64_t LeftInGroup(const std::string& folder, const char* limit_name, const char* usage_name) {
  std::optional<int64_t> limit = ReadNumber(folder + limit_name),
                         usage = ReadNumber(folder + usage_name);
  if (!limit || !usage) return kUnlimited;
  int64_t cache = ReadField(folder + "/memory.stat", "inactive_file ").value_or(0);
  return std::max<int64_t>(0, *limit - *usage + cache);
}

// The least that this process's control group (version 2) and its ancestors leave.
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

// What the limit of address space leaves.
int64_t LeftOfAddressSpace() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const int64_t used = ReadField("/proc/self/status", "VmSize:").value_or(0) * 1024;
  return std::max<int64_t>(0, static_cast<int64_t>(limit.rlim_cur) - used);
}

std::string Readable(int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? absl::StrFormat("%.1f MiB", mebibytes)
                          : absl::StrFormat("%.1f GiB", mebibytes / 1024);
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
      absl::StrCat(std::string(needed_by), " needs ", Readable(bytes), " of memory; ",
                   Readable(available), " are available: use a smaller batch or network"));
}

namespace {

// Fresh memory that begins where a huge page can: else its first and last parts would be in small
// pages. Null if refused.
void* MapAligned(int64_t bytes) {
  char* mapped = static_cast<char*>(
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapped == MAP_FAILED) return nullptr;
  const int64_t before = -reinterpret_cast<intptr_t>(mapped) & (kHugePage - 1);
  if (before > 0) munmap(mapped, before);
  munmap(mapped + before + bytes, kHugePage - before);
  return mapped + before;
}

}  // namespace

absl::StatusOr<AlignedBuffer> AlignedBuffer::Create(int64_t bytes, std::string_view needed_by) {
  if (bytes < 0) return absl::InvalidArgumentError(absl::StrCat("a buffer of ", bytes, " bytes"));
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  if (bytes < kMapFrom) {
    const int64_t rounded = RoundUp(bytes, kAlignment);
    buffer.data_ = std::aligned_alloc(kAlignment, rounded);
    if (buffer.data_ == nullptr) return absl::ResourceExhaustedError("out of memory");
    std::memset(buffer.data_, 0, rounded);
  } else {
    if (absl::Status status = CheckMemoryAvailable(bytes, needed_by); !status.ok()) return status;
    void* mapped = MapAligned(RoundUp(bytes, kHugePage));
    if (mapped == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat(std::string(needed_by), " needs ",
                                                       Readable(bytes),
                                                       " of memory, which the system refused"));
    }
    madvise(mapped, RoundUp(bytes, kHugePage), MADV_HUGEPAGE);  // a refusal only costs speed
    buffer.data_ = mapped;
  }
  buffer.size_ = bytes;
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (size_ >= kMapFrom) {
    munmap(data_, RoundUp(size_, kHugePage));
  } else {
    std::free(data_);
  }
}

int ArenaPlanner::Add(int64_t bytes, int64_t first_use, int64_t last_use) {
  pieces_.push_back({bytes, first_use, last_use});
  return static_cast<int>(pieces_.size()) - 1;
}

absl::Status ArenaPlanner::Plan() {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (piece.bytes < 0 || piece.bytes > kUnlimited / 2 || piece.last_use < piece.first_use) {
      return absl::InvalidArgumentError(absl::StrCat("piece ", i, " of the arena: ", piece.bytes,
                                                     " bytes, used from step ", piece.first_use,
                                                     " to ", piece.last_use));
    }
  }
  std::vector<int> by_size(pieces_.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](int a, int b) { return pieces_[a].bytes > pieces_[b].bytes; });

  std::vector<int> placed;  // by rising offset
  total_ = 0;
  for (int index : by_size) {
    Piece& piece = pieces_[index];
    const int64_t size = RoundUp(piece.bytes, kAlignment);
    int64_t best_offset = -1, smallest_gap = kUnlimited, free_from = 0;
    for (int other_index : placed) {
      const Piece& other = pieces_[other_index];
      if (other.last_use < piece.first_use || piece.last_use < other.first_use) continue;
      const int64_t gap = other.offset - free_from;
      if (gap >= size && gap < smallest_gap) {
        smallest_gap = gap;
        best_offset = free_from;
      }
      free_from = std::max(free_from, other.offset + RoundUp(other.bytes, kAlignment));
    }
    piece.offset = best_offset >= 0 ? best_offset : free_from;
    if (__builtin_add_overflow(piece.offset, size, &free_from)) {
      return absl::ResourceExhaustedError("the arena's size exceeds what 63 bits can count");
    }
    total_ = std::max(total_, free_from);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), index,
                         [&](int a, int b) { return pieces_[a].offset < pieces_[b].offset; }),
        index);
  }
  return absl::OkStatus();
}

int64_t ArenaPlanner::LowerBound() const {
  int64_t most = 0;
  for (const Piece& at : pieces_) {  // the maximum is reached where some piece begins
    int64_t alive = 0;
    for (const Piece& piece : pieces_) {
      if (piece.first_use <= at.first_use && at.first_use <= piece.last_use)
        alive += RoundUp(piece.bytes, kAlignment);
    }
    most = std::max(most, alive);
  }
  return most;
}

absl::StatusOr<Arena> Arena::Create(const ArenaPlanner& planner, std::string_view needed_by) {
  absl::StatusOr<AlignedBuffer> buffer = AlignedBuffer::Create(planner.total(), needed_by);
  if (!buffer.ok()) return buffer.status();
  Arena arena;
  arena.buffer_ = *std::move(buffer);
  return arena;
}

}  // namespace cotangent::tensor
