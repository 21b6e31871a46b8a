// The labelled pictures that a trained network is measured on or shown.
#ifndef COTANGENT_TOOLS_LABELLED_IMAGES_H_
#define COTANGENT_TOOLS_LABELLED_IMAGES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "training/trained_network.h"

namespace cotangent::tools {

struct ImageRequest {
  std::string dataset;   // as --dataset; empty: what the network was trained with
  std::string data_dir;  // empty: the default one
  int threads = 1;
  bool skip_bad = false;  // pictures that cannot be read, each with a line on standard error
  data::Split wanted = data::Split::kTest;
};

struct Images {
  data::Dataset dataset;  // labels are the network's, by the classes' names
  data::Split split = data::Split::kTest;
};

// The wanted part of a data set, if it has such a one; else what is watched while training
// (training/source.h). Errors: InvalidArgument for a data set that the network does not fit: images
// of another shape, classes it does not know.
absl::StatusOr<Images> LoadImages(const training::TrainedNetwork& trained,
                                  const ImageRequest& request);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_LABELLED_IMAGES_H_
