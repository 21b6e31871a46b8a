#ifndef COTANGENT_AUTODIFF_REVERSE_ARENA_H_
#define COTANGENT_AUTODIFF_REVERSE_ARENA_H_

// Arena: memory for an array that grows at its end and never moves.
//
// An arena reserves a range of addresses as large as the array can ever become; the operating
// system only gives memory to the pages that are written. So appending never has to move the array
// to a larger place. Code that appends only checks that the range is not full, and ends the program
// if it is. Because that branch never returns, the compiler can keep a loop's variables in
// registers across the check. (If the branch called a function that returns, all floating-point
// variables of the loop would have to live in memory.)

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace cotangent::autodiff::reverse {

class Arena {
 public:
  // Reserves a range of `bytes` bytes. If the system does not grant it (because the address space
  // is limited), tries smaller ranges, down to 1 MiB; if it gets none, ends the program. While a
  // thousand arenas exist, further ones get at most 256 MiB, so that the 128 TiB of addresses of a
  // process suffice for as many arenas as the system lets it map.
  explicit Arena(std::size_t bytes) {
    constexpr std::size_t kSmallest = std::size_t{1} << 20, kSmall = std::size_t{1} << 28;
    constexpr int kLarge = 1000;
    if (alive_.fetch_add(1, std::memory_order_relaxed) >= kLarge && bytes > kSmall) bytes = kSmall;
    for (bytes_ = bytes; bytes_ >= kSmallest; bytes_ /= 2) {
      begin_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (begin_ != MAP_FAILED) return;
    }
    std::fputs("cotangent: no memory for a reverse tape\n", stderr);
    std::abort();
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    munmap(begin_, bytes_);
    alive_.fetch_sub(1, std::memory_order_relaxed);
  }

  void* begin() const { return begin_; }
  std::size_t bytes() const { return bytes_; }

 private:
  static inline std::atomic<int> alive_ = 0;
  void* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_ARENA_H_
