#include "base/parallel.h"

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Parallel, ThreadsAreSetAndAtLeastOne) {
  EXPECT_GE(UsefulThreads(), 1);
  EXPECT_GE(Threads(), 1);
  SetThreads(2);
  EXPECT_EQ(Threads(), 2);
  SetThreads(0);
  EXPECT_EQ(Threads(), 1);
}

TEST(Parallel, EveryShareIsComputedOnce) {
  for (int threads : {1, 2, 3, 7}) {
    SetThreads(threads);
    for (int64_t shares : {0, 1, 2, 3, 8, 1000}) {
      std::vector<int> count(shares);  // shares write next to each other, but never the same
      for (int run = 0; run < 50; ++run) ParallelFor(shares, [&](int64_t i) { ++count[i]; });
      EXPECT_EQ(count, std::vector<int>(shares, 50)) << threads << " threads";
    }
  }
}

TEST(Parallel, SharesAtTheSameTimeHaveDifferentThreads) {
  SetThreads(4);
  std::atomic<bool> busy[4] = {};
  for (int run = 0; run < 20; ++run) {
    ParallelFor(200, [&](int64_t, int thread) {
      ASSERT_GE(thread, 0);
      ASSERT_LT(thread, 4);
      ASSERT_FALSE(busy[thread].exchange(true));
      std::this_thread::yield();
      busy[thread].store(false);
    });
  }
}

// One share takes until another one has run: others must take over what was dealt to its thread.
TEST(Parallel, AThreadThatIsHeldUpHoldsUpItsShareOnly) {
  SetThreads(2);
  std::atomic<int> done = 0;
  ParallelFor(64, [&](int64_t share) {
    while (share == 0 && done.load() < 63) std::this_thread::yield();
    ++done;
  });
  EXPECT_EQ(done.load(), 64);
}

TEST(Parallel, WorkInsideWorkRunsOnItsOwnThread) {
  SetThreads(3);
  std::vector<int> count(60);
  ParallelFor(6, [&](int64_t i) {
    const std::thread::id here = std::this_thread::get_id();
    ParallelFor(10, [&, here](int64_t j, int thread) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      EXPECT_EQ(thread, 0);
      ++count[10 * i + j];
    });
  });
  EXPECT_EQ(count, std::vector<int>(60, 1));
}

TEST(Parallel, CallersOnSeveralThreadsGetAlong) {
  SetThreads(2);
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] {
      for (int run = 0; run < 200; ++run) ParallelFor(10, [&](int64_t i) { sum += i; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum.load(), 3 * 200 * 45);
}

TEST(Parallel, RangesMakeUpTheWhole) {
  SetThreads(3);
  for (int64_t total : {0, 1, 5, 100, 12345}) {
    for (int64_t least : {1, 7, 100000}) {
      std::vector<int> count(total);
      ParallelRanges(total, least, [&](int64_t begin, int64_t end) {
        EXPECT_TRUE(end - begin >= std::min(least, total));
        for (int64_t i = begin; i < end; ++i) ++count[i];
      });
      EXPECT_EQ(std::accumulate(count.begin(), count.end(), int64_t{0}), total);
    }
  }
  EXPECT_EQ(PartOf(10, 0, 3), (std::pair<int64_t, int64_t>(0, 4)));
  EXPECT_EQ(PartOf(10, 2, 3), (std::pair<int64_t, int64_t>(7, 10)));
  EXPECT_EQ(PartOf(1, 2, 3), (std::pair<int64_t, int64_t>(1, 1)));
}

}  // namespace
}  // namespace cotangent
