#include "tools/progress.h"

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/command_line.h"

namespace cotangent::tools {
namespace {

constexpr int kBarCells = 20;
constexpr std::chrono::milliseconds kRedrawEvery(100);
// The machine's load is measured every kLookAtLoadEvery. The live line mentions other programs if
// they take at least the share kMuchOtherWork of the processors. It mentions waiting for other
// ranks (processes that train together) if that takes at least the share kMuchWaiting of the time.
constexpr std::chrono::seconds kLookAtLoadEvery(2);
constexpr double kMuchOtherWork = 0.05, kMuchWaiting = 0.01;

std::string Duration(double seconds) {
  const int64_t whole =
      std::isfinite(seconds) ? static_cast<int64_t>(std::clamp(seconds + 0.5, 0.0, 1e9)) : 0;
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

// Returns the loss with four decimals; "none" if it is not finite, as when no step gave a finite
// loss.
std::string Loss(double loss) {
  return std::isfinite(loss) ? absl::StrFormat("%.4f", loss) : "none";
}

}  // namespace

Progress::Progress() : is_terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::Clear() {
  if (line_is_open_) fputs("\r\x1b[K", stderr);
  line_is_open_ = false;
}

void Progress::Say(const std::string& line) {
  Clear();
  tools::Say(line);
}

void Progress::AtStep(const training::RunNumbers& numbers) {
  if (!is_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_drawn_ < kRedrawEvery) return;
  last_drawn_ = now;
  if (now - looked_at_load_ >= kLookAtLoadEvery) {
    looked_at_load_ = now;
    other_load_ = load_.SinceLast();
  }
  const std::string load =
      other_load_ < kMuchOtherWork
          ? ""
          : absl::StrFormat("  other work takes %.0f%% of the processor", 100 * other_load_);
  const std::string waiting =
      numbers.waiting < kMuchWaiting
          ? ""
          : absl::StrFormat("  %.0f%% waiting for other ranks", 100 * numbers.waiting);
  const double epoch = std::ceil(numbers.epoch);  // the number of the current epoch, counted from 1
  const double length = std::min(1.0, numbers.epochs - (epoch - 1));
  const double share = (numbers.epoch - (epoch - 1)) / std::max(length, 1e-9);
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarCells);
  const std::string evaluated =
      numbers.evaluated_on.empty()
          ? ""
          : absl::StrCat("  ", numbers.evaluated_on, " loss ", Loss(numbers.evaluated_loss));
  fprintf(stderr, "\r\x1b[Kepoch %.0f/%g [%s%s] loss %s%s  %.0f images/s  %s left%s%s", epoch,
          numbers.epochs, std::string(filled, '=').c_str(),
          std::string(kBarCells - filled, ' ').c_str(), Loss(numbers.loss).c_str(),
          evaluated.c_str(), numbers.images_per_second, Duration(numbers.seconds_left).c_str(),
          waiting.c_str(), load.c_str());
  fflush(stderr);
  line_is_open_ = true;
}

void Progress::AtEpochEnd(const training::RunNumbers& numbers, const training::RunResult* result) {
  Clear();
  std::string line = absl::StrFormat("epoch %.0f/%g  loss %s", std::ceil(numbers.epoch),
                                     numbers.epochs, Loss(numbers.loss));
  if (result != nullptr)
    absl::StrAppendFormat(&line, "  %s %s %.4f  %s loss %.4f", result->evaluated_on,
                          result->measure.name, result->score, result->evaluated_on, result->loss);
  absl::StrAppendFormat(&line, "  %.0f images/s  %s of training  %s left",
                        numbers.images_per_second, Duration(numbers.train_seconds),
                        Duration(numbers.seconds_left));
  tools::Say(line);
}

}  // namespace cotangent::tools
