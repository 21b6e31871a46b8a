// The networks that come with the program: the texts of layers/zoo.
#ifndef COTANGENT_LAYERS_ZOO_ZOO_H_
#define COTANGENT_LAYERS_ZOO_ZOO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// "cifar94", "convnet", ..., sorted.
std::vector<std::string> ZooNames();

// The text of a zoo network, or an error with the nearest name.
absl::StatusOr<std::string> ZooText(absl::string_view name);

// The network of the zoo of that name or, where the name has a '/' or a '.', the one in that file,
// relative to `directory` unless it is empty. Errors: no such network (with the nearest name), a
// file that cannot be read, and those of ParseNetwork() (network_text.h).
absl::StatusOr<Network> FindNetwork(absl::string_view name_or_path,
                                    absl::string_view directory = "");

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_ZOO_ZOO_H_
