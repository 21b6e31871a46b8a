#include "tools/checkpoint_flag.h"

#include "base/status_macros.h"
#include "tools/command_line.h"

namespace cotangent::tools {

absl::Status CheckCheckpointFlag(const std::string& value) {
  if (!value.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--checkpoint is missing: expected a checkpoint, or the directory of a run");
}

absl::StatusOr<training::OpenedNetwork> OpenCheckpointFlag(const std::string& value) {
  RETURN_IF_ERROR(CheckCheckpointFlag(value));
  return training::OpenTrained(value, Say);
}

}  // namespace cotangent::tools
