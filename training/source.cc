#include "training/source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/augmentation/transform.h"
#include "data/sources/copies.h"
#include "layers/network/network_text.h"
#include "layers/network/recipe.h"
#include "training/targets.h"

namespace cotangent::training {

data::FitOptions FitOptionsOf(const layers::Network& network) {
  data::FitOptions options;
  options.shape = {static_cast<int>(network.input().channels()),
                   static_cast<int>(network.input().height()),
                   static_cast<int>(network.input().width())};
  options.fit.filter = network.data().filter() == layers::Data::BILINEAR
                           ? data::Filter::kBilinear
                           : data::Filter::kAntialiased;
  const auto& transforms = network.train().augmentation().transform();
  // AugmentationOf() reports a transform that is wrong.
  if (!transforms.empty()) {
    const absl::StatusOr<data::ChainLink> first = data::MakeLink(transforms[0], "transform[0]");
    options.draws_parts = first.ok() && first->transform->is_crop();
  }
  switch (network.data().resize()) {
    case layers::Data::STRETCH:
      options.fit.how = data::Fit::kStretch;
      break;
    case layers::Data::CROP:
      options.fit.how = data::Fit::kCrop;
      break;
    case layers::Data::PAD:
      options.fit.how = data::Fit::kPad;
      break;
  }
  return options;
}

absl::Status CheckShape(const layers::Network& network, const data::ImageShape& data,
                        absl::string_view mend) {
  const auto& input = network.input();
  if (input.channels() == data.channels && input.height() == data.height &&
      input.width() == data.width) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the network takes images of ", input.channels(), "x", input.height(), "x", input.width(),
      ", the data set has ", data.channels, "x", data.height, "x", data.width, ": ", mend));
}

absl::StatusOr<std::shared_ptr<const data::Source>> OpenSource(const layers::Network& network,
                                                               const std::string& text,
                                                               const data::FitOptions& fit,
                                                               absl::string_view flag) {
  if (absl::Status status = layers::CheckValidationShare(network); !status.ok())
    return layers::AtPlace(network, status);
  absl::StatusOr<std::shared_ptr<const data::Source>> source =
      data::FindSource(text, TargetKindOf(network));
  if (!source.ok())
    return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", source.status().message()));
  const auto& input = network.input();
  const bool possible = (input.channels() == 1 || input.channels() == 3) && input.height() >= 1 &&
                        input.width() >= 1 && input.height() <= data::kLargestImageSide &&
                        input.width() <= data::kLargestImageSide;
  if (std::shared_ptr<const data::Source> fitted = (*source)->Fitted(fit); fitted != nullptr) {
    if (!possible) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the network takes images of ", input.channels(), "x", input.height(), "x", input.width(),
          "; pictures have 1 or 3 channels and are brought to 1x1 to ", data::kLargestImageSide,
          "x", data::kLargestImageSide, ": write input { channels: 3 height: 64 width: 64 }, say"));
    }
    source = std::move(fitted);
  }
  const double validation = network.train().evaluation().validation();
  if (validation == 0 || (*source)->Has(data::Split::kValidation)) return source;
  std::shared_ptr<const data::Source> divided = data::WithValidation(*source, validation);
  const int64_t images = (*source)->Size(data::Split::kTrain).value_or(0);
  ASSIGN_OR_RETURN(const auto size, divided->Size(data::Split::kValidation));
  if (size == 0 || size == images) {
    return absl::InvalidArgumentError(
        absl::StrCat("train.evaluation.validation is ", validation, ", which is ",
                     size == 0 ? "none" : "all", " of the ", images, " training images; take a ",
                     size == 0 ? "larger share, or more images of each "
                                 "class: the only one is never set apart"
                               : "smaller share"));
  }
  return divided;
}

data::Split WatchedSplit(const data::Source& source) {
  for (data::Split split : {data::Split::kValidation, data::Split::kTest}) {
    if (source.Has(split)) return split;
  }
  return data::Split::kTrain;
}

std::vector<std::string> DescribeCopies(const data::Source& source) {
  std::vector<std::string> notes;
  for (data::Split split : {data::Split::kValidation, data::Split::kTest}) {
    if (!source.Has(split)) continue;
    const absl::StatusOr<data::Copies> copies = data::FindCopies(source, split);
    if (!copies.ok() || copies->count == 0) continue;
    notes.push_back(absl::StrCat(
        "note: ", copies->count, " of ", copies->compared, " ", NameOf(split),
        " images are training images, too, byte for byte (the first: ", copies->held_back, " is ",
        copies->training, "); the network knows them by heart: remove one of each pair"));
  }
  return notes;
}

std::string DescribeMissingClasses(const data::Dataset& images, data::Split split) {
  if (images.target_kind != TargetKind::kClass) return "";
  std::vector<bool> is_there(images.classes.size());
  for (const int32_t label : images.labels) is_there[label] = true;
  const auto missing = std::count(is_there.begin(), is_there.end(), false);
  if (missing == 0) return "";
  const auto first = std::find(is_there.begin(), is_there.end(), false) - is_there.begin();
  return absl::StrCat(
      "note: ", missing, " of ", is_there.size(), " classes ", missing == 1 ? "has" : "have",
      " no ", NameOf(split), " images (", missing == 1 ? "" : "the first: ", images.classes[first],
      "); ",
      split == data::Split::kTrain ? "the network cannot learn " : "the figures say nothing of ",
      missing == 1 ? "it" : "them");
}

absl::string_view NameOf(data::Split split) {
  switch (split) {
    case data::Split::kTrain:
      return "training";
    case data::Split::kValidation:
      return "validation";
    case data::Split::kTest:
      return "test";
  }
  return "";
}

}  // namespace cotangent::training
