// The zoo: the networks that come with the program. Their network texts are the files *.textproto
// of layers/zoo.
#ifndef COTANGENT_LAYERS_ZOO_ZOO_H_
#define COTANGENT_LAYERS_ZOO_ZOO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// Returns the names of all networks of layers/zoo ("cifar94", "convnet", ...), sorted.
std::vector<std::string> ZooNames();

// Returns the times of convolutions that come with networks of the zoo: texts for
// Tuner::RestoreShared() (layers/plan/tuner.h), the files *.times of layers/zoo.
std::vector<absl::string_view> ZooTimes();

// Returns the network text of this name, or an error that suggests the most similar name, or lists
// all names if none is similar.
absl::StatusOr<std::string> ZooText(absl::string_view name);

// Finds and parses a network. A name that contains '/' or '.' is the path of a text file, relative
// to `directory` unless that is empty or the path begins with '/'; any other name is one of the
// zoo. Returns an error if the zoo has no such network (see ZooText()), if the file cannot be read,
// or if ParseNetwork() (layers/network/network_text.h) rejects its text.
absl::StatusOr<Network> FindNetwork(absl::string_view name_or_path,
                                    absl::string_view directory = "");

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_ZOO_ZOO_H_
