// A short training run to be disturbed: a small network with all kinds of state (momentum, batch
// statistics, moving average, dropout) on the sample, with a checkpoint every few steps.
#ifndef COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
#define COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_

#include <cstdint>
#include <map>
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

  // Trains to the end, in at most so many seconds.
  Outcome RunToEnd(const std::vector<std::string>& more = {}, double patience = kPatience) const {
    return RunProgram(program(), Arguments(more), Options(), patience);
  }
  // The checkpoints there are, oldest first: names.
  std::vector<std::string> Checkpoints() const;
  // Of the newest; -1 where there is none.
  int64_t NewestStep() const;
  std::string LastCheckpoint() const { return output() + "/" + Checkpoints().back(); }
  // The steps of the lines of steps of metrics.jsonl, in their order.
  std::vector<int64_t> LoggedSteps() const;

 private:
  const int64_t steps_;
  const std::string directory_, cache_;
};

// The bytes of all tensors of a checkpoint (parameters, statistics, optimizer state, averages) by
// name; none, and the test fails, where it is not whole.
std::map<std::string, std::string> TensorsOf(const std::string& path);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_FAULTS_TRAINING_RUN_H_
