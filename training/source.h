// Opens the data set that a network is trained or evaluated on. A network text is the text that
// describes a network and its training.
#ifndef COTANGENT_TRAINING_SOURCE_H_
#define COTANGENT_TRAINING_SOURCE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/sources/source.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

// Returns how pictures are fitted to the network's input: to what size and number of channels, with
// which filter, whether they are stretched, cropped or padded, and whether training images are
// parts cut from pictures at random. With the result, unreadable pictures are errors and one thread
// reads the pictures.
data::FitOptions FitOptionsOf(const layers::Network& network);

// Returns an error unless the network takes images of the shape that the data set has. The message
// ends with `mend`, which tells the user what to do.
absl::Status CheckShape(const layers::Network& network, const data::ImageShape& data,
                        absl::string_view mend);

// Opens the data set named by `text`, the value of the flag `flag`. Pictures of any size are brought to
// the network's input as `fit` says. If the network text asks for a share of validation images and
// the data set has none, that share of the training images is set apart. Returns an error if
// there is no such data set, if its pictures cannot have the channels or size of the network's
// input, or if the share is not from 0 to less than 1, or is above 0 but amounts to no image or to
// all of them.
absl::StatusOr<std::shared_ptr<const data::Source>> OpenSource(const layers::Network& network,
                                                               const std::string& text,
                                                               const data::FitOptions& fit,
                                                               absl::string_view flag = "dataset");

// Returns the split that is evaluated during training: the validation images if there are any, else
// the test images, else the training images.
data::Split WatchedSplit(const data::Source& source);

// Compares the images of the validation split and of the test split with the training images, as
// FindCopies() (data/sources/copies.h) does: at most 10,000 of each split, and none that cannot be
// read. For each of the two splits that has images which are training images, too, byte for byte,
// the result has one sentence that tells how many, and the first of them.
std::vector<std::string> DescribeCopies(const data::Source& source);

// Returns a sentence that tells how many classes have no image in the data set, which holds the
// images of `split`, and the first of them. Returns "" if all have images, or if the targets are
// not classes.
std::string DescribeMissingClasses(const data::Dataset& images, data::Split split);

// Returns "training", "validation" or "test".
absl::string_view NameOf(data::Split split);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_SOURCE_H_
