#include "tools/checkpoint_flag.h"

#include <stdio.h>

#include "base/status_macros.h"

namespace cotangent::tools {

absl::Status CheckCheckpointFlag(const std::string& value) {
  if (!value.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--checkpoint is missing: expected a checkpoint, or the directory of a run");
}

absl::StatusOr<training::OpenedNetwork> OpenCheckpointFlag(const std::string& value) {
  RETURN_IF_ERROR(CheckCheckpointFlag(value));
  return training::OpenTrained(
      value, [](const std::string& line) { fprintf(stderr, "%s\n", line.c_str()); });
}

}  // namespace cotangent::tools
