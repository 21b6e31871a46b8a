// Which layers of a sequence read which.
#ifndef COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_
#define COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

using Layers = google::protobuf::RepeatedPtrField<Layer>;

// "max_pool"; empty where the layer has no kind.
std::string KindName(const Layer& layer);

// Names of the layers, those without one named by kind and number.
absl::StatusOr<std::vector<std::string>> NamesOf(const Layers& layers);

// The layers that layer i reads, by position; -1 is the input of the sequence.
using Connections = std::vector<std::vector<int>>;
// Errors: an input that names nothing, a result that nobody reads.
absl::StatusOr<Connections> Connect(const Layers& layers, const std::vector<std::string>& names);

// Positions such that every layer comes after those it reads, in the order of the text where that
// allows it. An error where layers read each other in a cycle.
absl::StatusOr<std::vector<int>> EvaluationOrder(const Layers& layers,
                                                 const std::vector<std::string>& names,
                                                 const Connections& reads);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_CONNECTIONS_H_
