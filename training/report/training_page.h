// Shows a training run, during it and afterwards, as one HTML page: curves, the network, the
// filters of its first layer, and the norms of the gradients.
#ifndef COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_
#define COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cotangent::training::report {

// A curve holds the values of one key of metrics.jsonl and the steps at which they were written.
// Curves maps the keys ("train_loss", "test_accuracy", ...) to their curves.
struct Curve {
  std::vector<double> steps, values;
};
using Curves = std::map<std::string, Curve>;

// Collects the curves of the lines of metrics.jsonl. Lines that are not a JSON object with a number
// "step", such as an incomplete last one, are skipped. If two lines of the same step have the same
// key, the later line's value counts: a resumed run repeats steps.
Curves ParseMetrics(const std::string& text);

// A line of the table of layers.
struct LayerLine {
  std::string name = {}, kind = {}, output = {};  // "conv1", "convolution", "32x32x32"
  int64_t parameters = 0, multiply_adds = 0;
  std::vector<std::string> inputs = {};  // layers that feed this one; empty: the layer before
};

struct TrainingPage {
  std::string network = {};  // the network's name
  std::string state = {};    // "step 300 of 3910, epoch 1.5 of 10, ...", or how the run ended
  bool finished = false;
  std::string recipe = {};  // network and training as text, with normalisation and class weights
  Curves curves = {};
  std::vector<LayerLine> layers = {};
  std::string filters_png = {};  // the filters of the first convolution as PNG, or ""
  // For each parameter its name and the norm of its gradient at the logged steps.
  std::vector<std::pair<std::string, Curve>> gradient_norms = {};
};

// Returns a self-contained HTML page. Until the run is finished, browsers reload it every ten
// seconds. Names and texts are escaped.
std::string ToHtml(const TrainingPage& page);

// Draws the layers as SVG, one box for each from top to bottom. Arrows connect each layer with the
// layers that feed it; those that skip layers pass the boxes on the right.
std::string DrawLayers(const std::vector<LayerLine>& layers);

// Draws the kernels of a convolution, `weights` [out, in, height, width], as an RGB picture
// [picture height, picture width, 3] with one tile for each of at most 256 kernels and a border
// between tiles. With three inputs these are red, green and blue; else the mean over the inputs is
// drawn in grey. Each kernel is scaled to its own range, from its smallest to its largest weight.
struct Tiles {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};
Tiles DrawFilters(absl::Span<const float> weights, int64_t out, int64_t in, int64_t height,
                  int64_t width);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_
