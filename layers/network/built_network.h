// What a network text is turned into.
#ifndef COTANGENT_LAYERS_NETWORK_BUILT_NETWORK_H_
#define COTANGENT_LAYERS_NETWORK_BUILT_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/network/initialize.h"

namespace cotangent::layers {

struct BuildOptions {
  int64_t batch_size = 128;
  // Whether batch normalisation uses and updates the statistics of the batch, and dropout drops.
  bool training = true;
  // Whether labels are an input and the loss is computed.
  bool with_loss = true;
  // Processes that compute a batch together, `batch_size` images each.
  int ranks = 1;
  // The data set's number of classes (labels, numbers), for a text that does not say.
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
  TensorId images = kNoTensor;  // [N, C, H, W]
  // With the loss: class numbers int32 [N]; or targets f32 [N, classes], where the loss is of labels
  // or numbers, or, while training, images are mixed.
  TensorId labels = kNoTensor;
  TensorId prediction = kNoTensor;  // [N, classes]
  TensorId loss = kNoTensor;        // []
  int64_t classes = 0;              // or labels, or numbers: what the network says of an image
  std::vector<ParameterSpec> parameters;  // in the order of the layers
  std::vector<StateSpec> states;
  std::vector<LayerRow> layers;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILT_NETWORK_H_
