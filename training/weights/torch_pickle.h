// Finds the tensors in a pickle that torch.save() wrote, without executing the pickle.
//
// A pickle is a program for a stack machine (CPython's pickletools.py describes the opcodes) that
// may call any Python function by name: unpickling a file of unknown origin runs its author's code.
// The stack machine of this module only builds numbers, strings, tuples, lists and dictionaries. It
// accepts only the names of the functions and classes that a dictionary of tensors needs, and
// records their arguments instead of calling them. Every other name is an error.
#ifndef COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_
#define COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

// A tensor as the pickle describes it. Offset, shape and strides are whatever numbers the pickle
// holds: the caller must check that they fit the storage.
struct PickledTensor {
  std::string name;          // "layer1.0.conv1.weight"
  std::string storage_type;  // "FloatStorage"
  std::string storage;       // the key of its storage, an array of numbers, in the archive: "0"
  int64_t offset = 0;        // of the first element in the storage, in numbers
  std::vector<int64_t> shape, strides;  // strides in numbers
};

// Returns the tensors of the dictionary that the pickle describes. If that dictionary contains no
// tensor itself but, under a usual name (state_dict or model, for example; kUsualNames in
// torch_pickle.cc), a dictionary of tensors, returns the tensors of the latter. The memory taken is
// proportional to the pickle's size. Errors are InvalidArgument and say what was found and what to
// do, without the file's name.
absl::StatusOr<std::vector<PickledTensor>> ReadTorchPickle(absl::string_view pickle);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_
