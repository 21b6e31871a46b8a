// A timer that reports when some work does not end in time.
#ifndef COTANGENT_LAYERS_PLAN_WATCHDOG_H_
#define COTANGENT_LAYERS_PLAN_WATCHDOG_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace cotangent::layers {

// Starts a thread on construction, which waits `most` ticks of the length `tick` and then calls
// `late`, once. The destructor stops the thread; if that happens earlier, `late` is not called. The
// watchdog counts ticks instead of comparing clock times, so a process that was suspended meanwhile
// is not reported as late.
//
//   { Watchdog watchdog(120, std::chrono::seconds(1), [] { ... }); Run(); }
class Watchdog {
 public:
  Watchdog(int most, std::chrono::milliseconds tick, std::function<void()> late)
      : thread_([this, most, tick, late = std::move(late)] {
          std::unique_lock lock(mutex_);
          for (int i = 0; i < most; ++i) {
            if (ended_.wait_for(lock, tick, [this] { return over_; })) return;
          }
          late();
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;  // last, because it uses the other members
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_WATCHDOG_H_
