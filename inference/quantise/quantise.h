// Quantisation: makes a trained network compute with 8-bit integers.
//
// First batch normalisation is folded into the convolutions (layers/plan/fold.h). Weights get a
// scale (the number that the integer 1 stands for) for each output channel, from their largest
// magnitude. Activations get a scale for each tensor, which calibration finds by running the
// network on pictures; they become unsigned integers if a tensor is never negative, else signed
// ones. A layer whose input and weights would be rounded with a large error keeps computing with
// real numbers.
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
  int64_t images = 512;  // number of pictures used, evenly spaced over the data set
  int threads = 1;
  // The percentage of a tensor's nonzero numbers whose magnitudes the 8-bit integers cover; larger
  // magnitudes are clamped. 0: the range is chosen that minimises the mean square error.
  double percentile = 0;
  // Layers with a larger error (QuantisedLayerReport::error()) are not quantised.
  double most_error = 0.1;
  std::vector<std::string> keep;  // globs: names of layers that are not quantised
};

// The rounding errors that calibration measured for a layer, and whether the layer is quantised.
struct QuantisedLayerReport {
  std::string layer;
  // Root mean square of the rounding error, divided by that of the numbers themselves: for the
  // layer's input, weights and output.
  double in_error = 0, weight_error = 0, out_error = 0;
  std::string kept;  // why the layer is not quantised; empty if it is

  // Estimates the relative error of the layer's result from those of its input and weights, which
  // are independent: the root of the sum of their squares.
  double error() const;
};

struct Calibration {
  layers::Quantisation quantisation;
  std::vector<QuantisedLayerReport>
      layers;  // all convolutions and linear layers that could be quantised, in the network's order
};

// Chooses scales from what the network computes for pictures of `dataset`. Errors: InvalidArgument
// if the data set has no pictures or another shape than the network's input, or if the network has
// no layer that can be quantised; NotFound if a glob of options.keep fits no layer.
absl::StatusOr<Calibration> Calibrate(const training::TrainedNetwork& trained,
                                      const data::Dataset& dataset,
                                      const CalibrationOptions& options, layers::Tuner& tuner);

// Excludes from quantisation the layers with the largest errors: a quarter of those that are still
// quantised, but at least one. Returns false if no quantised layer is left.
bool KeepMore(Calibration& calibration);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_QUANTISE_QUANTISE_H_
