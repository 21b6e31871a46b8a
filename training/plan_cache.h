// Keeps the measured times of convolution algorithms in a file, so that later runs on the same
// machine need not measure again.
#ifndef COTANGENT_TRAINING_PLAN_CACHE_H_
#define COTANGENT_TRAINING_PLAN_CACHE_H_

#include <string>

#include "layers/plan/tuner.h"

namespace cotangent::training {

// Returns $XDG_CACHE_HOME/cotangent/plan-cache if that variable is an absolute path, else
// ~/.cache/cotangent/plan-cache.
std::string PlanCachePath();

// Holds a layers::Tuner, which chooses convolution algorithms by measuring them, and lets it begin
// with the times in the cache file. If the file is missing or damaged, the times are measured
// again.
class CachedTuner {
 public:
  // `watch` has callbacks that tell how measuring goes on. If a candidate (an algorithm that is
  // being timed) exceeds its time limit, the measurements are saved before watch.stuck is called.
  explicit CachedTuner(int threads, layers::TunerWatch watch = {});
  ~CachedTuner() { Save(); }
  CachedTuner(const CachedTuner&) = delete;
  CachedTuner& operator=(const CachedTuner&) = delete;
  // Writes new measurements, if there are any, back to the cache file; the destructor does so too.
  // A file that cannot be written is not an error: the next run measures again.
  void Save();
  layers::Tuner& operator*() { return tuner_; }
  layers::Tuner* get() { return &tuner_; }

 private:
  layers::Tuner tuner_;
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PLAN_CACHE_H_
