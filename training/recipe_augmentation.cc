#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/network/network_text.h"
#include "training/recipe.h"
#include "training/targets.h"

namespace cotangent::training {
namespace {

using layers::Train;
using Text = Train::Transform;

// Reads one transform of a recipe (the text that describes training). status() is the error for the
// first amount that is out of range.
class TransformReader {
 public:
  explicit TransformReader(std::string path) : path_(std::move(path)) {}
  data::ChainLink Read(const Text& text);
  const absl::Status& status() const { return status_; }

 private:
  data::TransformPointer Kind(const Text& text);
  // Returns `value`; records an error if it is not in [low, high].
  double In(const char* field, double value, double low, double high) {
    if (!(value >= low && value <= high) && status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(path_, ".", field, " is ", value, ": expected ", low, " to ", high));
    }
    return value;
  }
  template <typename Area>
  data::AreaRange AreaOf(const std::string& kind, const Area& text) {
    constexpr double kLeast = 1e-4, kMost = 1e4;
    data::AreaRange range;
    range.area_low = In((kind + ".area_low").c_str(), text.area_low(), kLeast, 1);
    range.area_high = In((kind + ".area_high").c_str(), text.area_high(), range.area_low, 1);
    range.ratio_low = In((kind + ".ratio_low").c_str(), text.ratio_low(), kLeast, kMost);
    range.ratio_high =
        In((kind + ".ratio_high").c_str(), text.ratio_high(), range.ratio_low, kMost);
    return range;
  }

  const std::string path_;
  absl::Status status_;
};

data::TransformPointer TransformReader::Kind(const Text& text) {
  constexpr double kMostFactor = 100;
  switch (text.kind_case()) {
    case Text::kRandomResizedCrop:
      return data::RandomResizedCrop(AreaOf("random_resized_crop", text.random_resized_crop()));
    case Text::kAffine: {
      const Text::Affine& affine = text.affine();
      data::AffineRange range;
      range.degrees = In("affine.degrees", affine.degrees(), 0, 360);
      range.translate = In("affine.translate", affine.translate(), 0, 1);
      range.scale_low = In("affine.scale_low", affine.scale_low(), 0.01, 100);
      range.scale_high = In("affine.scale_high", affine.scale_high(), range.scale_low, 100);
      // At 90 degrees the sheared image would degenerate to a line.
      range.shear = In("affine.shear", affine.shear(), 0, 80);
      return data::RandomAffine(range);
    }
    case Text::kBrightness:
      return data::Brightness(In("brightness.amount", text.brightness().amount(), 0, kMostFactor));
    case Text::kContrast:
      return data::Contrast(In("contrast.amount", text.contrast().amount(), 0, kMostFactor));
    case Text::kSaturation:
      return data::Saturation(In("saturation.amount", text.saturation().amount(), 0, kMostFactor));
    case Text::kHue:
      return data::Hue(In("hue.amount", text.hue().amount(), 0, 0.5));
    case Text::kGrey:
      return data::Grey();
    case Text::kVerticalFlip:
      return data::VerticalFlip();
    case Text::kErasing:
      return data::RandomErasing(AreaOf("erasing", text.erasing()));
    case Text::kRandAugment: {
      const Text::RandAugment& rand = text.rand_augment();
      const double operations =
          In("rand_augment.operations", static_cast<double>(rand.operations()), 1, 100);
      const double magnitude =
          In("rand_augment.magnitude", static_cast<double>(rand.magnitude()), 0, 30);
      return data::RandAugment(static_cast<int>(operations), static_cast<int>(magnitude));
    }
    case Text::kTrivialAugment:
      return data::TrivialAugment();
    case Text::KIND_NOT_SET:
      break;
  }
  status_ = absl::InvalidArgumentError(
      absl::StrCat(path_, " names no transform; expected one such as affine { degrees: 10 }"));
  return nullptr;
}

data::ChainLink TransformReader::Read(const Text& text) {
  double usual = 1;
  if (text.has_vertical_flip() || text.has_erasing()) usual = 0.5;
  if (text.has_grey()) usual = 0.1;
  const double probability = text.has_probability() ? text.probability() : usual;
  data::ChainLink link;
  link.probability = In("probability", probability, 0, 1);
  link.transform = Kind(text);
  return link;
}

}  // namespace

absl::StatusOr<data::Augmentation> AugmentationOf(const layers::Network& network) {
  const Train::Augmentation& text = network.train().augmentation();
  data::Augmentation augmentation;
  augmentation.flip = text.flip() == Train::Augmentation::RANDOM        ? data::Flip::kRandom
                      : text.flip() == Train::Augmentation::ALTERNATING ? data::Flip::kAlternating
                                                                        : data::Flip::kNone;
  // Amounts beyond this number of pixels are replaced by it. It is larger than any image, so the
  // pipeline rejects it with its own message.
  constexpr int64_t kTooMuch = 1 << 20;
  augmentation.crop_padding = static_cast<int>(std::clamp<int64_t>(text.crop(), -1, kTooMuch));
  augmentation.padding = text.crop_border() == Train::Augmentation::REFLECT
                             ? data::Padding::kReflect
                             : data::Padding::kZero;
  augmentation.cutout = static_cast<int>(std::clamp<int64_t>(text.cutout(), -1, kTooMuch));
  for (int i = 0; i < text.transform_size(); ++i) {
    TransformReader reader(absl::StrCat("train.augmentation.transform[", i, "]"));
    augmentation.chain.push_back(reader.Read(text.transform(i)));
    if (!reader.status().ok()) return layers::AtPlace(network, reader.status());
  }
  return augmentation;
}

absl::StatusOr<data::Mixing> MixingOf(const layers::Network& network) {
  const Train::Augmentation& text = network.train().augmentation();
  data::Mixing mixing;
  if (!text.has_mixup() && !text.has_cutmix()) return mixing;
  const auto bad = [&](const std::string& message) {
    return layers::AtPlace(network, absl::InvalidArgumentError("train.augmentation." + message));
  };
  if (TargetKindOf(network) == data::TargetKind::kNumbers) {
    return bad(absl::StrCat(text.has_mixup() ? "mixup" : "cutmix",
                            ": the loss is of numbers, which are not mixed; leave it out"));
  }
  const double usual = text.has_mixup() && text.has_cutmix() ? 0.5 : 1;
  const auto probability = [&](bool is_there, const auto& mix) {
    return !is_there ? 0 : mix.has_probability() ? mix.probability() : usual;
  };
  mixing.mixup_probability = probability(text.has_mixup(), text.mixup());
  mixing.cutmix_probability = probability(text.has_cutmix(), text.cutmix());
  mixing.mixup_alpha = text.mixup().alpha();
  mixing.cutmix_alpha = text.cutmix().alpha();
  const absl::Status status = data::Validate(mixing);
  if (status.ok()) return mixing;
  return bad(absl::StrCat(text.has_mixup() ? "mixup: " : "cutmix: ", status.message()));
}

absl::StatusOr<data::PipelineOptions> PipelineOptionsOf(const layers::Network& network,
                                                        const data::Normalization& normalization) {
  ASSIGN_OR_RETURN(data::Augmentation augmentation, AugmentationOf(network));
  const Train& train = network.train();
  data::PipelineOptions options;
  options.batch_size = static_cast<int>(train.batch_size() * train.accumulate());
  options.seed = train.seed();
  options.balance_classes = train.sampling() == Train::BALANCED;
  options.augmentation = std::move(augmentation);
  ASSIGN_OR_RETURN(options.mixing, MixingOf(network));
  if (TargetKindOf(network) != data::TargetKind::kClass || options.mixing.is_used())
    options.targets = data::TargetFormat::kValues;
  ASSIGN_OR_RETURN(TargetScale scale,
                   TargetScaleOf(network, network.train().target_normalisation().mean_size()));
  options.target_mean = std::move(scale.mean);
  options.target_deviation = std::move(scale.deviation);
  options.normalization = normalization;
  return options;
}

}  // namespace cotangent::training
