// Reads from a network text (a text file that describes a network and its training) how the network
// is to be trained, and checks these settings against the data. They are the fields below `train`,
// which are called the recipe.
//
// Every error that concerns a field of the recipe names its place, as file:line:column:
// "net.textproto:12:5: train.optimizer.sgd.momentum is 1: expected at least 0 and below 1".
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

// The properties of a data set that must be known before its images are read.
struct DataShape {
  int64_t images = 0;  // number of training images
  int64_t classes = 10;
  int64_t channels = 3, height = 32, width = 32;
  TargetKind targets = TargetKind::kClass;
};

// The data of a run: images to train on and images to evaluate with.
struct RunData {
  std::string name;  // "cifar10": checkpoints store this name
  DataShape shape;
  std::vector<std::string> classes;  // the names of the classes
  // The mean and deviation of each channel by which images are normalised. Used if the recipe gives
  // none. If this is not set either, those of the training images are computed.
  std::optional<data::Normalisation> normalisation;
  // The splits (training, validation or test images) that are evaluated during the run (`watched`)
  // and at its end (`final`).
  data::Split watched = data::Split::kTest, final = data::Split::kTest;
  // Reads the images of a split. May be called on other threads than that of Train() (run.h), also
  // while describe_copies runs.
  std::function<absl::StatusOr<data::Dataset>(data::Split)> load;
  // Returns notes for the user on images of `watched` and `final` that are training images, too;
  // empty if there are none. Called on another thread than Train() (run.h). May be null.
  std::function<std::vector<std::string>()> describe_copies;
};
// Returns the data of `source`, whose downloaded files lie in the directory `data_dir`.
absl::StatusOr<RunData> DataOf(std::shared_ptr<const data::Source> source,
                               const std::string& data_dir);
// Returns the data of a program that holds its images, all of one size, in memory. Unless the
// recipe gives a normalisation, the images are normalised by the mean and deviation of `train`;
// `test` is evaluated during the run and at its end.
RunData DataInMemory(std::string name, data::Dataset train, data::Dataset test);

// A network text that has been checked against some data, the network's graph, and how many steps
// the training takes.
struct ResolvedNetwork {
  layers::Network text;
  // The graph at the recipe's batch size (with several ranks: a rank's share), without gradients.
  layers::BuiltNetwork built;
  optim::RunLength run;
};

// Checks a network text against the data and builds its graph. Returns an error if Build()
// (layers/network/build.h) fails; if the data have images of another size, another number of
// classes or another kind of targets than the network; if a step's images are more than the
// training set has; if the number of epochs is not positive; or if another field of the recipe is
// wrong, such as one of the optimizer.
//
// `ranks` is the number of processes that train together, each with an equal share of every batch.
// `built` is then the graph for one share; a batch size that `ranks` does not divide is an error.
absl::StatusOr<ResolvedNetwork> Resolve(const layers::Network& text, const DataShape& data,
                                        int ranks = 1);

// Checks the recipe of a network for which no data are known. Fields of the optimizer are no error
// if they are right for epochs of a million batches or for epochs of one batch.
absl::Status CheckWithoutData(const layers::Network& text, const layers::BuiltNetwork& built);

// Returns an error unless the network has as many results as the data have classes or, for targets
// of another kind, labels or numbers.
absl::Status CheckClasses(const layers::BuiltNetwork& network, int64_t classes,
                          TargetKind targets = TargetKind::kClass);

// Returns how many steps the recipe asks for, in an epoch and in all, if there are `images`
// training images. Returns an error if a step needs no image or more than `images` images, or if
// the number of epochs is not positive or gives more than 10^12 steps.
absl::StatusOr<optim::RunLength> RunLengthOf(const layers::Network& network, int64_t images);

// Returns the mean and deviation of each channel that the recipe gives; in place of a mean or
// deviation that it does not give, that of `of_data`. Returns an error if CheckRecipe()
// (layers/network/recipe.h) finds one, or if the network takes images of more than 3 channels.
absl::StatusOr<data::Normalisation> NormalisationOf(const layers::Network& network,
                                                    const data::Normalisation& of_data);
// Does the same for a run; `images` are its training images. What the recipe does not give is that
// of `data` or, if `data` has no normalisation, that of the images.
absl::StatusOr<data::Normalisation> NormalisationOf(const layers::Network& network,
                                                    const RunData& data,
                                                    const data::Dataset& images);
// Writes a normalisation into the recipe: one mean and one deviation for each channel.
void WriteNormalisation(const data::Normalisation& normalisation, layers::Network& network);
// Computes the class weights for a recipe that says class_weight: BALANCED and writes them into its
// loss: images / (classes * images of the class), as scikit-learn's "balanced". Classes without
// images get the weight 0 and do not count among `classes`.
void WriteBalancedWeights(const data::Dataset& images, layers::Network& network);
// Reads from the recipe how training images are augmented (flips, crops, other transforms). Amounts
// of transforms that are out of range are errors; crop and cutout are checked by data::Pipeline.
absl::StatusOr<data::Augmentation> AugmentationOf(const layers::Network& network);

// Reads from the recipe how the images of a batch are mixed with each other (mixup, CutMix).
// Amounts that are out of range are errors, and so is mixing with targets that are numbers.
absl::StatusOr<data::Mixing> MixingOf(const layers::Network& network);

// Reads from the recipe how training batches are made, including augmentation and mixing. If a step
// accumulates several batches (train.accumulate), one batch made so holds all of them.
absl::StatusOr<data::PipelineOptions> PipelineOptionsOf(const layers::Network& network,
                                                        const data::Normalisation& normalisation);

// PrecisionOf() returns the element type that the recipe's field `precision` names, or f32 if that
// is bf16 and the processor has no bf16 arithmetic. In the latter case PrecisionNote() returns a
// line that tells the user so, otherwise an empty text.
ElementType PrecisionOf(const layers::Network& network);
std::string PrecisionNote(const layers::Network& network);

// Returns the views (shifted or mirrored versions) of an image whose predictions are averaged, with
// their weights, which add up to 1; for NONE the unchanged image only.
std::vector<data::View> ViewsOf(layers::Train::Evaluation::TestTimeAveraging averaging);
// Returns the test-time averaging (see ViewsOf()) that the recipe asks for. If the recipe does not
// say, returns FLIP for a network that is trained with mirrored images, else NONE: a network that
// has not seen mirror images (of digits, say) cannot be expected to recognise them.
layers::Train::Evaluation::TestTimeAveraging TestTimeAveragingOf(const layers::Network& network);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_RECIPE_H_
