#include "training/progress.h"

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cotangent::training {
namespace {

constexpr int kBarCells = 20;
constexpr std::chrono::milliseconds kRedrawEvery(100);

std::string Duration(double seconds) {
  const int64_t whole =
      std::isfinite(seconds) ? static_cast<int64_t>(std::clamp(seconds + 0.5, 0.0, 1e9)) : 0;
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

// "0.1234", or "none" where no step counts.
std::string Loss(double loss) {
  return std::isfinite(loss) ? absl::StrFormat("%.4f", loss) : "none";
}

}  // namespace

Progress::Progress(double epochs, int64_t steps_per_epoch, int64_t total_steps)
    : epochs_(epochs),
      steps_per_epoch_(steps_per_epoch),
      total_steps_(total_steps),
      is_terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::Clear() {
  if (line_is_open_) fputs("\r\x1b[K", stderr);
  line_is_open_ = false;
}

void Progress::Say(const std::string& line) {
  Clear();
  fprintf(stderr, "%s\n", line.c_str());
}

void Progress::Update(const Numbers& numbers) {
  if (!is_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_drawn_ < kRedrawEvery) return;
  last_drawn_ = now;
  const int64_t epoch = std::max<int64_t>(numbers.steps - 1, 0) / steps_per_epoch_;
  const int64_t in_epoch = std::min(steps_per_epoch_, total_steps_ - epoch * steps_per_epoch_);
  const double share = static_cast<double>(numbers.steps - epoch * steps_per_epoch_) /
                       static_cast<double>(std::max<int64_t>(in_epoch, 1));
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarCells);
  fprintf(stderr, "\r\x1b[Kepoch %lld/%g [%s%s] loss %s  %.0f images/s  %s left",
          static_cast<long long>(epoch + 1), epochs_, std::string(filled, '=').c_str(),
          std::string(kBarCells - filled, ' ').c_str(), Loss(numbers.loss).c_str(),
          numbers.images_per_second, Duration(numbers.seconds_left).c_str());
  fflush(stderr);
  line_is_open_ = true;
}

void Progress::EndEpoch(const Numbers& numbers, double test_accuracy, double test_loss,
                        double seconds) {
  Clear();
  const int64_t epoch = (numbers.steps + steps_per_epoch_ - 1) / steps_per_epoch_;
  std::string line = absl::StrFormat("epoch %d/%g  loss %s", epoch, epochs_, Loss(numbers.loss));
  if (test_accuracy >= 0)
    absl::StrAppendFormat(&line, "  test accuracy %.4f  test loss %.4f", test_accuracy, test_loss);
  absl::StrAppendFormat(&line, "  %.0f images/s  %s of training  %s left",
                        numbers.images_per_second, Duration(seconds),
                        Duration(numbers.seconds_left));
  fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace cotangent::training
