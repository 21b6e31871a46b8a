// The times of convolutions measured on this machine, kept between runs.
#ifndef COTANGENT_TRAINING_PLAN_CACHE_H_
#define COTANGENT_TRAINING_PLAN_CACHE_H_

#include <functional>
#include <string>

#include "layers/plan/tuner.h"

namespace cotangent::training {

// $XDG_CACHE_HOME/cotangent/plan-cache, else ~/.cache/cotangent/plan-cache.
std::string PlanCachePath();

// A tuner that begins with what the cache file holds. A file that is missing or damaged costs
// measurements, no more.
class CachedTuner {
 public:
  // Where it has to measure it says so on standard error, and every ten seconds how far it is.
  // `cancelled`: see layers::TunerWatch.
  explicit CachedTuner(int threads, std::function<bool()> cancelled = nullptr);
  // Writes what was measured since then back, if anything; a cache that cannot be written is not an
  // error.
  void Save();
  layers::Tuner& operator*() { return tuner_; }
  layers::Tuner* get() { return &tuner_; }

 private:
  layers::Tuner tuner_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PLAN_CACHE_H_
