#include "tools/checkpoint_flag.h"

#include <filesystem>

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

absl::Status CheckKeepsCheckpoint(const std::string& output, const std::string& checkpoint) {
  std::error_code error;  // such as that there is no file `output`
  if (!std::filesystem::equivalent(output, checkpoint, error)) return absl::OkStatus();
  return FlagError("output", output, "another file than the checkpoint, which would be lost");
}

}  // namespace cotangent::tools
