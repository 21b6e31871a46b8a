// Finds the parts of a picture that a network's answer depends on.
#ifndef COTANGENT_INFERENCE_SERVER_OCCLUSION_H_
#define COTANGENT_INFERENCE_SERVER_OCCLUSION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "data/image.h"
#include "inference/classifier.h"

namespace cotangent::inference {

// The result of occlusion sensitivity (Zeiler and Fergus, "Visualizing and understanding
// convolutional networks", 2014, section 4.2). The picture is cut into rows x columns cells. Each
// cell in turn is covered with the picture's mean colour; `drop` says by how much this lowers the
// probability of the most probable class or label (or the first number, if the network computes
// numbers). A negative drop means that covering the cell raises it.
struct Occlusion {
  int rows = 0, columns = 0;
  int top = 0;              // index of the class, label or number that `drop` is about
  std::vector<float> drop;  // [rows, columns]
};
// Computes the occlusion sensitivity of a picture, with at most 7 x 7 cells. A picture that is
// longer than 256 pixels along a side is shrunk first. Returns the errors of
// Classifier::ClassifyBatch().
absl::StatusOr<Occlusion> Occlude(Classifier& classifier, const data::Image& image);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_OCCLUSION_H_
