// The magnitudes of a tensor's numbers, counted, and the integers that suit them best.
#ifndef COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_
#define COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_

#include <cstdint>
#include <vector>

#include "layers/plan/quantise.h"

namespace cotangent::inference {

// Shown all numbers twice: first Measure(), for their range, then Count().
class Histogram {
 public:
  void Measure(const float* numbers, int64_t count);
  void Count(const float* numbers, int64_t count);

  struct Choice {
    layers::TensorScale scale;
    double error = 0;  // root mean square of the error over that of the numbers
  };
  // percentile as in CalibrationOptions. A tensor of zeros gets a scale of 1 / 255.
  Choice Choose(double percentile) const;

 private:
  static constexpr int kBins = 2048;
  // Mean square error, summed over all numbers, where integers reach to `limit`.
  double ErrorAt(double limit, double steps) const;

  double least_ = 0, largest_ = 0;  // magnitude
  std::vector<int64_t> bins_;       // of magnitudes above 0 to largest_
  double squares_ = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_QUANTISE_HISTOGRAM_H_
