#include "base/parallel.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "base/scheduler.h"
#include "base/serial_section.h"
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
      std::vector<int> count(shares);  // no two shares write to the same element
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

// Share 0 (the call of the function with the number 0) waits until all other shares are done, so
// the other thread must take the shares that were dealt to the thread of share 0.
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

TEST(Parallel, ASerialSectionKeepsAllSharesOnItsThread) {
  SetThreads(3);
  const auto threads_of_job = [] {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    ParallelFor(30, [&](int64_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard<std::mutex> lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
    return threads;
  };
  {
    const SerialSection outer;
    { const SerialSection inner; }
    EXPECT_EQ(threads_of_job(), std::set<std::thread::id>{std::this_thread::get_id()});
  }
  EXPECT_GT(threads_of_job().size(), 1u);
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

// While other processes are busy, on some processors or on all, results are correct, and after each
// ParallelSection the caller may run on the same processors as before.
TEST(Parallel, BesideOtherWorkTheCallerStaysFree) {
  SetThreads(2);
  for (const int busy : {1, 3}) {
    std::vector<pid_t> others;
    for (int i = 0; i < busy; ++i) {
      others.push_back(fork());
      if (others.back() != 0) continue;
      alarm(20);  // ends the process even if the test crashes
      while (true) asm volatile("");
    }
    const cpu_set_t before = Processors();
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
    while (std::chrono::steady_clock::now() < end) {
      std::vector<int> done(64, 0);
      {
        const ParallelSection section;
        for (int job = 0; job < 5; ++job) ParallelFor(64, [&](int64_t share) { ++done[share]; });
      }
      ASSERT_EQ(done, std::vector<int>(64, 5));
      const cpu_set_t after = Processors();
      ASSERT_TRUE(CPU_EQUAL(&before, &after));
    }
    for (pid_t other : others) {
      kill(other, SIGKILL);
      waitpid(other, nullptr, 0);
    }
  }
}

// Beside other programs on every processor, a brief section runs on the calling thread, but a long
// one, or one without times, on all.
TEST(Parallel, BesideOtherWorkABriefSectionIsLeftToThreadsThatFit) {
  const cpu_set_t before = Processors();
  cpu_set_t two = {};
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&two) < 2; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &two);
  }
  if (CPU_COUNT(&two) < 2) GTEST_SKIP() << "needs two processors";
  KeepTo(two);
  SetThreads(1);  // the next number of threads makes new ones, which keep to the two
  ParallelFor(2, [](int64_t) {});
  SetThreads(2);
  std::vector<pid_t> others;
  for (int i = 0; i < 2; ++i) {
    others.push_back(fork());
    if (others.back() != 0) continue;
    alarm(20);  // ends the process even if the test crashes
    while (true) asm volatile("");
  }
  // Returns whether a worker computed a share in the later half of 0.6 s of sections.
  const auto a_worker_helps = [](ParallelSection::Duration least) {
    std::atomic<bool> helped = false;
    const auto begin = std::chrono::steady_clock::now();
    while (true) {
      const auto time = std::chrono::steady_clock::now() - begin;
      if (time > std::chrono::milliseconds(600)) return helped.load();
      if (time < std::chrono::milliseconds(300)) helped = false;
      ParallelSection::Duration copy = least;
      const ParallelSection section(&copy);
      ParallelFor(64, [&](int64_t, int thread) {
        if (thread != 0) helped = true;
        for (int i = 0; i < 2000; ++i) asm volatile("");
      });
    }
  };
  EXPECT_FALSE(a_worker_helps(std::chrono::microseconds(100)));
  EXPECT_TRUE(a_worker_helps(std::chrono::milliseconds(10)));
  EXPECT_TRUE(a_worker_helps(ParallelSection::Duration::max()));
  for (pid_t other : others) {
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
  }
  KeepTo(before);
}

TEST(Parallel, ASectionKeepsItsShortestTime) {
  ParallelSection::Duration least = ParallelSection::Duration::max();
  { const ParallelSection section(&least); }
  const ParallelSection::Duration first = least;
  EXPECT_LT(first, ParallelSection::Duration::max());
  {
    const ParallelSection section(&least);
    std::this_thread::sleep_for(2 * first);
  }
  EXPECT_EQ(least, first);
}

TEST(Scheduler, ThreadsShareOutProcessorsWhereTheyNeedAll) {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (int cpu : {1, 3, 5}) CPU_SET(cpu, &all);
  const auto only = [&](int thread, int threads) {
    const cpu_set_t chosen = ProcessorOf(thread, threads, all);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < 8; ++cpu) {
      if (CPU_ISSET(cpu, &chosen)) cpus.push_back(cpu);
    }
    return cpus;
  };
  EXPECT_EQ(only(0, 3), std::vector<int>{1});
  EXPECT_EQ(only(2, 3), std::vector<int>{5});
  EXPECT_EQ(only(4, 6), std::vector<int>{3});
  EXPECT_EQ(only(0, 2), (std::vector<int>{1, 3, 5}));
}

// MoveHere() binds a thread to the caller's processor; End() gives it its own processors back.
TEST(Scheduler, AThreadIsMovedUntilItsEnd) {
  ScheduledThread scheduled;
  std::atomic<int> phase{0};
  cpu_set_t before, moved, after;
  std::thread thread([&] {
    scheduled.Enter();
    before = Processors();
    scheduled.Begin();
    phase.store(1);
    while (phase.load() != 2) sched_yield();
    moved = Processors();
    scheduled.End();
    after = Processors();
  });
  while (phase.load() != 1) sched_yield();
  const int64_t run = scheduled.TimeRun();
  EXPECT_GE(run, 0);
  scheduled.MoveHere();
  EXPECT_FALSE(scheduled.IsWorking());
  phase.store(2);
  thread.join();
  EXPECT_EQ(CPU_COUNT(&moved), 1);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
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
