// A short training run to be disturbed: a small network with all kinds of state (momentum, batch
// statistics, moving average, dropout) on the sample, with a checkpoint every few steps.
#ifndef COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
#define COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/process/process.h"

namespace cotangent::tests {

inline constexpr int64_t kCheckpointEvery = 3;
inline constexpr double kPatience = 240;  // seconds

class TrainingRun {
 public:
  // Runs that are to be compared take the measured times of convolutions, and with them the choice
  // of their implementations, from one place: `like`, where it is given, the run whose bits are
  // expected.
  explicit TrainingRun(int64_t steps, const TrainingRun* like = nullptr);

  const std::string& directory() const { return directory_; }
  std::string output() const { return directory_ + "/out"; }
  // The program's path and its arguments, `more` at their end.
  std::string program() const { return Runfile("tools/train"); }
  std::vector<std::string> Arguments(const std::vector<std::string>& more = {}) const;
  Process::Options Options() const {
    return {
        .directory = directory_, .environment = {"XDG_CACHE_HOME=" + cache_}, .before_exec = {}};
  }

  // Trains to the end.
  Outcome RunToEnd(const std::vector<std::string>& more = {}) const {
    return RunProgram(program(), Arguments(more), Options(), kPatience);
  }
  // The checkpoints there are, oldest first: names.
  std::vector<std::string> Checkpoints() const;
  // Of the newest; -1 where there is none.
  int64_t NewestStep() const;
  std::string LastCheckpoint() const { return output() + "/" + Checkpoints().back(); }

 private:
  const int64_t steps_;
  const std::string directory_, cache_;
};

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
