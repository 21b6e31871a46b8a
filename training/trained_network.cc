#include "training/trained_network.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/editor_text.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "training/recipe.h"
#include "training/run_state.h"

namespace cotangent::training {

absl::StatusOr<FoundCheckpoint> OpenCheckpoint(
    const std::string& file_or_directory, const std::function<void(const std::string& line)>& say) {
  if (file_or_directory.empty())
    return absl::InvalidArgumentError(
        "the path is empty: expected that of a checkpoint, or the directory of a run");
  std::error_code error;
  if (std::filesystem::is_directory(file_or_directory, error)) {
    std::string damaged;
    std::optional<FoundCheckpoint> found = FindNewestGood(
        file_or_directory, [&](const std::string& line) { absl::StrAppend(&damaged, "; ", line); });
    if (!found.has_value())
      return absl::NotFoundError(
          absl::StrCat("there is no good checkpoint in ", file_or_directory, damaged,
                       "; train writes them: train --output_dir=", file_or_directory));
    if (!damaged.empty() && say) say(absl::StrCat("passed over", damaged.substr(1)));
    const std::string best = data::JoinPath(file_or_directory, kBestCheckpoint);
    if (say && std::filesystem::exists(best, error)) {
      say(absl::StrCat("using the newest checkpoint, ", found->path,
                       "; the best on the validation images is ", best));
    }
    return *std::move(found);
  }
  absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(file_or_directory);
  if (!checkpoint.ok()) {
    if (absl::IsResourceExhausted(checkpoint.status()) ||
        absl::IsInvalidArgument(checkpoint.status()))
      return checkpoint.status();
    return absl::Status(
        absl::IsNotFound(checkpoint.status()) ? absl::StatusCode::kNotFound
                                              : absl::StatusCode::kInvalidArgument,
        absl::StrCat(checkpoint.status().message(),
                     "; expected a file that train wrote, or the directory of a run"));
  }
  return FoundCheckpoint{file_or_directory, *std::move(checkpoint)};
}

absl::StatusOr<TrainedNetwork> LoadTrained(const Checkpoint& checkpoint, const std::string& path) {
  TrainedNetwork trained;
  ASSIGN_OR_RETURN(RunState state, ReadRunState(checkpoint, path));
  ASSIGN_OR_RETURN(trained.network,
                   layers::ParseNetwork(state.network, absl::StrCat(path, " (its network)")));
  trained.dataset = state.dataset;
  trained.classes = state.classes;
  trained.quantisation = state.quantisation;
  data::Normalisation otherwise;
  if (trained.classes.empty()) {
    // Checkpoints of earlier versions do not store classes and normalisation; these are taken from
    // the data source.
    const auto source = data::FindSource(trained.dataset);
    if (!source.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", source.status().message()));
    trained.classes = (*source)->classes;
    otherwise = (*source)->normalisation.value_or(otherwise);
  }
  ASSIGN_OR_RETURN(trained.normalisation, NormalisationOf(trained.network, otherwise));

  layers::BuildOptions build;
  build.batch_size = 1;
  build.training = false;
  build.classes = static_cast<int64_t>(trained.classes.size());
  ASSIGN_OR_RETURN(layers::BuiltNetwork built, layers::Build(trained.network, build));
  ASSIGN_OR_RETURN(trained.store, layers::ParameterStore::Create(built.graph));
  RETURN_IF_ERROR(RestoreForInference(checkpoint, path, *trained.store));
  return trained;
}

absl::StatusOr<OpenedNetwork> OpenTrained(const std::string& file_or_directory,
                                          const std::function<void(const std::string& line)>& say) {
  ASSIGN_OR_RETURN(FoundCheckpoint found, OpenCheckpoint(file_or_directory, say));
  ASSIGN_OR_RETURN(TrainedNetwork network, LoadTrained(found.checkpoint, found.path));
  return OpenedNetwork{std::move(found), std::move(network)};
}

}  // namespace cotangent::training
