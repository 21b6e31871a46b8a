// Converts the scales of quantised layers to and from JSON, as checkpoints hold them in their
// metadata. The scale of a tensor of 8-bit integers is the number that the integer 1 stands for.
// Each layer is named by its weight. "in", "out" and "addend" (a tensor that the layer adds to its
// result) give a tensor's scale and whether its integers are signed ("s8") or not ("u8"); a tensor
// without a scale is left out:
//
//   {"conv1.weight": {"in": [0.0123, "u8"], "out": [0.25, "s8"]}, ...}
#ifndef COTANGENT_TRAINING_QUANTISATION_TEXT_H_
#define COTANGENT_TRAINING_QUANTISATION_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/plan/quantisation.h"

namespace cotangent::training {

// Returns the JSON text, or "" for an empty quantisation.
std::string QuantisationText(const layers::Quantisation& quantisation);

// Parses the text of QuantisationText(); the scales keep all their bits. Returns an InvalidArgument
// error that begins with `source` if the text is malformed or a scale is not a positive normal
// float.
absl::StatusOr<layers::Quantisation> ParseQuantisation(const std::string& text,
                                                       absl::string_view source);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_QUANTISATION_TEXT_H_
