// Memory for large arrays of numbers: aligned, and from 1 MiB on in huge pages if the system has
// them.
#ifndef COTANGENT_BASE_MEMORY_H_
#define COTANGENT_BASE_MEMORY_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent {

// The alignment of every buffer in bytes: a cache line, and also the width of an AVX-512 register.
inline constexpr int64_t kAlignment = 64;

// Returns how many bytes can still be allocated before the machine swaps, or the kernel refuses or
// kills the process. It is the smallest of MemAvailable (/proc/meminfo), what the memory limits of
// the process's control groups leave (inactive file cache counts as free), and what the process's
// limit on address space (ulimit -v) leaves. Returns the largest int64_t if none of these is known.
int64_t AvailableMemoryBytes();

// Returns a ResourceExhausted error if `bytes` exceeds AvailableMemoryBytes(). The message begins
// with `needed_by` and names both figures:
//   "training needs 51.2 GiB of memory; 22.0 GiB are available: use a smaller batch or network"
absl::Status CheckMemoryAvailable(int64_t bytes, std::string_view needed_by);

// Allocates zeroed memory with the alignment and huge pages of AlignedBuffer; aborts the process if
// the system refuses.
void* AllocateOrDie(int64_t bytes);
// Frees memory that AllocateOrDie() returned. `bytes` must be the size that was passed to
// AllocateOrDie().
void Deallocate(void* data, int64_t bytes);

// Owns `size()` bytes, aligned to kAlignment, which are 0 at first. A buffer of 1 MiB or more gets
// a memory mapping of its own (mmap), for which the system is asked to use huge pages. data() of an
// empty buffer is null.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Allocates a buffer of `bytes` zeros. Errors: `bytes` is negative, or there is not enough
  // memory. From 1 MiB on, the available memory is checked first; `needed_by` names the buffer's
  // purpose in the error message.
  static absl::StatusOr<AlignedBuffer> Create(int64_t bytes,
                                              std::string_view needed_by = "a buffer");

  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer();

  void* data() { return data_; }
  const void* data() const { return data_; }
  int64_t size() const { return size_; }

  template <typename T>
  T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }

 private:
  void* data_ = nullptr;
  int64_t size_ = 0;
};

// BigVector is a std::vector whose memory has the alignment and huge pages of AlignedBuffer, for
// long arrays that are read again and again; BigAllocator is its allocator. Huge pages matter in
// virtual machines: on one core of a Sapphire Rapids guest, Adam's update of 4 million parameters
// that were in no cache moved 2 GB/s in pages of 4 KiB and 24 GB/s in huge pages.
template <typename T>
struct BigAllocator {
  using value_type = T;
  BigAllocator() = default;
  template <typename U>
  BigAllocator(const BigAllocator<U>&) {}  // NOLINT(google-explicit-constructor): required
  T* allocate(size_t count) {
    return static_cast<T*>(AllocateOrDie(static_cast<int64_t>(count * sizeof(T))));
  }
  void deallocate(T* data, size_t count) {
    Deallocate(data, static_cast<int64_t>(count * sizeof(T)));
  }
  bool operator==(const BigAllocator&) const = default;
};
template <typename T>
using BigVector = std::vector<T, BigAllocator<T>>;

}  // namespace cotangent

#endif  // COTANGENT_BASE_MEMORY_H_
