// Finds out which layers of a sequence read which other layers, and in what order to compute the
// layers.
#ifndef COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_
#define COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

using Layers = google::protobuf::RepeatedPtrField<Layer>;

// Returns the name of the layer's kind, such as "max_pool"; empty if the layer has no kind.
std::string KindName(const Layer& layer);

// Returns the names of the layers. A layer without a name is named by its kind ("layer" if it has
// none) and a number, from 1, that counts the unnamed layers of that kind, such as "max_pool2";
// numbers whose name is taken are skipped. Returns an error if a name is empty, has other
// characters than letters, digits, '_' and '-', is "input", or is given twice.
absl::StatusOr<std::vector<std::string>> NamesOf(const Layers& layers);

// For each layer i, the positions (from 0) in the sequence of the layers whose results it reads; -1
// stands for the input of the sequence.
using Connections = std::vector<std::vector<int>>;
// Returns for each layer what it reads: the layers that it names as inputs; or if it names none,
// the layer before it (if it is the first layer, the input of the sequence). Returns an error if an
// input names no layer, or if nothing reads the result of a layer other than the last.
absl::StatusOr<Connections> Connect(const Layers& layers, const std::vector<std::string>& names);

// Returns an order of the layers' positions in which every layer comes after those that it reads.
// Where possible, it is the order in which the network text (the .textproto file that describes a
// network) lists the layers. Returns an error if layers read each other in a cycle.
absl::StatusOr<std::vector<int>> EvaluationOrder(const Layers& layers,
                                                 const std::vector<std::string>& names,
                                                 const Connections& reads);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_
