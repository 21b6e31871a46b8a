// What base/parallel.cc asks of the kernel's scheduler: sleeping and waking, and
// which processor a thread runs on. Linux; whatever a kernel refuses is done without.
#ifndef COTANGENT_BASE_SCHEDULER_H_
#define COTANGENT_BASE_SCHEDULER_H_

#include <sched.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace cotangent {

// Sleeps until woken, or until `at_most` has passed, unless `word` is no longer `expected`
// (futex(2)).
void SleepOn(std::atomic<uint32_t>& word, uint32_t expected);
void SleepOn(std::atomic<uint32_t>& word, uint32_t expected, std::chrono::nanoseconds at_most);
void WakeSleepers(std::atomic<uint32_t>& word, int most);

// The processors that the calling thread may run on; none where the system does not tell.
cpu_set_t Processors();
// Binds the calling thread to them.
void KeepTo(const cpu_set_t& processors);
// The processor for thread number `thread` of `threads`, of those given; all of them where there
// are more than threads.
cpu_set_t ProcessorOf(int thread, int threads, const cpu_set_t& processors);

// A thread that others may have to wait for, and that they can move to their own processor when the
// system has put it aside.
class ScheduledThread {
 public:
  // By the thread itself: it is the calling one; and it begins, and ends, what others wait for.
  void Enter();
  void Begin() { state_.store(kWorking, std::memory_order_relaxed); }
  void End() {
    int state = kWorking;
    if (!state_.compare_exchange_strong(state, kIdle)) Return();
  }

  // By others: whether it is about something that they wait for, and has not been moved.
  bool IsWorking() const { return state_.load(std::memory_order_relaxed) == kWorking; }
  // How much processor time it has had, in nanoseconds. Two answers that are equal: it did not run
  // between.
  int64_t TimeRun() const;
  // Until End() it goes on where the caller, which is about to sleep, has just been.
  void MoveHere();

 private:
  enum State : int { kIdle, kWorking, kBeingMoved, kMoved };
  void Return();  // to where it was

  pid_t id_ = 0;
  clockid_t clock_ = 0;
  std::atomic<int> state_{kIdle};
  cpu_set_t processors_;  // before it was moved
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SCHEDULER_H_
