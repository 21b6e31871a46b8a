#ifndef COTANGENT_AUTODIFF_REVERSE_ARENA_H_
#define COTANGENT_AUTODIFF_REVERSE_ARENA_H_

// Room for an array that grows at its end and never moves.
//
// An arena takes a range of addresses as large as the array may ever become; the system gives
// memory to those pages only that are written to. So nobody who appends can be interrupted by a
// move to larger room: a check against the end remains, which leads nowhere but out of the program,
// and the compiler can keep a loop's variables in registers across it. (Had the check led to a
// function that returns, all floating-point variables of the loop would live in memory because of
// it.)

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace cotangent::autodiff::reverse {

class Arena {
 public:
  // Where a system grants no such range (a limit on the address space), a smaller one that it does.
  // From the thousandth arena on they are small, so that the 128 TiB of addresses that a process
  // has suffice for as many as the system lets it map.
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
