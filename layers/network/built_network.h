// The result of building a network text (the .textproto file that describes a network,
// network.proto): its graph, and lists of its parameters, states and layers.
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
  // True: batch normalisation uses the statistics of the batch and updates the running statistics,
  // and dropout drops values. False: the network is built for inference.
  bool training = true;
  // Whether the graph has labels as an input and computes the loss.
  bool with_loss = true;
  // The number of processes that compute a batch together, each on `batch_size` images.
  int ranks = 1;
  // The data set's number of classes (or of labels, or of numbers to predict); used if the text
  // does not give the number.
  int64_t classes = 10;
};

// A tensor that is kept between training steps but not learnt.
struct StateSpec {
  std::string name;  // "bn1.running_mean"
  Shape shape;
  double initial_value = 0;
  TensorId tensor = kNoTensor;
};

// A layer, as a row of the table that `train --describe` prints.
struct LayerRow {
  std::string name;           // "layer1.0.conv1"
  std::string kind;           // "convolution", "relu"
  Shape output;               // includes the batch axis
  int64_t parameters = 0;     // learnt or frozen numbers
  int64_t multiply_adds = 0;  // per image, forward; of matrix products only
};

struct BuiltNetwork {
  Graph graph;
  TensorId images = kNoTensor;  // [N, C, H, W]
  // kNoTensor without a loss. Usually class numbers, int32 [N]. Targets, f32 [N, classes], if the
  // loss compares with several labels or numbers per image, or if the network is built for training
  // that mixes images.
  TensorId labels = kNoTensor;
  TensorId prediction = kNoTensor;  // [N, classes]
  TensorId loss = kNoTensor;        // a scalar []; kNoTensor without a loss
  int64_t classes = 0;              // length of a prediction: number of classes, labels or numbers
  std::vector<ParameterSpec> parameters;  // in the order of the layers
  std::vector<StateSpec> states;
  std::vector<LayerRow> layers;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_BUILT_NETWORK_H_
