// Tells how much of the processors other programs leave to this process's threads
// (base/parallel.h), so that threads know how to wait for each other.
#ifndef COTANGENT_BASE_DISTURBANCE_H_
#define COTANGENT_BASE_DISTURBANCE_H_

#include <atomic>
#include <chrono>
#include <mutex>

#include "base/load.h"

namespace cotangent {

enum class Disturbance {
  kNone,     // other programs leave a processor for each thread (or nearly)
  kSome,     // they leave less, but a thread that is waited for most likely runs
  kCrowded,  // they compete for nearly every processor, or a quota limits processor time
};

// Returns how disturbed `threads` threads are that share `left` processors, those that other
// programs do not use; 0.5 means half of a processor's time.
Disturbance DisturbanceOf(double left, int threads);

// Returns how many of `threads` threads, at least 1, have nearly half of a processor or more then:
// all of them if they are not disturbed.
int ThreadsThatFit(double left, int threads);

// Asks the system, now and then, how much processor time other programs use.
//
// The time that our threads wait to be scheduled (proc_pid_schedstat(5)) does not show whether
// other programs compete: threads that sleep and wake also delay each other, when the kernel wakes
// one on the other's processor.
class DisturbanceWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DisturbanceWatch(int threads);

  // Returns kCrowded if there are fewer processors than threads, or if a quota (base/cpu_quota.h)
  // grants less processor time than the threads would take. Otherwise checks how much other
  // programs use, if 0.1 s has passed since the last check, and returns how disturbed the threads
  // were at the last check. Any thread may call this at any time. Threads call it before they wait,
  // so it is cheap.
  Disturbance Lately(Clock::time_point now);
  // Checks as Lately() does, and returns ThreadsThatFit() for the processors that were left at the
  // last check. Where Lately() checks nothing, since there are fewer processors than threads or a
  // quota grants too little, these processors, or those whose time the quota grants, count as left.
  int ThreadsThatFitLately(Clock::time_point now);

 private:
  void CheckIfDue(Clock::time_point now);
  void Ask();

  std::mutex mutex_;  // guards load_
  OtherLoad load_;
  const int threads_;
  const double most_;  // processors, or the quota if that is less
  std::atomic<Clock::rep> due_{0};
  std::atomic<double> left_;  // processors at the last check
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_DISTURBANCE_H_
