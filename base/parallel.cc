#include "base/parallel.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/cpu_quota.h"

namespace cotangent {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// How long a thread spins for work, or for the last share, before it sleeps. Waking a thread takes
// the system 5 to 50 us, longer than most pauses between two operations of a network, so while the
// machine is ours a thread spins through them; beside other work, whoever spins keeps the processor
// from the thread that is waited for. Measured on 2 cores of a virtual machine, kernel 6.18.
constexpr microseconds kSpinUndisturbed{500}, kSpinDisturbed{4};
// How often a thread asks for how long it was kept waiting for a processor; the part of that time
// from which on the machine is not ours; and how long a thread believes so.
constexpr milliseconds kAskEvery{10}, kBelieveFor{250};
constexpr double kMostDelay = 0.04;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void Sleep(std::atomic<uint32_t>& word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void Wake(std::atomic<uint32_t>& word, int sleepers) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, sleepers, nullptr, nullptr, 0);
}
static_assert(sizeof(std::atomic<uint32_t>) == 4);

// Nanoseconds that the calling thread has been ready to run and not running, by the scheduler's
// account (proc_pid_schedstat(5)); 0 where it keeps none.
int64_t WaitedForProcessor() {
  thread_local const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  char text[64];
  const ssize_t size = file < 0 ? 0 : pread(file, text, sizeof text - 1, 0);
  if (size <= 0) return 0;
  text[size] = 0;
  char* end = nullptr;
  strtoll(text, &end, 10);  // time running
  return strtoll(end, nullptr, 10);
}

// Whether other work wants our processors: whether a thread of ours has lately been kept waiting.
class Disturbance {
 public:
  // Asked by each thread, before it waits; cheap enough for that.
  bool Lately(Clock::time_point now) {
    thread_local Clock::time_point asked{};
    thread_local int64_t waited = 0;
    if (now - asked >= kAskEvery) {
      const int64_t before = std::exchange(waited, WaitedForProcessor());
      const std::chrono::nanoseconds passed = now - std::exchange(asked, now);
      if (before != 0 &&
          static_cast<double>(waited - before) > kMostDelay * static_cast<double>(passed.count()))
        until_.store((now + kBelieveFor).time_since_epoch().count(), std::memory_order_relaxed);
    }
    return now.time_since_epoch().count() < until_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<Clock::rep> until_{0};
};

// Spins until `ready`, for as long as is worthwhile; whether it is.
template <typename Ready>
bool SpinUntil(Disturbance& disturbance, const Ready& ready) {
  if (ready()) return true;
  const Clock::time_point start = Clock::now();
  const auto most = disturbance.Lately(start) ? kSpinDisturbed : kSpinUndisturbed;
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      Pause();
    }
  } while (Clock::now() - start < most);
  return ready();
}

thread_local bool in_parallel = false;

class Pool {
 public:
  explicit Pool(int threads) : unclaimed_(new Unclaimed[threads]), threads_(threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
  }
  ~Pool() {
    stopping_.store(true);
    epoch_.fetch_add(1);
    Wake(epoch_, INT_MAX);
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return threads_; }

  void Run(int64_t shares, parallel::Share share, const void* work) {
    share_ = share;
    work_ = work;
    pending_.store(static_cast<uint32_t>(shares), std::memory_order_relaxed);
    for (int i = 0; i < threads(); ++i) {
      const auto [begin, end] = PartOf(shares, i, threads());
      unclaimed_[i].range.store(Pack(begin, end));  // publishes the above
    }
    epoch_.fetch_add(1);
    if (sleeping_.load() > 0) Wake(epoch_, INT_MAX);
    Compute(0);
    const auto done = [this] { return pending_.load(std::memory_order_acquire) == 0; };
    if (SpinUntil(disturbance_, done)) return;
    waiting_.store(true);
    for (uint32_t left = pending_.load(); left != 0; left = pending_.load()) Sleep(pending_, left);
    waiting_.store(false, std::memory_order_relaxed);
  }

 private:
  // Shares that nobody has taken, from `begin` to `end`.
  struct alignas(64) Unclaimed {
    std::atomic<uint64_t> range{0};
  };
  static uint64_t Pack(uint64_t begin, uint64_t end) { return begin << 32 | end; }

  // The first or, for another thread than the one they were dealt to, the last of them; -1 if none
  // is left. A job whose share is in work does not end: from here until the share is done, share_
  // and work_ are those of its job, whichever job `unclaimed` belonged to when the thread came.
  static int64_t Claim(Unclaimed& unclaimed, bool own) {
    uint64_t range = unclaimed.range.load();
    while (true) {
      const uint64_t begin = range >> 32, end = range & 0xffffffff;
      if (begin >= end) return -1;
      if (unclaimed.range.compare_exchange_weak(range,
                                                own ? Pack(begin + 1, end) : Pack(begin, end - 1)))
        return static_cast<int64_t>(own ? begin : end - 1);
    }
  }

  // Computes shares until none is left to take: first those dealt to this thread, which are
  // neighbours and the same from one operation to the next (their numbers may still be in its
  // caches), then those of others.
  void Compute(int thread) {
    const int count = threads();
    for (int i = 0; i < count; ++i) {
      Unclaimed& unclaimed = unclaimed_[(thread + i) % count];
      for (int64_t share; (share = Claim(unclaimed, i == 0)) >= 0;) {
        share_(work_, share, thread);
        // A caller that sleeps waits for 0; of the others nobody need tell it.
        if (pending_.fetch_sub(1) == 1 && waiting_.load()) Wake(pending_, 1);
      }
    }
  }

  void Work(int thread) {
    in_parallel = true;
    while (!stopping_.load()) {
      const uint32_t epoch = epoch_.load();
      Compute(thread);
      if (SpinUntil(disturbance_, [&] { return epoch_.load(std::memory_order_relaxed) != epoch; }))
        continue;
      sleeping_.fetch_add(1);
      Sleep(epoch_, epoch);  // not if a job has come since
      sleeping_.fetch_sub(1);
    }
  }

  const std::unique_ptr<Unclaimed[]> unclaimed_;  // one a thread
  const int threads_;
  std::vector<std::thread> workers_;
  Disturbance disturbance_;

  // The job: written by the caller while no share is in work.
  parallel::Share share_ = nullptr;
  const void* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> pending_{0};  // shares not done
  alignas(64) std::atomic<uint32_t> epoch_{0};    // counts jobs: what idle threads watch
  std::atomic<int> sleeping_{0};
  std::atomic<bool> waiting_{false}, stopping_{false};
};

std::mutex pool_mutex;  // held by the caller whose job it is
std::unique_ptr<Pool>& ThePool() {
  static auto* pool = new std::unique_ptr<Pool>;
  return *pool;
}
std::atomic<int> threads_set{0};  // 0: not yet

}  // namespace

int UsefulThreads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return std::max<int>(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::set<std::string> cores;  // each named by the list of its hyperthreads
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    cores.insert(std::getline(file, siblings) ? siblings : "cpu " + std::to_string(cpu));
  }
  const double count = static_cast<double>(cores.size());
  return std::max(1, static_cast<int>(std::ceil(std::min(count, CpuQuota().value_or(count)))));
}

void SetThreads(int threads) { threads_set.store(std::max(1, threads)); }
int Threads() {
  int threads = threads_set.load(std::memory_order_relaxed);
  if (threads == 0) threads_set.store(threads = UsefulThreads());
  return threads;
}

namespace parallel {

void Run(int64_t shares, Share share, const void* work) {
  const int threads = Threads();
  if (shares > 0xffffffff) std::abort();  // shares of nothing
  if (shares > 1 && threads > 1 && !in_parallel && pool_mutex.try_lock()) {
    in_parallel = true;
    std::unique_ptr<Pool>& pool = ThePool();
    if (pool == nullptr || pool->threads() != threads) {
      pool.reset();
      pool = std::make_unique<Pool>(threads);
    }
    pool->Run(shares, share, work);
    in_parallel = false;
    pool_mutex.unlock();
    return;
  }
  for (int64_t i = 0; i < shares; ++i) share(work, i, 0);
}

}  // namespace parallel
}  // namespace cotangent
