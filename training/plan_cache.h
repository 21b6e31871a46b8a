// Keeps the measured times of convolution algorithms in a file, so that later runs on the same
// machine need not measure again.
#ifndef COTANGENT_TRAINING_PLAN_CACHE_H_
#define COTANGENT_TRAINING_PLAN_CACHE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "layers/plan/tuner.h"

namespace cotangent::training {

// Returns $XDG_CACHE_HOME/cotangent/plan-cache if that variable is an absolute path, else
// ~/.cache/cotangent/plan-cache.
std::string PlanCachePath();

// Returns the path of the shared times (layers/plan/tuner.h) that belong to a network text or a
// checkpoint: `path` with the extension .times.
std::string SharedTimesPath(absl::string_view path);

// Adds to the file `path` of shared times, or makes it with, the times of all convolutions that the
// tuner was asked for. Returns an error if the file is another kind of file or cannot be written.
absl::Status SaveSharedTimes(const std::string& path, const layers::Tuner& tuner);

// Holds a layers::Tuner, which chooses convolution algorithms by measuring them, and lets it begin
// with the times in the cache file. If the file is missing or damaged, the times are measured
// again, but for those that come with the networks of the zoo, and with the network in use.
class CachedTuner {
 public:
  // `watch` has callbacks that tell how measuring goes on. If a candidate (an algorithm that is
  // being timed) exceeds its time limit, the measurements are saved before watch.stuck is called.
  // `network` is the path of a network text or a checkpoint, beside which shared times may lie
  // (SharedTimesPath()), or a name without '/' and '.', which has none.
  explicit CachedTuner(int threads, layers::TunerWatch watch = {}, absl::string_view network = "");
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
