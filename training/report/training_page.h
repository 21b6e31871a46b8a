// A run as one page, while it goes on and afterwards: curves, the network, what its first layer
// looks for, how large each layer's gradient is.
#ifndef COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_
#define COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cotangent::training::report {

// What a run wrote into metrics.jsonl: by name ("train_loss", "test_accuracy", ...), the steps at
// which it was written and the values.
struct Curve {
  std::vector<double> steps, values;
};
using Curves = std::map<std::string, Curve>;

// From the lines of metrics.jsonl. A line that is no object (the last one of a run that was killed)
// is passed over; of two values at a step the later line's counts, as a resumed run repeats steps.
Curves ParseMetrics(const std::string& text);

struct LayerLine {
  std::string name = {}, kind = {}, output = {};  // "conv1", "convolution", "32x32x32"
  int64_t parameters = 0, multiply_adds = 0;
  std::vector<std::string> inputs = {};  // names of layers; empty: the line before
};

struct TrainingPage {
  std::string network = {};  // its name
  std::string state = {};    // "step 300 of 3910, epoch 1.5 of 10, 0:03 left", or how it ended
  bool finished = false;
  std::string recipe = {};  // the network's text, as resolved
  Curves curves = {};
  std::vector<LayerLine> layers = {};
  std::string filters_png = {};  // of the first convolution; or ""
  // Of each parameter: its name and the norm of its gradient at the steps that were looked at.
  std::vector<std::pair<std::string, Curve>> gradient_norms = {};
};

// One HTML page that needs nothing but itself. Until the run is finished it reads itself anew every
// ten seconds. All text from outside is escaped.
std::string ToHtml(const TrainingPage& page);

// The network's layers as an SVG: a box each, from top to bottom, arrows where inputs come from
// elsewhere than the line before.
std::string DrawLayers(const std::vector<LayerLine>& layers);

// The kernels of a convolution, `weights` [out, in, height, width], as one picture, RGB [picture
// height, picture width, 3]: a tile a kernel with a border between; three inputs as red, green and
// blue, else the mean over the inputs; each kernel's own range, from its least to its greatest
// weight.
struct Tiles {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};
Tiles DrawFilters(absl::Span<const float> weights, int64_t out, int64_t in, int64_t height,
                  int64_t width);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_TRAINING_PAGE_H_
