// ParallelFor() divides a computation among threads.
//
//   ParallelFor(rows, [&](int64_t row) { Scale(row); });        // row by row, in any order
//   ParallelFor(shares, [&](int64_t share, int thread) { ... });  // `thread` picks scratch memory
//
// A job (one call) consists of shares (calls of the function), and each thread takes the next share
// when it is free. If the system suspends a thread, only the share that it works on is late. The
// job ends when its last share is done, even if some threads have not woken up for it.
//
// Results must not depend on which thread computes a share. If shares contribute to a sum, each
// share computes its own partial sum, and the caller adds these in order afterwards. If the number
// of shares depends only on the work and on Threads(), the results are bitwise the same however
// busy the machine is.
//
// base/README.md explains how threads wait, and what happens when other programs run.
#ifndef COTANGENT_BASE_PARALLEL_H_
#define COTANGENT_BASE_PARALLEL_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace cotangent {

// Returns how many threads are worth having, at least 1: the number of cores this process may run
// on (hyperthreads of one core count once), but no more than the processor time its control groups
// grant (base/cpu_quota.h), rounded up.
int UsefulThreads();

// Sets or returns the number of threads that compute, including the one that calls ParallelFor(); a
// number less than 1 is set as 1. It is UsefulThreads() until set. Call SetThreads() while no
// ParallelFor() runs, and before creating objects that allocate scratch memory for each thread.
void SetThreads(int threads);
int Threads();

namespace parallel {

// ParallelFor() below, without templates: Run() calls share(work, i, thread) for each share i.
using Share = void (*)(const void* work, int64_t share, int thread);
void Run(int64_t shares, Share share, const void* work);

}  // namespace parallel

// Calls work(share) or work(share, thread) for each share from 0 to shares - 1, and returns when
// all are done. `thread` is in [0, Threads()); shares that run at the same time have different
// ones. Everything runs in order on the calling thread, as thread 0, if there is one share or one
// thread, inside another ParallelFor(), or while another caller uses the threads. `work` must not
// throw. REQUIRES: shares < 2^32.
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

// A scope for jobs (calls of ParallelFor()) that follow each other closely, such as the operations
// of a training step. While other programs are busy or a quota limits processor time, and there are
// no fewer threads than processors, ParallelFor() binds the calling thread to one processor.
// Threads that the caller creates then would inherit this binding, so ParallelFor() removes the
// binding after each job or, inside a ParallelSection, when the section ends.
//
// A brief section is one that somebody waits for, such as the answer to one picture, and that takes
// less time than the system takes away at once from a thread (4 ms). Beside other programs, the
// jobs of a brief section employ only as many threads as have a processor nearly to themselves
// (ThreadsThatFit() in disturbance.h): another thread would gain less time than the section loses
// when the system suspends it.
class ParallelSection {
 public:
  using Duration = std::chrono::steady_clock::duration;

  // A section that is brief if `*least` says so, the shortest time that sections with this `least`
  // have taken, which the section updates. It begins as Duration::max(), and must outlive the
  // section. Without `least` the section is not brief. Inside another section, the outer one
  // decides.
  explicit ParallelSection(Duration* least = nullptr);
  ~ParallelSection();
  ParallelSection(const ParallelSection&) = delete;
  ParallelSection& operator=(const ParallelSection&) = delete;

 private:
  Duration* const least_;
  std::chrono::steady_clock::time_point begin_;  // set if least_ is
};

// Cuts [0, total) into `parts` ranges whose sizes differ by at most 1, and returns range number
// `index` (from 0) as a pair: its first element and the element after its last.
inline std::pair<int64_t, int64_t> PartOf(int64_t total, int64_t index, int64_t parts) {
  const int64_t size = total / parts, longer = total % parts;
  const int64_t begin = index * size + std::min(index, longer);
  return {begin, begin + size + (index < longer ? 1 : 0)};
}

// The largest number of shares per thread that ParallelRanges() makes. With more shares, the time
// at the end of a job in which some threads have no work is shorter; with fewer, less time is spent
// on handing them out (about 0.1 us each).
inline constexpr int64_t kSharesPerThread = 16;

// Returns the smallest number of items of a simple loop that is worth a share of its own, if each
// item consists of `elements` array elements: as many items as have up to 16 Ki elements (these
// take about 5 us), at least 1.
constexpr int64_t LeastItems(int64_t elements) {
  return std::max<int64_t>(1, (int64_t{1} << 14) / std::max<int64_t>(1, elements));
}

// Cuts [0, total) into ranges and calls work(begin, end) or work(begin, end, thread) for each. Each
// range has at least `least` items, unless there is only one range. There are at most
// kSharesPerThread * Threads() ranges, and only one if there is only one thread. Does nothing if
// total <= 0.
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
