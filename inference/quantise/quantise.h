// A trained network made to compute with 8-bit integers.
//
// Batch normalisation is folded into the convolutions first (layers/plan/fold.h). Weights get a
// scale for each output channel, from their largest magnitude; activations one for each tensor,
// from pictures that are looked at: u8 where a tensor is never negative, else s8. A layer whose
// input or weights cannot be rounded so without a large error keeps computing with real numbers.
#ifndef COTANGENT_INFERENCE_QUANTISE_QUANTISE_H_
#define COTANGENT_INFERENCE_QUANTISE_QUANTISE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "layers/plan/quantise.h"
#include "layers/plan/tuner.h"
#include "training/trained_network.h"

namespace cotangent::inference {

struct CalibrationOptions {
  int64_t images = 512;  // that are looked at, evenly spaced over the data set
  int threads = 1;
  // What part of a tensor's numbers that are not zero its integers reach to, in percent; 0: as far
  // as makes the mean square of the error least.
  double percentile = 0;
  // Layers with larger errors (QuantisedLayerReport::error) are not quantised.
  double most_error = 0.1;
  std::vector<std::string> keep;  // globs of layers that are not
};

// What was found of a layer.
struct QuantisedLayerReport {
  std::string layer;
  // Root mean square of the rounding error over that of the numbers: of its input, weights, output.
  double in_error = 0, weight_error = 0, out_error = 0;
  std::string kept;  // why it computes with real numbers; empty: it is quantised

  // Of its result, about: the errors of input and weights are independent.
  double error() const;
};

struct Calibration {
  layers::Quantisation quantisation;
  std::vector<QuantisedLayerReport>
      layers;  // all convolutions and linear layers that may be, in order
};

// Looks at what the network computes from pictures of `dataset`, which is of its input's shape.
// Errors: InvalidArgument for a data set without pictures or of another shape, FailedPrecondition
// where the network has nothing to quantise.
absl::StatusOr<Calibration> Calibrate(const training::TrainedNetwork& trained,
                                      const data::Dataset& dataset,
                                      const CalibrationOptions& options, layers::Tuner& tuner);

// Takes the layers with the largest errors, a quarter of those left and at least one, back to real
// numbers. False where none is left.
bool KeepMore(Calibration& calibration);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_QUANTISE_QUANTISE_H_
