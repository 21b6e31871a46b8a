#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/augmentation/transform.h"
#include "layers/network/network_text.h"
#include "training/recipe.h"
#include "training/targets.h"

namespace cotangent::training {

using layers::Train;

absl::StatusOr<data::Augmentation> AugmentationOf(const layers::Network& network) {
  const Train::Augmentation& text = network.train().augmentation();
  data::Augmentation augmentation;
  augmentation.flip = text.flip() == Train::Augmentation::RANDOM        ? data::Flip::kRandom
                      : text.flip() == Train::Augmentation::ALTERNATING ? data::Flip::kAlternating
                                                                        : data::Flip::kNone;
  // layers::Build() has checked `crop` and `cutout` against the size of the image.
  augmentation.crop_padding = static_cast<int>(text.crop());
  augmentation.padding = text.crop_border() == Train::Augmentation::REFLECT
                             ? data::Padding::kReflect
                             : data::Padding::kZero;
  augmentation.cutout = static_cast<int>(text.cutout());
  for (int i = 0; i < text.transform_size(); ++i) {
    absl::StatusOr<data::ChainLink> link =
        data::MakeLink(text.transform(i), absl::StrCat("train.augmentation.transform[", i, "]"));
    if (!link.ok()) return layers::AtPlace(network, link.status());
    augmentation.chain.push_back(*std::move(link));
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
  if (TargetKindOf(network) == TargetKind::kNumbers) {
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
                                                        const data::Normalisation& normalisation) {
  ASSIGN_OR_RETURN(data::Augmentation augmentation, AugmentationOf(network));
  const Train& train = network.train();
  data::PipelineOptions options;
  options.batch_size = static_cast<int>(train.batch_size() * train.accumulate());
  options.seed = train.seed();
  options.balance_classes = train.sampling() == Train::BALANCED;
  options.augmentation = std::move(augmentation);
  ASSIGN_OR_RETURN(options.mixing, MixingOf(network));
  // The loss reads shares of the classes wherever the recipe names a kind of mixing, even one that
  // has the probability 0 (layers/network/build.cc).
  if (TargetKindOf(network) != TargetKind::kClass || train.augmentation().has_mixup() ||
      train.augmentation().has_cutmix())
    options.targets = data::TargetFormat::kValues;
  ASSIGN_OR_RETURN(TargetScale scale,
                   TargetScaleOf(network, network.train().target_normalisation().mean_size()));
  options.target_mean = std::move(scale.mean);
  options.target_deviation = std::move(scale.deviation);
  options.normalisation = normalisation;
  return options;
}

}  // namespace cotangent::training
