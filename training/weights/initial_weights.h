// Initialises a network with the weights of a file, such as those another network has learnt.
#ifndef COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_
#define COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/plan/parameters.h"
#include "training/weights/weight_file.h"

namespace cotangent::training {

// A tensor called `from` in the file is called `to` in the network. Both may contain one `*`, which
// stands for the same text in both.
struct NameMap {
  std::string from, to;
};
// Parses "FROM=TO". Returns InvalidArgument, naming the flag --map, if the text has another form or
// if only one of FROM and TO contains a `*`.
absl::StatusOr<NameMap> ParseNameMap(absl::string_view text);

// A weight file and how its tensors are renamed.
struct InitialWeights {
  std::string source;  // the file's path, for messages
  WeightFile file;
  std::vector<NameMap> maps;  // the first map that matches a name applies
};
// Reads the file and parses the maps; returns the errors of ReadWeightFile() and ParseNameMap().
absl::StatusOr<InitialWeights> ReadInitialWeights(const std::string& path,
                                                  const std::vector<std::string>& maps);

// Copies into `store` every parameter and statistic (running mean or variance) for which the file
// has a tensor of the same (renamed) name and the same shape; the others keep their values. Returns
// a report: how many tensors were taken, then a table with a line for each layer and outcome
// (taken, not in the file, of another shape or type, or without a place in the network). Returns
// InvalidArgument if a map matches no name of the file, if maps give two tensors one name, if no
// tensor was taken, or if a parameter or statistic in `store` is then not finite.
absl::StatusOr<std::string> TakeInitialWeights(const InitialWeights& initial,
                                               layers::ParameterStore& store);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_
