// Writes a trained network to a file for other programs.

#include <stdio.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "inference/inference_file.h"
#include "inference/onnx/onnx_export.h"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/shared_flags.h"
#include "training/metrics.h"
#include "training/trained_network.h"

COTANGENT_CHECKPOINT_FLAG;
ABSL_FLAG(
    std::string, format, "onnx",
    "onnx (for ONNX Runtime and other engines) or safetensors (a checkpoint without what only "
    "training needs)");
ABSL_FLAG(std::string, output, "", "the file to write; net.onnx or net.safetensors if not given");
ABSL_FLAG(bool, raw_bytes, false,
          "onnx: the input is bytes [batch, height, width, channels], which the graph normalises");

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Writes a trained network as a file for other programs.\n"
    "\n"
    "  export --checkpoint=runs/convnet --format=onnx --output=convnet.onnx [--raw_bytes]\n";

// Returns the test accuracy of the checkpoint's parameters, as the run logged it. Returns nothing
// if there is no log (metrics.jsonl) in the checkpoint's directory, or no test accuracy of the
// checkpoint's step in it.
std::optional<double> LoggedAccuracy(const training::FoundCheckpoint& found) {
  const std::string directory = std::filesystem::path(found.path).parent_path().string();
  const absl::StatusOr<std::string> log =
      data::ReadFile(data::JoinPath(directory.empty() ? "." : directory, training::kMetricsFile));
  double of_checkpoint = 0;
  if (!log.ok() || !absl::SimpleAtod(found.checkpoint.Get("step"), &of_checkpoint))
    return std::nullopt;
  std::optional<double> accuracy;
  for (const absl::string_view text : absl::StrSplit(*log, '\n')) {
    const auto line = training::ParseMetricsLine(text);
    if (!line) continue;
    // A line may report the evaluation of an earlier step's parameters: then "test_step" is that
    // step.
    const auto step = training::Find(*line, line->count("test_step") > 0 ? "test_step" : "step");
    const auto measured = training::Find(*line, "test_accuracy");
    if (step == of_checkpoint && measured) accuracy = measured;
  }
  return accuracy;
}

absl::Status Export(const CommandLine&) {
  const std::string format = absl::GetFlag(FLAGS_format);
  RETURN_IF_ERROR(CheckChoice("format", format, {"onnx", "safetensors"}));
  if (absl::GetFlag(FLAGS_raw_bytes) && format != "onnx")
    return absl::InvalidArgumentError("--raw_bytes: expected --format=onnx");
  const std::string output = absl::GetFlag(FLAGS_output).empty() ? absl::StrCat("net.", format)
                                                                 : absl::GetFlag(FLAGS_output);
  RETURN_IF_ERROR(CanBeWritten("output", output));
  ASSIGN_OR_RETURN(const training::OpenedNetwork opened,
                   OpenCheckpointFlag(absl::GetFlag(FLAGS_checkpoint)));
  RETURN_IF_ERROR(CheckKeeps("output", output, {{"the checkpoint", opened.found.path}}));
  if (format == "safetensors") {
    RETURN_IF_ERROR(inference::WriteInferenceFile(output, opened.network));
  } else {
    inference::OnnxOptions options;
    options.raw_bytes = absl::GetFlag(FLAGS_raw_bytes);
    options.accuracy = LoggedAccuracy(opened.found);
    ASSIGN_OR_RETURN(const std::string model, inference::ExportOnnx(opened.network, options));
    const absl::Status status = data::WriteFileAtomically(output, model);
    if (!status.ok()) return absl::UnavailableError(status.message());
  }
  printf("%s: %s\n", output.c_str(), opened.found.path.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  return RunProgram(argc, argv, kUsage, "export", Export);
}
