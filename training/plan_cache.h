// Keeps the measured times of convolution algorithms in a file, so that later runs on the same
// machine need not measure again.
#ifndef COTANGENT_TRAINING_PLAN_CACHE_H_
#define COTANGENT_TRAINING_PLAN_CACHE_H_

#include <functional>
#include <string>

#include "layers/plan/tuner.h"

namespace cotangent::training {

// Returns $XDG_CACHE_HOME/cotangent/plan-cache, or ~/.cache/cotangent/plan-cache if that variable
// is not set.
std::string PlanCachePath();

// A layers::Tuner (it chooses algorithms by measuring them) that begins with the times of the cache
// file. If the file is missing or damaged, the times are measured again.
class CachedTuner {
 public:
  // While it measures, the tuner says so on standard error, with its progress every ten seconds.
  // `cancelled` is called between measurements; returning true stops them (layers::TunerWatch).
  explicit CachedTuner(int threads, std::function<bool()> cancelled = nullptr);
  // Writes new measurements, if there are any, back to the cache file. A file that cannot be
  // written is not an error: the next run measures again.
  void Save();
  layers::Tuner& operator*() { return tuner_; }
  layers::Tuner* get() { return &tuner_; }

 private:
  layers::Tuner tuner_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PLAN_CACHE_H_
