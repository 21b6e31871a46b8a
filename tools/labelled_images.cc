#include "tools/labelled_images.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/sources/source.h"
#include "tools/command_line.h"
#include "training/recipe.h"
#include "training/source.h"

namespace cotangent::tools {
namespace {

// Returns, for each class (or label, or number) of the data set `source`, the index of the
// network's class of the same name. InvalidArgument if the network has none, or if the targets are
// numbers and the network predicts others, too.
absl::StatusOr<std::vector<int32_t>> LabelsOf(const data::Source& source,
                                              const training::TrainedNetwork& trained) {
  std::vector<int32_t> labels;
  for (const std::string& name : source.classes) {
    const auto found = std::find(trained.classes.begin(), trained.classes.end(), name);
    if (found == trained.classes.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(source.title, ": the network does not know \"", name,
                       "\"; it was trained with ", trained.classes.size(), ", from \"",
                       trained.classes.front(), "\" to \"", trained.classes.back(), "\""));
    }
    labels.push_back(static_cast<int32_t>(found - trained.classes.begin()));
  }
  if (source.target_kind == TargetKind::kNumbers &&
      source.classes.size() != trained.classes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source.title, ": it has ", source.classes.size(), " numbers an image, the network finds ",
        trained.classes.size(), ": ", absl::StrJoin(trained.classes, ", ")));
  }
  return labels;
}

// Gives a data set the network's classes (or labels, or numbers) instead of its own. Class k of the
// data set is class numbers[k] of the network.
void Renumber(const std::vector<int32_t>& numbers, const std::vector<std::string>& classes,
              data::Dataset& dataset) {
  if (dataset.target_kind == TargetKind::kClass) {
    for (int32_t& label : dataset.labels) label = numbers[label];
  } else {
    // Labels of the network that the data set does not have are set to 0, which means that they do
    // not apply. Targets that are numbers must all be in the data set; LabelsOf() has checked this.
    std::vector<float> targets(dataset.size() * classes.size());
    for (size_t i = 0; i < dataset.targets.size(); ++i)
      targets[i / numbers.size() * classes.size() + numbers[i % numbers.size()]] =
          dataset.targets[i];
    dataset.targets = std::move(targets);
  }
  dataset.classes = classes;
}

}  // namespace

absl::StatusOr<Images> LoadImages(const training::TrainedNetwork& trained,
                                  const ImageRequest& request) {
  data::FitOptions fit = training::FitOptionsOf(trained.network);
  fit.threads = request.threads;
  fit.skip_bad = request.skip_bad;
  fit.say = Say;
  const std::string& name = request.dataset.empty() ? trained.dataset : request.dataset;
  ASSIGN_OR_RETURN(std::shared_ptr<const data::Source> source,
                   training::OpenSource(trained.network, name, fit, request.flag));
  const data::ImageShape shape = {source->channels, source->height, source->width};
  if (absl::Status status = training::CheckShape(
          trained.network, shape,
          "give a data set of such images, or pictures (a folder or a CSV file), which are brought "
          "to this size");
      !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", request.flag, "=", name, ": ", status.message()));
  }
  if (request.set_apart > 0 && !source->Has(data::Split::kValidation)) {
    ASSIGN_OR_RETURN(const int64_t size, source->Size(data::Split::kTrain));
    const double share = static_cast<double>(request.set_apart) / static_cast<double>(size);
    source = data::WithValidation(std::move(source), std::clamp(share, 0.1, 0.5));
  }
  ASSIGN_OR_RETURN(const std::vector<int32_t> labels, LabelsOf(*source, trained));
  const data::Split split =
      source->Has(request.wanted) ? request.wanted : training::WatchedSplit(*source);
  ASSIGN_OR_RETURN(
      data::Dataset dataset,
      source->Load(request.data_dir.empty() ? data::DefaultDataDir() : request.data_dir, split));
  Renumber(labels, trained.classes, dataset);
  return Images{std::move(dataset), split};
}

}  // namespace cotangent::tools
