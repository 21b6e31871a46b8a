// Memory for numbers: aligned, in huge pages where there is much of it.
#ifndef COTANGENT_BASE_MEMORY_H_
#define COTANGENT_BASE_MEMORY_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent {

// Every buffer begins on a cache line, which is also an AVX-512 register's width. Bytes.
inline constexpr int64_t kAlignment = 64;

// Bytes that can still be allocated before the machine swaps or the kernel kills or refuses: the
// least of MemAvailable and what the process's control groups (file cache counts as free) and its
// limit of address space (ulimit -v) leave. A large positive number where nothing is known.
int64_t AvailableMemoryBytes();

// A ResourceExhausted error if `bytes` exceed what is available, naming both figures:
//   "training needs 51.2 GiB of memory; 22.0 GiB are available: use a smaller batch or network"
absl::Status CheckMemoryAvailable(int64_t bytes, std::string_view needed_by);

// Memory as AlignedBuffer has it, of `bytes` as they were allocated. Ends the process where there is
// none.
void* AllocateOrDie(int64_t bytes);
void Deallocate(void* data, int64_t bytes);

// Owns `size()` bytes, aligned to kAlignment and zeroed. From 1 MiB on they are mapped, with huge
// pages asked for.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Checks the memory available first: asks for nothing it cannot have.
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

// An array for large numbers of numbers that are worked through again and again: a std::vector in
// memory such as AlignedBuffer's. (In pages of 4 KiB a virtual machine reads a twelfth of what it
// reads in huge ones: Adam's loop over 4 million parameters that were in no cache moved 2 and 24 GB
// a second on one core of a Sapphire Rapids guest.)
template <typename T>
struct BigAllocator {
  using value_type = T;
  BigAllocator() = default;
  template <typename U>
  BigAllocator(const BigAllocator<U>&) {}  // NOLINT(google-explicit-constructor): of allocators
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
