// The tensors that a pickle of torch.save() names, found without executing it.
//
// A pickle is a program for a stack machine (CPython's pickletools.py describes the opcodes), which
// may call any function by name: unpickling a file of unknown origin runs its author's code. Here
// the machine builds numbers, strings, tuples, lists and dictionaries; the only names it accepts
// are those that stand for tensors, and those it notes instead of calling them. Everything else
// is refused with the name that was found.
#ifndef COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_
#define COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

// A tensor as the pickle describes it; nothing of it is checked but that the lists have numbers.
struct PickledTensor {
  std::string name;          // "layer1.0.conv1.weight"
  std::string storage_type;  // "FloatStorage"
  std::string storage;       // the key of its numbers in the archive, "0"
  int64_t storage_size = 0;  // in numbers
  int64_t offset = 0;
  std::vector<int64_t> shape, strides;
};

// The tensors of the dictionary that the pickle makes. Where that holds no tensors itself but a
// dictionary of them under a usual name (state_dict, model_state_dict, model, ...): those of that
// one. Takes memory in proportion to the pickle. Errors, InvalidArgument, say what was found and
// the mend, without naming the file.
absl::StatusOr<std::vector<PickledTensor>> ReadTorchPickle(absl::string_view pickle);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_TORCH_PICKLE_H_
