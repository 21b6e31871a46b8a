// What a network text asks of training, checked against the data it is to learn from.
//
// Every error that concerns a field of the recipe names its place: "net.textproto:12:5:
// train.optimizer.sgd.momentum is 1: expected at least 0 and below 1".
#ifndef COTANGENT_TRAINING_RECIPE_H_
#define COTANGENT_TRAINING_RECIPE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/pipeline.h"
#include "data/sources/source.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "optim/parameter_slice.h"
#include "optim/run_length.h"

namespace cotangent::training {

// What has to be known of data before they are read.
struct DataShape {
  int64_t images = 0;  // to train on
  int64_t classes = 10;
  int64_t channels = 3, height = 32, width = 32;
  data::TargetKind targets = data::TargetKind::kClass;
};

// Data to train on and to test with.
struct RunData {
  std::string name;  // "cifar10": stands in checkpoints
  DataShape shape;
  std::vector<std::string> classes;  // their names
  // Where the recipe has none; where it is not known, that of the training images.
  std::optional<data::Normalization> normalization;
  // What is evaluated during the run, and at its end.
  data::Split watched = data::Split::kTest, final = data::Split::kTest;
  // Called from a thread of its own.
  std::function<absl::StatusOr<data::Dataset>(data::Split)> load;
};
// Those of a source, whose fetched files lie in `data_dir`.
absl::StatusOr<RunData> DataOf(std::shared_ptr<const data::Source> source,
                               const std::string& data_dir);
// One's own, of images of one size; normalised by the mean and deviation of the training images.
RunData DataInMemory(std::string name, data::Dataset train, data::Dataset test);

// A network text with what follows from it for some data, all of it checked.
struct ResolvedNetwork {
  layers::Network text;
  layers::BuiltNetwork built;  // for training at the recipe's batch size, without gradients
  optim::RunLength run;
};

// Errors, InvalidArgument: what Build() finds; images of another size or another number of classes
// than the data have; batches larger than the training set, no epochs; and what is wrong with the
// optimizer.
//
// Each of `ranks` processes that train together takes an equal share of every batch: `built` is for
// the share, and ranks that do not divide the batch are an error.
absl::StatusOr<ResolvedNetwork> Resolve(const layers::Network& text, const DataShape& data,
                                        int ranks = 1);

// An error unless the network takes images of this size.
absl::Status CheckImages(const layers::Network& network, const DataShape& data);
// An error unless the network has as many classes (labels, numbers) as the data.
absl::Status CheckClasses(const layers::BuiltNetwork& network, int64_t classes,
                          data::TargetKind targets = data::TargetKind::kClass);

// How many steps the recipe asks for with so many training images.
absl::StatusOr<optim::RunLength> RunLengthOf(const layers::Network& network, int64_t images);

// The mean and deviation the recipe asks for, else those of the data.
absl::StatusOr<data::Normalization> NormalizationOf(const layers::Network& network,
                                                    const data::Normalization& of_data);
// Writes a normalisation into the recipe, one number a channel.
void WriteNormalization(const data::Normalization& normalization, layers::Network& network);
// Gives the loss of a recipe that says class_weight: BALANCED its weights: images / (classes *
// images of the class), classes without images left out, which get 0 (as scikit-learn's
// "balanced").
void WriteBalancedWeights(const data::Dataset& images, layers::Network& network);
// Reads from the recipe how training images are changed. Errors name the place of an amount that is
// out of range.
absl::StatusOr<data::Augmentation> AugmentationOf(const layers::Network& network);

// Reads from the recipe how images of a batch are mixed (mixup, CutMix). Errors as those of
// AugmentationOf().
absl::StatusOr<data::Mixing> MixingOf(const layers::Network& network);

// How the recipe has training batches made.
absl::StatusOr<data::PipelineOptions> PipelineOptionsOf(const layers::Network& network,
                                                        const data::Normalization& normalization);

// The element type a network's recipe asks for; f32, which standard error is told, where the
// processor has no bf16.
ElementType PrecisionOf(const layers::Network& network);

// The views whose predictions are averaged: the one untouched view for NONE.
std::vector<data::View> ViewsOf(layers::Train::Evaluation::TestTimeAveraging averaging);
// What evaluation with test-time averaging means for a network: as its recipe says; where it does
// not say, FLIP if the network was trained with mirrored images (of a digit's mirror image nothing
// can be asked), else NONE.
layers::Train::Evaluation::TestTimeAveraging TestTimeAveragingOf(const layers::Network& network);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RECIPE_H_
