// The one way to compute on several threads.
//
//   ParallelFor(rows, [&](int64_t row) { Scale(row); });        // row by row, in any order
//   ParallelFor(shares, [&](int64_t share, int thread) { ... });  // thread: whose scratch memory
//
// Work is handed out share by share to whichever thread is free, so that a thread which the system
// has put aside holds up no more than the share in its hands, and ends when the last share does,
// not when every thread has noticed. Nothing may depend on which thread computes a share: what
// shares sum up, each sums for itself, and the caller adds the sums in order. Cut into a number of
// shares that follows from the work and Threads() alone, and the same bits come out on a busy
// machine.
//
// How threads wait, and what happens beside other work: base/README.md.
#ifndef COTANGENT_BASE_PARALLEL_H_
#define COTANGENT_BASE_PARALLEL_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace cotangent {

// How many threads are worth having: the logical processors this process may run on, counting
// hyperthreads of one core once, and no more than control groups grant time for (base/cpu_quota.h),
// rounded up. At least 1.
int UsefulThreads();

// Sets and tells how many threads compute, the one that calls ParallelFor() included;
// UsefulThreads() until set. To be set while nothing is computed, before what is planned for that
// number is made.
void SetThreads(int threads);
int Threads();

namespace parallel {

using Share = void (*)(const void* work, int64_t share, int thread);
void Run(int64_t shares, Share share, const void* work);

}  // namespace parallel

// Calls work(share) or work(share, thread) for each share from 0 to shares - 1, and returns when
// all are done. `thread` is in [0, Threads()), and of two shares in work at once it is not the
// same. One share, or with one thread, or inside another ParallelFor(), or while another caller has
// the threads: all on the calling thread, in order. Work must not throw.
template <typename Work>
void ParallelFor(int64_t shares, const Work& work) {
  static_assert(std::is_invocable_v<const Work&, int64_t, int> ||
                std::is_invocable_v<const Work&, int64_t>);
  if constexpr (std::is_invocable_v<const Work&, int64_t, int>) {
    parallel::Run(
        shares,
        [](const void* work, int64_t share, int thread) {
          (*static_cast<const Work*>(work))(share, thread);
        },
        &work);
  } else {
    parallel::Run(
        shares,
        [](const void* work, int64_t share, int) { (*static_cast<const Work*>(work))(share); },
        &work);
  }
}

// Around jobs that follow each other closely, such as the operations of a step. Beside other work
// ParallelFor() binds the calling thread to one processor; threads that it makes meanwhile would
// inherit that, so it lets go at the end of each job or, within a section, at the section's end.
class ParallelSection {
 public:
  ParallelSection();
  ~ParallelSection();
  ParallelSection(const ParallelSection&) = delete;
  ParallelSection& operator=(const ParallelSection&) = delete;
};

// Part `index` of [0, total) cut into `parts` nearly equal ranges: [first, second).
inline std::pair<int64_t, int64_t> PartOf(int64_t total, int64_t index, int64_t parts) {
  const int64_t size = total / parts, longer = total % parts;
  const int64_t begin = index * size + std::min(index, longer);
  return {begin, begin + size + (index < longer ? 1 : 0)};
}

// Shares for each thread: so many that the last ones leave no thread long without work, and so few
// that handing them out (some 0.1 us each) does not show.
inline constexpr int64_t kSharesPerThread = 16;

// The least items of a simple loop that are worth handing to another thread, each of so many
// elements: 16 Ki elements take some 5 us.
constexpr int64_t LeastItems(int64_t elements) {
  return std::max<int64_t>(1, (int64_t{1} << 14) / std::max<int64_t>(1, elements));
}

// Calls work(begin, end) or work(begin, end, thread) for ranges that make up [0, total), each of
// `least` or more (but the only one), kSharesPerThread for a thread at most.
template <typename Work>
void ParallelRanges(int64_t total, int64_t least, const Work& work) {
  if (total <= 0) return;
  const int64_t most = Threads() == 1 ? 1 : kSharesPerThread * Threads();
  const int64_t parts = std::max<int64_t>(1, std::min(most, total / std::max<int64_t>(1, least)));
  ParallelFor(parts, [&](int64_t part, int thread) {
    const auto [begin, end] = PartOf(total, part, parts);
    if constexpr (std::is_invocable_v<const Work&, int64_t, int64_t, int>) {
      work(begin, end, thread);
    } else {
      work(begin, end);
    }
  });
}

}  // namespace cotangent

#endif  // COTANGENT_BASE_PARALLEL_H_
