// The result of building a network text: its graph, and lists of its parameters, states and layers.
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
  // True: batch normalisation uses the statistics of the batch and updates the running ones, and
  // dropout drops values. False: as for inference.
  bool training = true;
  // Whether the graph has labels as an input and computes the loss.
  bool with_loss = true;
  // The number of processes that compute a batch together, each on `batch_size` images.
  int ranks = 1;
  // The data set's number of classes (or labels, or numbers to predict); used if the text does not
  // say how many.
  int64_t classes = 10;
};

// A tensor that is kept between training steps but not learnt.
struct StateSpec {
  std::string name;  // "bn1.running_mean"
  Shape shape;
  double initial_value = 0;
  TensorId tensor = kNoTensor;
};

// A row of the table that `train --describe` prints: a layer.
struct LayerRow {
  std::string name;           // "layer1.0.conv1"
  std::string kind;           // "convolution", "relu"
  Shape output;               // includes the batch axis
  int64_t parameters = 0;     // learnt or frozen numbers
  int64_t multiply_adds = 0;  // per image, forward; convolutions and linear layers only
};

struct BuiltNetwork {
  Graph graph;
  TensorId images = kNoTensor;  // [N, C, H, W]
  // Only with a loss. Usually class numbers, int32 [N]. Targets, f32 [N, classes], if the loss is
  // one of labels or numbers, or if the training mixes images.
  TensorId labels = kNoTensor;
  TensorId prediction = kNoTensor;  // [N, classes]
  TensorId loss = kNoTensor;        // []
  int64_t classes = 0;              // length of a prediction: number of classes, labels or numbers
  std::vector<ParameterSpec> parameters;  // in the order of the layers
  std::vector<StateSpec> states;
  std::vector<LayerRow> layers;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILT_NETWORK_H_
