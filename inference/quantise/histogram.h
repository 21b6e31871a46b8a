// Counts the magnitudes of a tensor's numbers, and chooses the scale of 8-bit integers for them.
#ifndef COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_
#define COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_

#include <cstdint>
#include <vector>

#include "layers/plan/quantise.h"

namespace cotangent::inference {

// Counts how often each magnitude occurs. The caller passes all numbers twice: first to Measure(),
// which finds their range, then to Count(), which fills the bins.
class Histogram {
 public:
  void Measure(const float* numbers, int64_t count);
  void Count(const float* numbers, int64_t count);

  struct Choice {
    layers::TensorScale scale;
    double error = 0;  // root mean square of the error / that of the numbers
  };
  // Returns the scale whose rounding has the least mean square error or, if `percentile` is not 0,
  // the one that covers this percentage of the nonzero numbers (CalibrationOptions::percentile in
  // quantise.h). If all numbers are zero, the scale is 1 / 255 and the error 0.
  Choice Choose(double percentile) const;

 private:
  static constexpr int kBins = 2048;
  // Estimates the sum of squared errors if the integers up to `steps` stand for magnitudes up to
  // `limit`, and larger magnitudes are clamped.
  double ErrorAt(double limit, double steps) const;

  double least_ = 0, largest_ = 0;  // least_: the smallest number; largest_: the largest magnitude
  std::vector<int64_t> bins_;       // counts of nonzero magnitudes, up to largest_
  double squares_ = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_
