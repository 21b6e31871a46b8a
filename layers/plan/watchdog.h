// Notices that something does not come back.
#ifndef COTANGENT_LAYERS_PLAN_WATCHDOG_H_
#define COTANGENT_LAYERS_PLAN_WATCHDOG_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace cotangent::layers {

// While it exists it counts; after `most` ticks it calls `late`, once, on a thread of its own. Ticks,
// not the time of day: a process that was stopped meanwhile is not late.
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
  std::thread thread_;  // last: it uses the others
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_WATCHDOG_H_
