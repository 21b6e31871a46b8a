// Suggestions for misspelled names in error messages.
#ifndef COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_
#define COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cotangent::layers {

// A name that PyTorch (classes and arguments) or Caffe (layers and fields) uses, or a name of ours
// in a place where it is not known, and our name to use instead. Case, `_` and "nn." make no
// difference in `theirs`.
struct Alias {
  std::string theirs, ours;
};

// A constant of this type at namespace scope adds aliases to those that Suggestion() knows: those
// that `list` returns when Suggestion() is called for the first time. The aliases of layers are an
// argument of their registration (layers/ops/layer.h), so programs that are linked without
// //layers/ops do not know them.
class RegisterAliases {
 public:
  explicit RegisterAliases(std::vector<Alias> (*list)());
};

// Returns the name of which `found` is most likely a misspelling; empty if no name is close enough.
// The distance of two names is the number of letters inserted, removed, replaced or swapped with
// their neighbour, ignoring case. It may be at most a third of the length of the longer name, or 2
// if that is more, and must be less than that length.
std::string NearestName(absl::string_view found, const std::vector<std::string>& names);

// Returns the end of an error message about the unknown name `found`: "did you mean 'relu'?" if
// PyTorch or Caffe use `found` for one of `names`, or if one of `names` is spelled similarly;
// otherwise "known are: add, concat, ...", or "none is known here" if `names` is empty.
std::string Suggestion(absl::string_view found, const std::vector<std::string>& names);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NEAREST_NAME_H_
