// Loads the labelled pictures with which a program measures a trained network.
#ifndef COTANGENT_TOOLS_LABELLED_IMAGES_H_
#define COTANGENT_TOOLS_LABELLED_IMAGES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "training/trained_network.h"

namespace cotangent::tools {

struct ImageRequest {
  std::string dataset;           // the data set's name; empty: the network's training data set
  std::string flag = "dataset";  // the flag that gave the name
  std::string data_dir;          // empty: the default directory
  int threads = 1;
  bool skip_bad = false;  // skip unreadable pictures, with a line on standard error for each
  data::Split wanted = data::Split::kTest;  // training, validation or test images
  // Used if the data set has no validation images: the number of training images to set apart as
  // validation images. A hash of an image's name decides which. At least a tenth and at most half
  // of the training images are set apart. 0: none.
  int64_t set_apart = 0;
};

// The loaded images, and which part of the data set they are.
struct Images {
  data::Dataset dataset;  // labels are the network's; classes are matched by name
  data::Split split = data::Split::kTest;
};

// Returns the part of the data set that request.wanted names. If the data set has no such part,
// returns the part on which training evaluates the network (training/source.h). InvalidArgument if
// the network does not fit the data set: the data set has images of another shape, classes that the
// network does not know, or fewer numbers for an image than the network predicts.
absl::StatusOr<Images> LoadImages(const training::TrainedNetwork& trained,
                                  const ImageRequest& request);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_LABELLED_IMAGES_H_
