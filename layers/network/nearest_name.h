#ifndef COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_
#define COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cotangent::layers {

// The one of `names` that `found` is most likely a misspelling of: the smallest number of letters
// inserted, removed, replaced or swapped with their neighbour, not counting case, if that is at
// most a third of the longer name (2 at least). Empty if there is none.
std::string NearestName(absl::string_view found, const std::vector<std::string>& names);

// What an error about the unknown name `found` ends with: "did you mean 'relu'?" where one of `names`
// is what PyTorch or Caffe call `found`, or else is near; else "known are: add, concat, ..." .
std::string Suggestion(absl::string_view found, const std::vector<std::string>& names);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_
