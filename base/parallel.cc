#include "base/parallel.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/cpu_quota.h"
#include "base/disturbance.h"
#include "base/scheduler.h"

namespace cotangent {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A job is one call of ParallelFor(), a share is one call of the function that the job runs.
//
// How long a thread spins before it sleeps, when it waits for a job or for the last share of a job.
// Waking a thread takes the system 5 to 50 us, longer than most pauses between two operations of a
// network; and if other programs are waiting for a processor (base/disturbance.h), they take that
// of a sleeping thread for some milliseconds. So threads spin, but hardly where other programs
// compete for nearly every processor: there, spinning uses up the time in which a thread could
// compute. The two times were found by measuring on 2 cores of a virtual machine, kernel 6.18.
constexpr microseconds kSpin{500}, kSpinToSpare{4};
// How long a worker still spins when it finds that the section has ended that its last job was in:
// the next job may come at once, or in a second.
constexpr microseconds kSpinAfterSection{50};
// A ParallelSection with `least` is brief if an earlier section with the same `least` took less
// time than this. The scheduler suspends a thread for so long at 250 ticks a second.
constexpr milliseconds kBrief{4};
// A thread that waits for shares of other threads checks this often whether these threads are
// running: while it spins beside other programs, and while it sleeps.
constexpr microseconds kLookSpinning{25}, kLookSleeping{60};

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether the calling thread is in Pool::Run(), is a thread of the pool, or is in a SerialSection:
// then parallel::Run() computes all shares in this thread.
thread_local bool in_parallel = false;

// State of the calling thread: how many ParallelSections it is in, whether the outermost is brief,
// and the processors that Unbind() lets it run on again (nullopt if Pool::Run() has not bound it).
thread_local int sections = 0;
thread_local bool brief = false;
thread_local std::optional<cpu_set_t> unbound;

// Whether a thread has left its outermost ParallelSection since the pool last dealt out a job.
std::atomic<bool> section_ended{false};

void Unbind() {
  if (!unbound.has_value()) return;
  KeepTo(*unbound);
  unbound.reset();
}

// The threads that compute jobs: thread 0 is the caller of ParallelFor(), the others are
// `workers_`.
class Pool {
 public:
  explicit Pool(int threads)
      : members_(new Member[threads]), threads_(threads), disturbance_(threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
  }
  ~Pool() {
    stopping_.store(true);
    epoch_.fetch_add(1);
    WakeSleepers(epoch_, INT_MAX);
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return threads_; }

  void Run(int64_t shares, parallel::Share share, const void* work) {
    const Clock::time_point now = Clock::now();
    const int employed = brief ? disturbance_.ThreadsThatFitLately(now) : threads();
    if (employed == 1) {
      for (int64_t i = 0; i < shares; ++i) share(work, i, 0);
      return;
    }
    if (caller_ != std::this_thread::get_id()) {
      caller_ = std::this_thread::get_id();
      members_[0].thread.Enter();
    }
    if (!unbound.has_value() && disturbance_.Lately(now) != Disturbance::kNone) {
      unbound = processors_;
      KeepTo(processor_of_caller_);
    }
    Publish(shares, share, work, employed);
    Compute(0);
    WaitForOthers();
    if (sections == 0) Unbind();
  }

 private:
  // Deals out a job, and wakes as many workers as `employed` threads need; workers that are awake
  // take part, too.
  void Publish(int64_t shares, parallel::Share share, const void* work, int employed) {
    share_ = share;
    work_ = work;
    pending_.store(static_cast<uint32_t>(shares), std::memory_order_relaxed);
    if (section_ended.load(std::memory_order_relaxed)) section_ended.store(false);
    for (int i = 0; i < threads(); ++i) {
      const auto [begin, end] = PartOf(shares, i, threads());
      members_[i].unclaimed.store(Pack(begin, end));  // publishes share_, work_, too
    }
    epoch_.fetch_add(1);
    if (sleeping_.load() > 0) WakeSleepers(epoch_, employed - 1);
  }

  // Spins until ready() returns true, but not for long: thread `self` stops when it has lent its
  // processor to another thread (HelpWhoeverWasPutAside()). Returns what ready() returned last.
  template <typename Ready>
  bool Spin(int self, const Ready& ready) {
    if (ready()) return true;
    const Clock::time_point start = Clock::now();
    const Disturbance disturbance = disturbance_.Lately(start);
    Clock::time_point end = start + (disturbance == Disturbance::kCrowded ? kSpinToSpare : kSpin);
    Clock::time_point look = disturbance == Disturbance::kNone ? end : start + kLookSpinning;
    int64_t run[kMostLookedAt] = {};
    for (Clock::time_point now = start; now < end; now = Clock::now()) {
      if (section_ended.load(std::memory_order_relaxed))
        end = std::min<Clock::time_point>(end, now + kSpinAfterSection);
      if (now >= look && pending_.load() != 0) {
        if (HelpWhoeverWasPutAside(self, run)) break;
        look = now + kLookSpinning;
      }
      for (int i = 0; i < 16; ++i) {
        if (ready()) return true;
        Pause();
      }
    }
    return ready();
  }

  void WaitForOthers() {
    const auto done = [this] { return pending_.load(std::memory_order_acquire) == 0; };
    if (Spin(0, done)) return;
    waiting_.store(true);
    int64_t run[kMostLookedAt] = {};
    for (uint32_t left = pending_.load(); left != 0; left = pending_.load()) {
      SleepOn(pending_, left, kLookSleeping);
      if (pending_.load() != 0) HelpWhoeverWasPutAside(0, run);
    }
    waiting_.store(false, std::memory_order_relaxed);
  }

  struct alignas(64) Member {
    // The shares dealt to `thread` and not yet taken.
    std::atomic<uint64_t> unclaimed{0};  // begin << 32 | end
    ScheduledThread thread;
  };
  static constexpr int kMostLookedAt = 64;  // the most threads that a waiting thread examines
  static uint64_t Pack(uint64_t begin, uint64_t end) { return begin << 32 | end; }

  // Takes a share from `unclaimed` and returns its number: the first one for the thread that the
  // shares were dealt to (`own`), the last one for any other thread; -1 if none is left.
  //
  // A thread may call this while the next job is published. That is safe: a job cannot end while
  // one of its shares is being computed, so share_ and work_ belong to the same job as the share
  // that was taken.
  static int64_t Claim(std::atomic<uint64_t>& unclaimed, bool own) {
    uint64_t range = unclaimed.load();
    while (true) {
      const uint64_t begin = range >> 32, end = range & 0xffffffff;
      if (begin >= end) return -1;
      if (unclaimed.compare_exchange_weak(range, own ? Pack(begin + 1, end) : Pack(begin, end - 1)))
        return static_cast<int64_t>(own ? begin : end - 1);
    }
  }

  // Computes shares until none is left: first those dealt to this thread, then those dealt to
  // others. The shares dealt to a thread have consecutive numbers, and are the same in each job
  // with this number of shares, so the thread's caches may still hold their data.
  void Compute(int thread) {
    const int count = threads();
    Member& self = members_[thread];
    for (int i = 0; i < count; ++i) {
      std::atomic<uint64_t>& unclaimed = members_[(thread + i) % count].unclaimed;
      for (int64_t share; (share = Claim(unclaimed, i == 0)) >= 0;) {
        self.thread.Begin();
        share_(work_, share, thread);
        // A sleeping caller of ParallelFor() waits until pending_ is 0, so only the last share
        // wakes it.
        if (pending_.fetch_sub(1) == 1 && waiting_.load()) WakeSleepers(pending_, 1);
        self.thread.End();  // last: takes time if this thread was moved and must move back
      }
    }
  }

  // Thread `self` calls this while it waits for other threads to finish their shares. run[i] is the
  // processor time in ns that thread i (below kMostLookedAt) had used when this function last
  // looked at it (0 at first). If a thread that is computing a share has not run since, the system
  // has suspended it while others wait for it. The function moves the first such thread to the
  // processor of `self`, which must sleep then, and returns true; false if there is none.
  bool HelpWhoeverWasPutAside(int self, int64_t run[kMostLookedAt]) {
    for (int i = 0; i < std::min(threads(), kMostLookedAt); ++i) {
      Member& other = members_[i];
      if (i == self || !other.thread.IsWorking()) continue;
      const int64_t before = std::exchange(run[i], other.thread.TimeRun());
      if (before != run[i]) continue;
      other.thread.MoveHere();
      return true;
    }
    return false;
  }

  void Work(int thread) {
    in_parallel = true;
    members_[thread].thread.Enter();
    KeepTo(ProcessorOf(thread, threads(), processors_));
    while (!stopping_.load()) {
      const uint32_t epoch = epoch_.load();
      Compute(thread);
      if (Spin(thread, [&] { return epoch_.load(std::memory_order_relaxed) != epoch; })) continue;
      sleeping_.fetch_add(1);
      int64_t run[kMostLookedAt] = {};
      while (epoch_.load() == epoch && pending_.load() != 0) {
        SleepOn(epoch_, epoch, kLookSleeping);
        if (epoch_.load() == epoch && pending_.load() != 0) HelpWhoeverWasPutAside(thread, run);
      }
      SleepOn(epoch_, epoch);  // returns at once if epoch_ has changed since
      sleeping_.fetch_sub(1);
    }
  }

  const std::unique_ptr<Member[]> members_;
  const int threads_;
  std::thread::id caller_;
  const cpu_set_t processors_ = Processors(),
                  processor_of_caller_ = ProcessorOf(0, threads_, processors_);
  std::vector<std::thread> workers_;
  DisturbanceWatch disturbance_;

  // The current job. The caller writes share_ and work_ while no share is being computed.
  parallel::Share share_ = nullptr;
  const void* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> pending_{0};  // shares not done
  alignas(64) std::atomic<uint32_t> epoch_{0};    // jobs so far; idle threads await a change
  std::atomic<int> sleeping_{0};
  std::atomic<bool> waiting_{false}, stopping_{false};
};

std::mutex pool_mutex;  // locked by the caller whose job the threads compute
std::unique_ptr<Pool>& ThePool() {
  static auto* pool = new std::unique_ptr<Pool>;
  return *pool;
}
std::atomic<int> threads_set{0};  // 0: not set

}  // namespace

int UsefulThreads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return std::max<int>(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::set<std::string> cores;  // each core is named by the list of its hyperthreads
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    cores.insert(std::getline(file, siblings) ? siblings : "cpu " + std::to_string(cpu));
  }
  return ThreadsWithinQuota(static_cast<int>(cores.size()));
}

void SetThreads(int threads) { threads_set.store(std::max(1, threads)); }
int Threads() {
  int threads = threads_set.load(std::memory_order_relaxed);
  if (threads == 0) threads_set.store(threads = UsefulThreads());
  return threads;
}

ParallelSection::ParallelSection(Duration* least) : least_(least) {
  if (least_ != nullptr) begin_ = Clock::now();
  if (sections++ == 0) brief = least_ != nullptr && *least_ < kBrief;
}
ParallelSection::~ParallelSection() {
  if (least_ != nullptr) *least_ = std::min(*least_, Clock::now() - begin_);
  if (--sections > 0) return;
  section_ended.store(true, std::memory_order_relaxed);
  brief = false;
  Unbind();
}

namespace parallel {

// For SerialSection (serial_section.h).
bool SetSerial(bool is_serial) { return std::exchange(in_parallel, is_serial); }

void Run(int64_t shares, Share share, const void* work) {
  const int threads = Threads();
  if (shares > 0xffffffff) std::abort();  // does not fit into `unclaimed`
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
