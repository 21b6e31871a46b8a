// From a network text to the graph of its operations.
#ifndef COTANGENT_LAYERS_NETWORK_BUILD_H_
#define COTANGENT_LAYERS_NETWORK_BUILD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "layers/graph/graph.h"
#include "layers/network/initialize.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Limits on what a text may ask for, checked before anything of that size is made.
inline constexpr int64_t kMostLayers = 10'000;
inline constexpr int64_t kMostParameters = int64_t{1} << 30;  // of the whole network
inline constexpr int64_t kMostElements = int64_t{1} << 32;    // of one tensor, the batch counted
inline constexpr int64_t kMostActivations = int64_t{1}
                                            << 36;  // of all layers' results, the batch counted
inline constexpr int64_t kLargestBatch = int64_t{1} << 20;
inline constexpr int64_t kMostChannels = int64_t{1} << 24;  // or features, or classes
inline constexpr int64_t kLargestExtent =
    int64_t{1} << 14;  // of an image, kernel, stride, dilation or padding

struct BuildOptions {
  int64_t batch_size = 128;
  // Whether batch normalisation uses and updates the statistics of the batch, and dropout drops.
  bool training = true;
  // Whether labels are an input and the loss is computed.
  bool with_loss = true;
  // The data set's number of classes, for a text that does not say.
  int64_t classes = 10;
};

// What is kept between steps but not learnt.
struct StateSpec {
  std::string name;  // "bn1.running_mean"
  Shape shape;
  double initial_value = 0;
  TensorId tensor = kNoTensor;
};

// A layer as `train --describe` lists it.
struct LayerRow {
  std::string name;           // "layer1.0.conv1"
  std::string kind;           // "convolution", "relu"
  Shape output;               // the batch counted
  int64_t parameters = 0;     // numbers learnt or frozen
  int64_t multiply_adds = 0;  // of one image, forward, of convolutions and linear layers
};

struct BuiltNetwork {
  Graph graph;
  TensorId images = kNoTensor;      // [N, C, H, W]
  TensorId labels = kNoTensor;      // [N], with the loss
  TensorId prediction = kNoTensor;  // [N, classes]
  TensorId loss = kNoTensor;        // []
  int64_t classes = 0;
  std::vector<ParameterSpec> parameters;  // in the order of the layers
  std::vector<StateSpec> states;
  std::vector<LayerRow> layers;
};

// The graph of a network that ParseNetwork() read. Every error is an InvalidArgument and names the
// place in the text, the layer, what was found and what was expected: sizes that are negative, zero
// or absurd, shapes that do not fit, a kernel larger than its input, an input that names nothing, a
// cycle, two layers of one name, a result nobody reads, a formula with an error, a recipe that
// makes no sense.
absl::StatusOr<BuiltNetwork> Build(const Network& network, const BuildOptions& options);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILD_H_
