// A network that begins with what another one has learnt.
#ifndef COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_
#define COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/plan/parameters.h"
#include "training/weights/weight_file.h"

namespace cotangent::training {

// Tensors whose name in the file is `from` are called `to` in the network; `*` in both, at most
// once, stands for the same characters.
struct NameMap {
  std::string from, to;
};
// Parses "FROM=TO". InvalidArgument, which names the flag --map, unless both sides or neither have
// a `*`.
absl::StatusOr<NameMap> ParseNameMap(absl::string_view text);

// A file of weights and how they are renamed.
struct InitialWeights {
  std::string source;  // the file's name, for messages
  WeightFile file;
  std::vector<NameMap> maps;  // the first that fits a name counts
};
// Reads the file. Errors: what its reader finds; a map that is none.
absl::StatusOr<InitialWeights> ReadInitialWeights(const std::string& path,
                                                  const std::vector<std::string>& maps);

// Copies into the store every parameter and statistic that the file has under its name, mapped, in
// its shape; leaves the others as they are. Returns a table, a line a layer, of what was taken,
// what the file lacks, what is of another shape or type, and what of the file has no place here.
// Errors, InvalidArgument: a map that fits no name of the file, or makes two names one; a file of
// which nothing fits.
absl::StatusOr<std::string> TakeInitialWeights(const InitialWeights& initial,
                                               layers::ParameterStore& store);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_INITIAL_WEIGHTS_H_
