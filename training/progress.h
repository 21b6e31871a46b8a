// What a person sees while a network is trained: on a terminal one live line an epoch, elsewhere
// one plain line an epoch.
#ifndef COTANGENT_TRAINING_PROGRESS_H_
#define COTANGENT_TRAINING_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace cotangent::training {

class Progress {
 public:
  // epochs: of the whole run, may be fractional.
  Progress(double epochs, int64_t steps_per_epoch, int64_t total_steps);

  struct Numbers {
    int64_t steps = 0;  // made in all
    double loss = 0;    // mean over the epoch so far
    double learning_rate = 0;
    double images_per_second = 0;
    double seconds_left = 0;
  };
  // Redraws the live line, at most ten times a second.
  void Update(const Numbers& numbers);
  // Ends the epoch's line; accuracies below 0 are left out.
  void EndEpoch(const Numbers& numbers, double test_accuracy, double test_loss, double seconds);
  // A line of its own, without harm to the live line.
  void Say(const std::string& line);

 private:
  void Clear();

  const double epochs_;
  const int64_t steps_per_epoch_, total_steps_;
  const bool is_terminal_;
  bool line_is_open_ = false;
  std::chrono::steady_clock::time_point last_drawn_{};
};

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_PROGRESS_H_
