// A short run of the program `train` for tests that disturb it. A small network is trained on the
// built-in data set "sample", and a checkpoint is written every kCheckpointEvery steps. The
// training has every kind of state that a checkpoint must hold: the momentum of the optimizer, the
// running statistics of batch norm, a moving average of the weights, and the position in the random
// numbers of dropout and augmentation.
#ifndef COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
#define COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/process/process.h"

namespace cotangent::tests {

inline constexpr int64_t kCheckpointEvery = 3;  // training steps
inline constexpr double kPatience = 240;        // seconds

// A directory with a network text (the .textproto file that describes a network), and the command
// line of a run that trains this network in that directory.
class TrainingRun {
 public:
  // If `like` is given, this run uses the same cache of measured convolution times, and so chooses
  // the same implementations: only then can the two runs be compared bit for bit.
  explicit TrainingRun(int64_t steps, const TrainingRun* like = nullptr);

  const std::string& directory() const { return directory_; }
  std::string output() const { return directory_ + "/out"; }
  // program() returns the path of `train`, Arguments() the arguments of this run followed by
  // `more`.
  std::string program() const { return Runfile("tools/train"); }
  std::vector<std::string> Arguments(const std::vector<std::string>& more = {}) const;
  Process::Options Options() const {
    return {
        .directory = directory_, .environment = {"XDG_CACHE_HOME=" + cache_}, .before_exec = {}};
  }

  // Trains to the end, for at most `patience` seconds.
  Outcome RunToEnd(const std::vector<std::string>& more = {}, double patience = kPatience) const {
    return RunProgram(program(), Arguments(more), Options(), patience);
  }
  // Returns the file names of the existing checkpoints, oldest first.
  std::vector<std::string> Checkpoints() const;
  // Returns the step of the newest checkpoint, or -1 if there is none.
  int64_t NewestStep() const;
  std::string LastCheckpoint() const { return output() + "/" + Checkpoints().back(); }
  // Returns the training steps that metrics.jsonl has lines for (not evaluations), in their order
  // in the file.
  std::vector<int64_t> LoggedSteps() const;

 private:
  const int64_t steps_;
  const std::string directory_, cache_;
};

// Returns the bytes of all tensors of a checkpoint (parameters, running statistics, optimizer
// state, moving averages of the weights) by name. If the checkpoint is damaged, the test fails and
// the result is empty.
std::map<std::string, std::string> TensorsOf(const std::string& path);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
