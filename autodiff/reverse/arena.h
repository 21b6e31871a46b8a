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

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace cotangent::autodiff::reverse {

class Arena {
 public:
  // Where a system grants no such range (a limit on the address space), a smaller one that it does.
  explicit Arena(std::size_t bytes) {
    constexpr std::size_t kSmallest = std::size_t{1} << 20;
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
  ~Arena() { munmap(begin_, bytes_); }

  void* begin() const { return begin_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_ARENA_H_
