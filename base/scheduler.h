// Calls of the Linux scheduler that base/parallel.cc needs: they put threads to sleep and wake
// them, and choose the processors that a thread runs on. If the kernel refuses a request, the
// functions do nothing and report no error.
#ifndef COTANGENT_BASE_SCHEDULER_H_
#define COTANGENT_BASE_SCHEDULER_H_

#include <sched.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace cotangent {

// Puts the calling thread to sleep until WakeSleepers() is called on the same word or, with
// `at_most` (less than 1 s), until this time has passed. Returns at once if the value of `word` is
// not `expected`. May return early (futex(2)).
void SleepOn(std::atomic<uint32_t>& word, uint32_t expected);
void SleepOn(std::atomic<uint32_t>& word, uint32_t expected, std::chrono::nanoseconds at_most);
// Wakes up to `most` threads that sleep on `word`.
void WakeSleepers(std::atomic<uint32_t>& word, int most);

// Returns the processors that the calling thread may run on; an empty set if the kernel refuses to
// tell.
cpu_set_t Processors();
// Restricts the calling thread to `processors`; does nothing if the set is empty.
void KeepTo(const cpu_set_t& processors);
// Returns the processors on which thread number `thread` (from 0) of `threads` should run: one of
// `processors` or, if there are more processors than threads, all of them.
cpu_set_t ProcessorOf(int thread, int threads, const cpu_set_t& processors);

// A thread that other threads wait for. If the system has suspended this thread, a waiting thread
// can move it to the processor that the waiting thread runs on, where this thread can continue at
// once.
class ScheduledThread {
 public:
  // Only the thread itself calls these three functions. Enter() comes first; Begin() and End()
  // enclose work that other threads wait for.
  void Enter();
  void Begin() { state_.store(kWorking, std::memory_order_relaxed); }
  void End() {
    int state = kWorking;
    if (!state_.compare_exchange_strong(state, kIdle)) Return();
  }

  // Other threads call the functions from here on. IsWorking() returns whether the thread is
  // between Begin() and End() and has not been moved since Begin().
  bool IsWorking() const { return state_.load(std::memory_order_relaxed) == kWorking; }
  // Returns the processor time that the thread has used, in nanoseconds. If two calls return the
  // same number, the thread has not run between them.
  int64_t TimeRun() const;
  // If IsWorking(), moves the thread to the caller's processor until its End(). The caller should
  // be about to sleep.
  void MoveHere();

 private:
  enum State : int { kIdle, kWorking, kBeingMoved, kMoved };
  void Return();  // moves the thread back to the processors it had before MoveHere()

  pid_t id_ = 0;
  clockid_t clock_ = 0;
  std::atomic<int> state_{kIdle};
  cpu_set_t processors_;  // the processors that the thread had before it was moved
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SCHEDULER_H_
