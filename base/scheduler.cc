#include "base/scheduler.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cotangent {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == 4);

}  // namespace

void SleepOn(std::atomic<uint32_t>& word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void SleepOn(std::atomic<uint32_t>& word, uint32_t expected, std::chrono::nanoseconds at_most) {
  const timespec time = {.tv_sec = 0, .tv_nsec = static_cast<long>(at_most.count())};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &time, nullptr, 0);
}

void WakeSleepers(std::atomic<uint32_t>& word, int most) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, most, nullptr, nullptr, 0);
}

cpu_set_t Processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  return allowed;
}

void KeepTo(const cpu_set_t& processors) {
  if (CPU_COUNT(&processors) > 0) sched_setaffinity(0, sizeof processors, &processors);
}

cpu_set_t ProcessorOf(int thread, int threads, const cpu_set_t& processors) {
  const int count = CPU_COUNT(&processors);
  if (count == 0 || threads < count) return processors;
  cpu_set_t only;
  CPU_ZERO(&only);
  int left = thread % count;
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&only) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &processors) && left-- == 0) CPU_SET(cpu, &only);
  }
  return only;
}

// Other threads may read id_ and clock_ while a thread enters in place of the one that was the object
// before: a worker that has not noticed yet that the last job has ended. What it reads then is of no
// consequence, since MoveHere() uses id_ only while state_ keeps the thread from ending its work.
void ScheduledThread::Enter() {
  auto id = static_cast<pid_t>(syscall(SYS_gettid));
  clockid_t clock = 0;
  if (pthread_getcpuclockid(pthread_self(), &clock) != 0) id = 0;
  std::atomic_ref(clock_).store(clock, std::memory_order_relaxed);
  std::atomic_ref(id_).store(id, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // before Begin() sets state_
}

int64_t ScheduledThread::TimeRun() const {
  timespec time{};
  clock_gettime(__atomic_load_n(&clock_, __ATOMIC_RELAXED), &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void ScheduledThread::MoveHere() {
  const int here = sched_getcpu();
  int state = kWorking;
  if (here < 0 || here >= CPU_SETSIZE || !state_.compare_exchange_strong(state, kBeingMoved))
    return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(here, &only);
  const pid_t id = std::atomic_ref(id_).load(std::memory_order_relaxed);
  if (id == 0 || sched_getaffinity(id, sizeof processors_, &processors_) != 0) {
    state_.store(kWorking);
    return;
  }
  sched_setaffinity(id, sizeof only, &only);
  state_.store(kMoved);
}

void ScheduledThread::Return() {
  while (state_.load() == kBeingMoved) sched_yield();
  sched_setaffinity(0, sizeof processors_, &processors_);
  state_.store(kIdle);
}

}  // namespace cotangent
