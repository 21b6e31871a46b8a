// Reads the checkpoint that a program's flag --checkpoint names.
#ifndef COTANGENT_TOOLS_CHECKPOINT_FLAG_H_
#define COTANGENT_TOOLS_CHECKPOINT_FLAG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/trained_network.h"

namespace cotangent::tools {

// Returns an error if `value`, the value of --checkpoint, is empty.
absl::Status CheckCheckpointFlag(const std::string& value);

// Opens the checkpoint that `value`, the value of --checkpoint, names, and loads its network
// (training::OpenTrained()). If `value` is a directory, opens its newest undamaged checkpoint, and
// names on standard error the damaged ones that were passed over and, if it exists,
// best.safetensors, which is not the one opened.
absl::StatusOr<training::OpenedNetwork> OpenCheckpointFlag(const std::string& value);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_CHECKPOINT_FLAG_H_
