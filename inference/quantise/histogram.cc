#include "inference/quantise/histogram.h"

#include <algorithm>
#include <cmath>

namespace cotangent::inference {
namespace {

// The largest magnitudes of the 8-bit integers used: unsigned, and signed (-128 is not used).
constexpr double kUnsignedSteps = 255, kSignedSteps = 127;
// Choose() tries limits (larger magnitudes are clamped to the limit): the fractions i / kLimits of
// the largest magnitude, for i from kSmallestLimit to kLimits.
constexpr int kLimits = 200, kSmallestLimit = 10;

}  // namespace

void Histogram::Measure(const float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    least_ = std::min<double>(least_, numbers[i]);
    largest_ = std::max<double>(largest_, std::fabs(numbers[i]));
  }
}

void Histogram::Count(const float* numbers, int64_t count) {
  bins_.resize(kBins);
  if (largest_ == 0) return;
  const double factor = kBins / largest_;
  for (int64_t i = 0; i < count; ++i) {
    const double magnitude = std::fabs(numbers[i]);
    if (magnitude == 0) continue;
    ++bins_[std::min(kBins - 1, static_cast<int>(magnitude * factor))];
    squares_ += magnitude * magnitude;
  }
}

// A unit is the distance between the numbers that neighbouring integers stand for. Rounding a
// number within the limit has an error of up to half a unit, assumed to be uniformly distributed. A
// number beyond the limit is clamped, so its error is its distance from the limit. All numbers of a
// bin count as the middle of the bin, which is narrower than a unit if the limit is above an eighth
// of the largest magnitude.
double Histogram::ErrorAt(double limit, double steps) const {
  const double unit = limit / steps, width = largest_ / kBins;
  double error = 0;
  for (int i = 0; i < kBins; ++i) {
    if (bins_[i] == 0) continue;
    const double magnitude = (i + 0.5) * width;
    const double beyond = std::max(0.0, magnitude - limit);
    // Magnitudes below half a unit are rounded to zero.
    const double off = magnitude < unit / 2 ? magnitude * magnitude : unit * unit / 12;
    error += static_cast<double>(bins_[i]) * (beyond > 0 ? beyond * beyond : off);
  }
  return error;
}

Histogram::Choice Histogram::Choose(double percentile) const {
  const bool is_signed = least_ < 0;
  const double steps = is_signed ? kSignedSteps : kUnsignedSteps;
  if (largest_ == 0 || bins_.empty()) return {{1.0f / 255, is_signed}, 0};
  double limit = largest_;
  if (percentile > 0) {
    int64_t total = 0, below = 0;
    for (const int64_t bin : bins_) total += bin;
    int i = 0;
    while (i < kBins && static_cast<double>(below) < percentile / 100 * static_cast<double>(total))
      below += bins_[i++];
    limit = largest_ * std::max(i, 1) / kBins;
  } else {
    double least = ErrorAt(largest_, steps);
    for (int i = kSmallestLimit; i < kLimits; ++i) {
      const double tried = largest_ * i / kLimits, error = ErrorAt(tried, steps);
      if (error < least) least = error, limit = tried;
    }
  }
  return {{static_cast<float>(limit / steps), is_signed},
          std::sqrt(ErrorAt(limit, steps) / squares_)};
}

}  // namespace cotangent::inference
