#include "training/recipe.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "layers/network/network_text.h"
#include "layers/network/recipe.h"
#include "layers/ops/losses/loss_kind.h"
#include "optim/optimizer.h"
#include "tensor/onednn.h"
#include "training/memory.h"
#include "training/source.h"
#include "training/targets.h"

namespace cotangent::training {
namespace {

// Returns an InvalidArgument error. `message` begins with the name of a field of the recipe (the
// fields below `train` of the network text); the file, line and column of that field are put before
// it.
absl::Status Bad(const layers::Network& network, const std::string& message) {
  return layers::AtPlace(network, absl::InvalidArgumentError(message));
}

absl::Status CheckOptimizer(const layers::Network& text, const layers::BuiltNetwork& built,
                            const optim::RunLength& run) {
  std::vector<optim::ParameterSlice> slices;
  int64_t offset = 0;
  for (const layers::ParameterSpec& spec : built.parameters) {
    const int64_t size = spec.shape.NumElements();
    slices.push_back(
        {spec.name, {spec.shape.begin(), spec.shape.end()}, offset, size, spec.trainable});
    offset += size;
  }
  absl::Status status = optim::Optimizer::Check(text.train().optimizer(), slices, run);
  if (status.ok()) return status;
  const bool has_path = absl::StartsWith(status.message(), "optimizer.");
  return Bad(text, absl::StrCat(has_path ? "train." : "train.optimizer: ", status.message()));
}

// Checks the recipe's class weights, augmentation, mixing, scale of targets, and that its memory
// limit leaves room for weights and gradients. `classes` is the data's number of classes, labels or
// numbers.
absl::Status CheckSettings(const layers::Network& text, const layers::BuiltNetwork& built,
                           int64_t classes) {
  if (text.train().class_weight() == layers::Train::BALANCED &&
      !layers::HasClassWeights(text.loss())) {
    return Bad(text,
               absl::StrCat("train.class_weight is BALANCED: only ",
                            absl::StrJoin(layers::LossesWithClassWeights(), ", "),
                            " has weights of classes; take sampling: BALANCED, or that loss"));
  }
  RETURN_IF_ERROR(AugmentationOf(text).status());
  RETURN_IF_ERROR(MixingOf(text).status());
  RETURN_IF_ERROR(TargetScaleOf(text, classes).status());
  int64_t least_floats = 0;  // weights and gradients
  for (const layers::ParameterSpec& spec : built.parameters)
    least_floats += 2 * spec.shape.NumElements();
  return MemoryLeft(text, least_floats * int64_t{sizeof(float)}).status();
}

// Returns an error unless the loss can be computed with the data's kind of targets. Images with
// classes also serve for a loss of labels: the image's class is then its only label. Sampling that
// balances classes is an error for images without classes.
absl::Status CheckTargets(const layers::Network& network, const DataShape& data) {
  const TargetKind wanted = TargetKindOf(network);
  const bool is_class = data.targets == TargetKind::kClass;
  if (wanted != data.targets && !(wanted == TargetKind::kLabels && is_class)) {
    return absl::InvalidArgumentError(absl::StrCat("the loss is of ", PluralOf(wanted),
                                                   ", the images have ", PluralOf(data.targets),
                                                   "; write another loss { ... }"));
  }
  if (network.train().sampling() == layers::Train::BALANCED && !is_class) {
    return Bad(network, absl::StrCat("train.sampling is BALANCED: the images have ",
                                     PluralOf(data.targets), ", not one class each"));
  }
  return absl::OkStatus();
}

// Returns an error if data::Normalisation has no room for the channels of the network's images.
absl::Status CheckChannels(const layers::Network& network) {
  const auto most = static_cast<int64_t>(data::Normalisation().mean.size());
  const int64_t channels = network.input().channels();
  if (channels <= most) return absl::OkStatus();
  return Bad(network, absl::StrCat("input.channels is ", channels, "; expected at most ", most));
}

// Returns an error unless the network, which is to be trained, takes images of the data's shape.
absl::Status CheckImages(const layers::Network& network, const DataShape& data) {
  const data::ImageShape shape = {static_cast<int>(data.channels), static_cast<int>(data.height),
                                  static_cast<int>(data.width)};
  return CheckShape(
      network, shape,
      absl::StrCat("write input { channels: ", data.channels, " height: ", data.height,
                   " width: ", data.width, " }, or give --set input.channels=", data.channels,
                   " --set input.height=", data.height, " --set input.width=", data.width));
}

DataShape ShapeOf(const data::Dataset& images) {
  return {images.size(),   static_cast<int64_t>(images.classes.size()),
          images.channels, images.height,
          images.width,    images.target_kind};
}

}  // namespace

absl::StatusOr<RunData> DataOf(std::shared_ptr<const data::Source> source,
                               const std::string& data_dir) {
  ASSIGN_OR_RETURN(const int64_t images, source->Size(data::Split::kTrain));
  RunData data;
  data.name = source->name;
  data.shape = {images,           static_cast<int64_t>(source->classes.size()),
                source->channels, source->height,
                source->width,    source->target_kind};
  data.classes = source->classes;
  data.normalisation = source->normalisation;
  data.watched = WatchedSplit(*source);
  data.final = source->Has(data::Split::kTest) ? data::Split::kTest : data.watched;
  data.load = [source, data_dir](data::Split split) { return source->Load(data_dir, split); };
  data.describe_copies = [source = std::move(source)] { return DescribeCopies(*source); };
  return data;
}

RunData DataInMemory(std::string name, data::Dataset train, data::Dataset test) {
  RunData data;
  data.name = std::move(name);
  data.shape = ShapeOf(train);
  data.classes = train.classes;
  data.load = [train = std::make_shared<const data::Dataset>(std::move(train)),
               test = std::make_shared<const data::Dataset>(std::move(test))](
                  data::Split split) -> absl::StatusOr<data::Dataset> {
    return split == data::Split::kTrain ? *train : *test;
  };
  return data;
}

absl::StatusOr<ResolvedNetwork> Resolve(const layers::Network& text, const DataShape& data,
                                        int ranks) {
  RETURN_IF_ERROR(CheckImages(text, data));
  const absl::StatusOr<optim::RunLength> run = RunLengthOf(text, data.images);
  const int64_t batch = text.train().batch_size();
  // If the batch is only too large for these images, what is wrong with the layers is said first: it
  // is wrong for any images.
  if (!run.ok() && batch <= data.images) return run.status();
  layers::BuildOptions options;
  options.batch_size = run.ok() ? std::max<int64_t>(1, batch / ranks) : 1;
  options.ranks = ranks;
  options.training = true;
  options.classes = data.classes;
  absl::StatusOr<layers::BuiltNetwork> built = layers::Build(text, options);
  if (!built.ok()) return layers::AtPlace(text, built.status());
  RETURN_IF_ERROR(run.status());
  if (batch % ranks != 0) {
    return Bad(text, absl::StrCat("train.batch_size is ", batch, ", which ", ranks,
                                  " ranks cannot share out equally: use --batch_size=",
                                  std::max<int64_t>(1, batch / ranks) * ranks,
                                  ", or another number of ranks"));
  }
  RETURN_IF_ERROR(CheckTargets(text, data));
  RETURN_IF_ERROR(CheckClasses(*built, data.classes, data.targets));
  RETURN_IF_ERROR(CheckSettings(text, *built, data.classes));
  RETURN_IF_ERROR(CheckOptimizer(text, *built, *run));
  return ResolvedNetwork{text, *std::move(built), *run};
}

absl::Status CheckWithoutData(const layers::Network& text, const layers::BuiltNetwork& built) {
  RETURN_IF_ERROR(CheckSettings(text, built, built.classes));
  absl::Status status;
  for (const int64_t steps_per_epoch : {int64_t{1'000'000}, int64_t{1}}) {
    const int64_t images = steps_per_epoch * text.train().batch_size() * text.train().accumulate();
    ASSIGN_OR_RETURN(const optim::RunLength run, RunLengthOf(text, images));
    status = CheckOptimizer(text, built, run);
    if (status.ok()) break;
  }
  return status;
}

absl::Status CheckClasses(const layers::BuiltNetwork& network, int64_t classes,
                          TargetKind targets) {
  if (network.classes == classes) return absl::OkStatus();
  if (targets != TargetKind::kClass) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the network finds ", network.classes, " ", PluralOf(targets), ", the data set has ",
        classes, ": write input { classes: ", classes, " }, or leave it out"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the network tells ", network.classes, " classes apart, the data set has ",
                   classes, ": write input { classes: ", classes, " }, or leave it out"));
}

absl::StatusOr<optim::RunLength> RunLengthOf(const layers::Network& network, int64_t images) {
  constexpr double kMostSteps = 1e12;
  const int64_t batch = network.train().batch_size(), parts = network.train().accumulate();
  if (batch < 1 || batch > images) {
    return Bad(network, absl::StrCat("train.batch_size is ", batch, ", the training set has ",
                                     images, " images: use --batch_size=",
                                     std::min<int64_t>(images, 128), " or so"));
  }
  if (parts < 1 || parts > images / batch) {
    return Bad(network, absl::StrCat("train.accumulate is ", parts, ": expected 1 to ",
                                     images / batch, ", since the training set has ", images,
                                     " images and a batch ", batch));
  }
  const int64_t steps = images / (batch * parts);
  const double total = network.train().epochs() * static_cast<double>(steps);
  if (!(total > 0) || total > kMostSteps) {
    return Bad(network,
               absl::StrCat("train.epochs is ", network.train().epochs(),
                            "; expected a number above 0, and at most ", kMostSteps, " steps"));
  }
  return optim::RunLength{steps, std::max<int64_t>(1, std::llround(total))};
}

void WriteBalancedWeights(const data::Dataset& images, layers::Network& network) {
  std::vector<int64_t> counts(images.classes.size());
  for (const int32_t label : images.labels) ++counts[label];
  const auto present = static_cast<double>(
      std::count_if(counts.begin(), counts.end(), [](int64_t count) { return count > 0; }));
  std::vector<double> weights;
  for (const int64_t count : counts) {
    weights.push_back(count == 0 ? 0
                                 : static_cast<double>(images.size()) /
                                       (present * static_cast<double>(count)));
  }
  layers::SetClassWeights(weights, *network.mutable_loss());
}

absl::StatusOr<data::Normalisation> NormalisationOf(const layers::Network& network,
                                                    const data::Normalisation& of_data) {
  if (absl::Status status = layers::CheckRecipe(network); !status.ok())
    return layers::AtPlace(network, status);
  RETURN_IF_ERROR(CheckChannels(network));
  data::Normalisation normalisation = of_data;
  const auto& recipe = network.train().normalisation();
  std::copy(recipe.mean().begin(), recipe.mean().end(), std::begin(normalisation.mean));
  std::copy(recipe.deviation().begin(), recipe.deviation().end(),
            std::begin(normalisation.deviation));
  return normalisation;
}

absl::StatusOr<data::Normalisation> NormalisationOf(const layers::Network& network,
                                                    const RunData& data,
                                                    const data::Dataset& images) {
  RETURN_IF_ERROR(CheckChannels(network));
  if (images.channels != network.input().channels()) return CheckImages(network, ShapeOf(images));
  return NormalisationOf(network, data.normalisation.has_value()
                                      ? *data.normalisation
                                      : data::ComputeNormalisation(images));
}

void WriteNormalisation(const data::Normalisation& normalisation, layers::Network& network) {
  auto& recipe = *network.mutable_train()->mutable_normalisation();
  recipe.Clear();
  for (int64_t c = 0; c < network.input().channels(); ++c) {
    recipe.add_mean(normalisation.mean[c]);
    recipe.add_deviation(normalisation.deviation[c]);
  }
}

ElementType PrecisionOf(const layers::Network& network) {
  const bool asks_bf16 = network.train().precision() == layers::Train::BF16;
  return asks_bf16 && tensor::onednn::Bf16Available() ? ElementType::kBf16 : ElementType::kF32;
}

std::string PrecisionNote(const layers::Network& network) {
  const bool asks_bf16 = network.train().precision() == layers::Train::BF16;
  return asks_bf16 && PrecisionOf(network) != ElementType::kBf16
             ? "note: this processor has no bf16 arithmetic; running in f32"
             : "";
}

using Averaging = layers::Train::Evaluation;

std::vector<data::View> ViewsOf(Averaging::TestTimeAveraging averaging) {
  switch (averaging) {
    case Averaging::FLIP: {
      data::Placement mirrored;
      mirrored.flip = true;
      return {{{}, 0.5f}, {mirrored, 0.5f}};
    }
    case Averaging::FLIP_AND_SHIFT:
      return data::TestTimeViews();
    default:
      return {{{}, 1.0f}};
  }
}

Averaging::TestTimeAveraging TestTimeAveragingOf(const layers::Network& network) {
  const Averaging& evaluation = network.train().evaluation();
  if (evaluation.has_test_time_averaging()) return evaluation.test_time_averaging();
  const bool is_trained_with_flips =
      network.train().augmentation().flip() != layers::Train::Augmentation::NONE;
  return is_trained_with_flips ? Averaging::FLIP : Averaging::NONE;
}

}  // namespace cotangent::training
