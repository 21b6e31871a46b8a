// Finds the parts of a picture that a network's answer depends on.
#ifndef COTANGENT_INFERENCE_SERVER_OCCLUSION_H_
#define COTANGENT_INFERENCE_SERVER_OCCLUSION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "data/image.h"
#include "inference/classifier.h"

namespace cotangent::inference {

// Occlusion sensitivity (Zeiler and Fergus, "Visualizing and understanding convolutional networks",
// 2014, section 4.2): the picture is cut into rows x columns cells, each covered in turn by the
// picture's mean colour; a cell's number is by how much the probability of the most probable
// class or label falls, or the first number. Negative: it is more without the cell.
struct Occlusion {
  int rows = 0, columns = 0;
  int top = 0;              // which class, label or number
  std::vector<float> drop;  // [rows, columns]
};
absl::StatusOr<Occlusion> Occlude(Classifier& classifier, const data::Image& image);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_OCCLUSION_H_
